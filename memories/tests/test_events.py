"""Live events in one process, on a real Redis: what is told to whom, and what a Redis that fails costs."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import AsyncClient
from django.utils import timezone
from rest_framework.test import APIClient

from memories import capture, editing, events, privacy, recovery
from memories.errors import EventsUnavailable, TranscriberUnavailable, TranscriptionRefused, Waiting
from memories.events import Announcer, Event, Listener
from memories.models import Memory, Stage, Status
from memories.processing import process_memory
from memories.tests.factories import make_client, make_memory, make_user
from memories.tests.fakes import FakeTranscriber
from memories.tests.processes import wait_for
from memories.tests.redis_server import RedisServer, needs_redis, redis_server
from memories.tests.speech import wav
from memories.waiting import seats

pytestmark = [pytest.mark.django_db(transaction=True), needs_redis, pytest.mark.wire]  # hooks run on commit
EVENTS = "/api/v1/events"
SOON = 2.0  # seconds: only a test that fails waits for them


@pytest.fixture(scope="module")
def _server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def redis(_server: RedisServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """An empty Redis that this process uses; it is there again for the next test, whatever happens to it."""
    settings.REDIS_ENABLED, settings.REDIS_URL = True, _server.url
    _server.client.flushall()
    monkeypatch.setattr(events, "announcer", Announcer(quiet_seconds=0.05))
    yield _server
    if not _server.answers():
        _server.start()


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


@pytest.fixture
def listen(redis: RedisServer) -> Iterator[Any]:
    """Makes listeners that are closed at the end."""
    made: list[Listener] = []

    def make(owner: User, last_event_id: str = "") -> Listener:
        made.append(Listener(owner.pk, last_event_id=last_event_id))
        return made[-1]

    yield make
    for listener in made:
        listener.close()


def heard(listener: Listener, count: int) -> list[Event]:
    """The next so many events, and no more of them."""
    found: list[Event] = []
    until = time.monotonic() + SOON
    while len(found) < count and time.monotonic() < until:
        found += listener.wait(0.1)
    assert len(found) == count, found
    return found


def statuses(found: list[Event]) -> list[str]:
    return [json.loads(event.data)["status"] for event in found]


def entries(server: RedisServer) -> int:
    return sum(int(server.client.xlen(key)) for key in server.client.scan_iter("memories:events:*"))


# --- what is told ----------------------------------------------------------------------------------------------------


def test_an_event_says_how_a_memory_stands_and_nothing_that_is_in_it(owner: User, listen: Any) -> None:
    listener = listen(owner)
    memory = make_memory(owner, status=Status.QUEUED, title="A secret", transcript="What was said.")
    events.announce(memory.pk)
    (event,) = heard(listener, 1)
    assert event.name == "memory"
    assert json.loads(event.data) == {"id": str(memory.pk), "status": "QUEUED", "progress": 0, "version": 1}


def test_nothing_is_told_before_it_is_committed(owner: User, listen: Any) -> None:
    listener, memory = listen(owner), make_memory(owner, status=Status.QUEUED)
    with transaction.atomic():
        events.announce(memory.pk)
        Memory.objects.filter(pk=memory.pk).move(Status.TRANSCRIBING)
        assert listener.wait(0.1) == []
    assert statuses(heard(listener, 1)) == ["TRANSCRIBING"]


def test_what_is_taken_back_is_not_told(owner: User, listen: Any) -> None:
    listener, memory = listen(owner), make_memory(owner)
    with transaction.atomic():
        events.announce(memory.pk)
        transaction.set_rollback(True)
    assert listener.wait(0.1) == []


def test_nobody_hears_of_the_memories_of_others(owner: User, listen: Any) -> None:
    listener = listen(owner)
    events.announce(make_memory(make_user()).pk)
    assert listener.wait(0.1) == []


def changes(memory: Memory, listener: Listener, change: Callable[[], object]) -> list[tuple[str, int]]:
    """What the listener hears of it while this happens: (status, version); each version once, as clients do."""
    change()
    found = [json.loads(event.data) for event in listener.wait(SOON)]
    assert {event["id"] for event in found} == {str(memory.pk)}
    return list(dict.fromkeys((event["status"], event["version"]) for event in found))


def version(memory: Memory) -> int:
    memory.refresh_from_db()
    return memory.version


def test_a_new_memory_is_told(owner: User, listen: Any) -> None:
    listener = listen(owner)
    sound = SimpleUploadedFile("note.wav", wav((1.0, True)))
    accepted = capture.accept(owner=owner, audio=sound, sha256="0" * 64)
    assert statuses(heard(listener, 1)) == ["QUEUED"]
    assert accepted.created


def test_each_step_of_a_run_is_told_in_its_order(recorded: Any, owner: User, listen: Any) -> None:
    memory, listener = recorded(), listen(owner)
    told = changes(memory, listener, lambda: process_memory(memory.pk, worker="test"))
    assert list(dict.fromkeys(status for status, _ in told)) == ["TRANSCRIBING", "ANALYZING", "READY"]
    assert [number for _, number in told] == sorted(number for _, number in told)
    assert told[-1] == ("READY", version(memory))


@pytest.mark.parametrize(
    ("error", "status"),
    [(TranscriptionRefused(), "FAILED"), (TranscriberUnavailable(), "QUEUED"), (Waiting(), "QUEUED")],
)
def test_a_run_that_fails_is_told(
    recorded: Any, owner: User, listen: Any, transcriber: FakeTranscriber, error: Exception, status: str
) -> None:
    transcriber.raise_exc(error)
    memory, listener = recorded(), listen(owner)
    told = changes(memory, listener, lambda: process_memory(memory.pk, worker="test"))
    assert told[-1] == (status, version(memory))


@pytest.mark.parametrize(("attempts", "status"), [(1, "QUEUED"), (3, "FAILED")])
def test_a_worker_that_was_lost_is_told(owner: User, listen: Any, attempts: int, status: str) -> None:
    memory = make_memory(
        owner, status=Status.TRANSCRIBING, attempts=attempts, lease_token=uuid.uuid4(), lease_expires_at=timezone.now()
    )
    assert changes(memory, listen(owner), recovery.sweep)[-1] == (status, version(memory))


def test_reprocessing_is_told(owner: User, listen: Any) -> None:
    memory = make_memory(owner, transcript="Hello.")
    told = changes(memory, listen(owner), lambda: recovery.reprocess(memory.pk, stage=Stage.ANALYSIS))
    assert told == [("QUEUED", version(memory))]


def test_a_correction_is_told(owner: User, listen: Any) -> None:
    memory = make_memory(owner)
    told = changes(memory, listen(owner), lambda: editing.edit(memory, editing.Changes(title="New")))
    assert told == [("READY", version(memory))]


def test_erasing_is_told(owner: User, listen: Any) -> None:
    memory, listener = make_memory(owner), listen(owner)
    identity = str(memory.pk)
    privacy.erase(memory)
    (event,) = heard(listener, 1)
    assert (event.name, json.loads(event.data)) == ("erased", {"id": identity})


def test_switched_off_it_touches_no_redis(owner: User, redis: RedisServer, settings: Any) -> None:
    settings.REDIS_ENABLED = False
    events.announce(make_memory(owner).pk)
    assert entries(redis) == 0


# --- where a listener begins -----------------------------------------------------------------------------------------


def test_a_new_listener_is_told_to_read_once(owner: User, listen: Any) -> None:
    (event,) = listen(owner).first()
    assert (event.name, event.data) == ("reset", "{}")


def test_a_listener_goes_on_after_what_it_saw_last(owner: User, listen: Any) -> None:
    memory = make_memory(owner, status=Status.QUEUED)
    before = listen(owner)
    events.announce(memory.pk)
    (seen,) = heard(before, 1)
    for status in (Status.TRANSCRIBING, Status.ANALYZING):
        Memory.objects.filter(pk=memory.pk).move(status)
        events.announce(memory.pk)
    again = listen(owner, seen.id)
    assert again.first() == []
    assert statuses(heard(again, 2)) == ["TRANSCRIBING", "ANALYZING"]


def test_a_listener_goes_on_after_a_reset_too(owner: User, listen: Any) -> None:
    (reset,) = listen(owner).first()
    events.announce(make_memory(owner).pk)
    again = listen(owner, reset.id)
    assert again.first() == []
    heard(again, 1)


@pytest.mark.parametrize("last", ["1-1", "nonsense", "$", "-", "+", "0", "9" * 40 + "-0", "1-1\n", "é", "1 - 1", "*"])
def test_a_place_that_is_not_known_is_a_reset(owner: User, listen: Any, last: str) -> None:
    events.announce(make_memory(owner).pk)
    listener = listen(owner, last)
    assert [event.name for event in listener.first()] == ["reset"]
    assert listener.wait(0.1) == []


def test_a_place_that_was_dropped_is_a_reset(owner: User, listen: Any, redis: RedisServer) -> None:
    (first,) = listen(owner).first()
    for _ in range(events.MAX_ENTRIES + 200):
        events.announcer.send(owner.pk, events.CHANGED, {})
    assert entries(redis) < events.MAX_ENTRIES + 200
    assert [event.name for event in listen(owner, first.id).first()] == ["reset"]


def test_the_place_of_another_person_is_not_known(owner: User, listen: Any) -> None:
    (mine,) = listen(owner).first()
    assert listen(make_user(), mine.id).first() != []


def test_another_listener_hears_nothing_of_a_new_one(owner: User, listen: Any) -> None:
    listener = listen(owner)
    listen(owner)
    assert listener.wait(0.1) == []


def test_a_stream_goes_when_nobody_has_used_it_for_long(owner: User, listen: Any, redis: RedisServer) -> None:
    (first,) = listen(owner).first()
    key = f"memories:events:{owner.pk}"
    redis.client.persist(key)
    events.announce(make_memory(owner).pk)
    assert 0 < int(redis.client.ttl(key)) <= events.KEEP_SECONDS
    redis.client.expire(key, 5)
    listen(owner, first.id)
    assert int(redis.client.ttl(key)) > 5


# --- a Redis that fails ----------------------------------------------------------------------------------------------


def test_a_redis_that_is_away_fails_nobody_and_is_said_once(
    owner: User, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    redis.kill()
    memory = make_memory(owner)
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            events.announce(memory.pk)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == ["Redis is away"]


def test_an_address_that_is_none_fails_nobody_either(
    api: APIClient, owner: User, redis: RedisServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = "redis://:secret/0@host"
    with caplog.at_level(logging.WARNING):
        events.announce(make_memory(owner).pk)
    assert [record.getMessage() for record in caplog.records] == ["Redis is away, and clients must poll: ValueError"]
    assert api.get(EVENTS).status_code == 503
    settings.REDIS_URL = redis.url
    wait_for(lambda: not events.announcer._away)


def test_a_redis_that_does_not_answer_is_waited_for_once(owner: User, redis: RedisServer) -> None:
    memory = make_memory(owner)
    events.announce(memory.pk)
    with redis.frozen():
        began = time.monotonic()
        for _ in range(50):
            events.announce(memory.pk)
        took = time.monotonic() - began
    assert took < 50 * events.PATIENCE / 2


def test_who_missed_something_is_told_to_read_once(owner: User, redis: RedisServer, listen: Any) -> None:
    (place,) = listen(owner).first()
    memory = make_memory(owner)
    redis.kill()
    events.announce(memory.pk)
    redis.start()
    key = f"memories:events:{owner.pk}"
    wait_for(lambda: redis.client.xlen(key) == 1)
    assert [entry["name"] for _, entry in redis.client.xrange(key)] == ["reset"]
    wait_for(lambda: not events.announcer._away)
    listener = listen(owner, place.id)
    events.announce(memory.pk)
    assert [event.name for event in heard(listener, 1)] == ["memory"]


def test_a_frozen_redis_that_remembers_still_tells_of_what_was_missed(
    owner: User, redis: RedisServer, listen: Any
) -> None:
    (place,) = listen(owner).first()
    memory = make_memory(owner)
    with redis.frozen():
        events.announce(memory.pk)
    wait_for(lambda: not events.announcer._away)
    assert "reset" in [event.name for event in listen(owner, place.id).wait(SOON)]


def test_a_listener_learns_that_redis_went_away(owner: User, redis: RedisServer, listen: Any) -> None:
    listener = listen(owner)
    redis.kill()
    with pytest.raises(EventsUnavailable):
        listener.wait(SOON)
    with pytest.raises(EventsUnavailable):
        listen(owner)


# --- the call --------------------------------------------------------------------------------------------------------


def test_the_call_is_a_stream_of_events(api: APIClient, owner: User, redis: RedisServer, settings: Any) -> None:
    settings.MEMORIES_STREAM_SECONDS = 0.1
    answer: Any = api.get(EVENTS, headers={"Accept": "text/event-stream"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    memory = make_memory(owner)
    events.announce(memory.pk)
    text = answer.getvalue().decode()
    assert text.startswith("retry: 3000\n\nid: ")
    assert "event: reset\ndata: {}\n\n" in text
    assert f'event: memory\ndata: {{"id": "{memory.pk}", "status": "READY", "progress": 100, "version": 1}}\n\n' in text


def test_a_stream_ends_in_time_and_a_revoked_token_gets_no_other(
    api: APIClient, redis: RedisServer, settings: Any
) -> None:
    settings.MEMORIES_STREAM_SECONDS = 0.0
    answer: Any = api.get(EVENTS)
    assert api.delete("/api/v1/auth/token").status_code == 204
    assert b"reset" in answer.getvalue()
    assert api.get(EVENTS).status_code == 401


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="counts the connections of a server")
def test_listeners_hold_no_connection_to_the_database(redis: RedisServer) -> None:
    clients = [make_client(make_user()) for _ in range(8)]
    with ThreadPoolExecutor(len(clients)) as threads:
        answers: list[Any] = list(threads.map(lambda client: begun(client.get(EVENTS)), clients))
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            assert cursor.fetchone()[0] == 1  # this test's
        for answer in answers:
            answer.close()


def begun(answer: Any) -> Any:
    """A stream that is being read, in this thread."""
    assert next(answer.streaming_content).startswith(b"retry:")
    return answer


def test_without_redis_there_is_no_such_address(api: APIClient, settings: Any) -> None:
    answer = api.get(EVENTS)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_on_an_asgi_server_there_is_no_such_address(owner: User, redis: RedisServer) -> None:
    client = AsyncClient()
    client.force_login(owner)
    answer: Any = async_to_sync(client.get)(EVENTS)
    assert answer.status_code == 404


def test_it_takes_a_token(redis: RedisServer) -> None:
    assert APIClient().get(EVENTS).status_code == 401


@pytest.mark.parametrize("method", ["head", "post", "delete"])
def test_it_can_only_be_read(api: APIClient, redis: RedisServer, method: str) -> None:
    assert getattr(api, method)(EVENTS).status_code == 405


def test_when_redis_is_away_clients_are_told_to_poll(api: APIClient, redis: RedisServer) -> None:
    redis.kill()
    answer = api.get(EVENTS)
    assert (answer.status_code, answer.json()["code"]) == (503, "events_unavailable")
    assert "Poll" in answer.json()["next_step"]
    assert int(answer.headers["Retry-After"]) > 0
    assert not seats._taken


def test_a_stream_ends_when_redis_goes_away(api: APIClient, redis: RedisServer) -> None:
    answer: Any = api.get(EVENTS)
    chunks = iter(answer.streaming_content)
    assert next(chunks).startswith(b"retry:")
    redis.kill()
    assert all(chunk.startswith((b"id:", b":")) for chunk in chunks)


def test_more_than_half_of_the_seats_are_not_for_listeners(redis: RedisServer, settings: Any) -> None:
    settings.MEMORIES_MAX_WAITERS = 4
    taken: list[Any] = [make_client(make_user()).get(EVENTS) for _ in range(2)]
    refused = make_client(make_user()).get(EVENTS)
    assert (refused.status_code, refused.json()["code"]) == (503, "events_unavailable")
    assert seats.take("who waits")
    seats.leave("who waits")
    taken[0].close()
    taken[1].close()
    last: Any = make_client(make_user()).get(EVENTS)
    assert last.status_code == 200
    last.close()
    assert not seats._taken


def test_one_person_does_not_take_the_seats_of_all(api: APIClient, redis: RedisServer) -> None:
    taken: list[Any] = [api.get(EVENTS) for _ in range(4)]
    assert api.get(EVENTS).status_code == 503
    other: Any = make_client(make_user()).get(EVENTS)
    assert other.status_code == 200
    for answer in (*taken, other):
        answer.close()


def test_a_server_that_stops_ends_its_streams(
    api: APIClient, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Any = api.get(EVENTS)
    chunks = iter(answer.streaming_content)
    assert next(chunks).startswith(b"retry:")
    monkeypatch.setattr(seats, "server_stops", lambda: True)
    assert [chunk.partition(b"\n")[2] for chunk in chunks] == [b"event: reset\ndata: {}\n\n"]


# --- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["", "localhost:6379", "http://localhost", "redis://host:port/0", "redis://h?colour=red"]
)
def test_an_address_that_is_none_is_an_error_before_the_service_starts(settings: Any, url: str) -> None:
    settings.REDIS_URL, settings.ALLOWED_HOSTS = url, ["localhost"]
    assert [message.id for message in run_checks()] == []
    settings.REDIS_ENABLED = True
    assert [message.id for message in run_checks()] == ["memories.E008"]


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://:secret@redis.example.org:6380/1", "unix:///run/redis"])
def test_an_address_that_may_be_one_passes(settings: Any, url: str) -> None:
    settings.REDIS_URL, settings.REDIS_ENABLED, settings.ALLOWED_HOSTS = url, True, ["localhost"]
    assert run_checks() == []
