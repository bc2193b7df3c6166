"""Live events over the wire: a real gunicorn, a real worker, a real Redis, and clients that come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from memories.tests.processes import wait_for
from memories.tests.redis_server import RedisServer, needs_redis, redis_server
from memories.tests.server import MAKE_TOKEN, Server, serve
from memories.tests.speech import wav

pytestmark = [pytest.mark.slow, needs_redis]
SOUND = wav((2.0, True))


class Stream:
    """One answer to GET events, read as it comes. ValueError: the server did not end it, but broke it off."""

    def __init__(self, response: HTTPResponse) -> None:
        self.response = response
        self.last_event_id = ""

    def lines(self) -> Iterator[str]:
        rest = b""
        while size := int(self.response.fp.readline(), 16):  # http.client hides from us how a chunked body ends
            rest += self.response.fp.read(size)
            self.response.fp.readline()
            *lines, rest = rest.split(b"\n")
            yield from (line.decode() for line in lines)

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, data) of each, until the stream ends."""
        fields: dict[str, str] = {}
        for line in self.lines():
            name, _, value = line.partition(": ")
            if line and line != ":":
                fields[name] = value
            elif not line and "event" in fields:
                self.last_event_id = fields["id"]
                yield fields["event"], json.loads(fields["data"])
                fields = {}

    def changes(self) -> Iterator[tuple[str, str]]:
        """(id, status) of each change of a memory."""
        yield from ((data["id"], data["status"]) for name, data in self.events() if name == "memory")

    def until(self, status: str) -> list[tuple[str, str]]:
        """The changes up to this one."""
        found = []
        for change in self.changes():
            found.append(change)
            if change[1] == status:
                return found
        raise AssertionError(f"The stream ended after {found}.")


@contextmanager
def listening(server: Server, token: str = "", last_event_id: str = "") -> Iterator[Stream]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        stream = Stream(ask(connection, server, token, **({"Last-Event-ID": last_event_id} if last_event_id else {})))
        assert stream.response.status == 200
        yield stream
    finally:
        stream.response.close()  # both hold the socket
        connection.close()


def ask(connection: HTTPConnection, server: Server, token: str = "", **headers: str) -> HTTPResponse:
    connection.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {token or server.token}", **headers})
    return connection.getresponse()


def refused(server: Server, token: str = "") -> tuple[int, dict[str, Any]]:
    """What GET events is answered with when it is no stream."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        response = ask(connection, server, token)
        return response.status, {} if response.status == 200 else json.loads(response.read())
    finally:
        connection.close()


def call(server: Server, method: str, path: str) -> Any:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {server.token}"})
        response = connection.getresponse()
        body = response.read()
        return json.loads(body) if body else None
    finally:
        connection.close()


def status(server: Server, memory_id: str) -> str:
    """As soon as it changes."""
    return str(call(server, "GET", f"/api/v1/memories/{memory_id}?wait=25")["status"])


def status_now(server: Server, memory_id: str) -> str:
    return str(call(server, "GET", f"/api/v1/memories/{memory_id}")["status"])


def send(server: Server) -> str:
    answer = server.upload(SOUND)
    assert answer.status == 202
    return str(answer.json()["id"])


def statuses(found: list[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(status for _, status in found))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _redis_is_there_for_the_next_test(redis: RedisServer) -> Iterator[None]:
    yield
    if not redis.answers():
        redis.start()


@pytest.fixture(scope="module")
def server(redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a worker that takes its time, and hearts that beat fast."""
    folder = tmp_path_factory.mktemp("house")
    env = {"REDIS_ENABLED": "true", "REDIS_URL": redis.url, "HEARTBEAT_SECONDS": "0.5", "CALL_SECONDS": "0.3"}
    with serve(folder, f"sqlite:///{folder / 'db.sqlite3'}", **env) as server:
        worker = server.house.worker()
        try:
            yield server
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.wait()


@pytest.fixture
def small_server(redis: RedisServer, tmp_path: Path) -> Iterator[Server]:
    """Without a worker, and with a seat for one listener."""
    env = {"REDIS_ENABLED": "true", "REDIS_URL": redis.url, "HEARTBEAT_SECONDS": "0.5"}
    with serve(tmp_path, f"sqlite:///{tmp_path / 'db.sqlite3'}", MEMORIES_MAX_WAITERS="2", **env) as server:
        yield server


def test_a_client_hears_each_step_up_to_ready_and_the_heart_beat(server: Server) -> None:
    with listening(server) as stream:
        assert next(stream.events()) == ("reset", {})
        memory_id = send(server)
        found = stream.until("READY")
        assert {id_ for id_, _ in found} == {memory_id}
        assert statuses(found)[-3:] == ["TRANSCRIBING", "ANALYZING", "READY"]  # QUEUED, unless the worker was faster
        assert ":" in stream.lines()


def test_nobody_hears_of_the_memories_of_others(server: Server) -> None:
    other = server.house.python(MAKE_TOKEN.replace("ada", "grace")).strip()
    with listening(server, other) as stream, listening(server) as mine:
        send(server)
        mine.until("READY")
        server.house.python(
            "from django.contrib.auth.models import User; from memories import events; from memories.models import *;"
            "grace = User.objects.get(username='grace');"
            "events.announce(Memory.objects.create(owner=grace, status=Status.NO_SPEECH).pk)"
        )
        assert statuses(stream.until("NO_SPEECH")) == ["NO_SPEECH"]


def test_a_client_that_comes_again_has_missed_nothing(server: Server) -> None:
    with listening(server) as stream:
        memory_id = send(server)
        stream.until("TRANSCRIBING")
    wait_for(lambda: status(server, memory_id) == "READY")
    with listening(server, last_event_id=stream.last_event_id) as again:
        found = again.until("READY")
    assert {id_ for id_, _ in found} == {memory_id}
    assert statuses(found)[-2:] == ["ANALYZING", "READY"]
    assert "QUEUED" not in statuses(found)


def test_a_redis_that_dies_fails_nothing_and_comes_back(server: Server, redis: RedisServer) -> None:
    with listening(server) as stream:
        first = send(server)
        stream.until("TRANSCRIBING")
        redis.kill()
        assert "READY" not in statuses(list(stream.changes()))
    second = send(server)
    wait_for(lambda: status(server, first) == status(server, second) == "READY")
    code, problem = refused(server)
    assert (code, problem["code"]) == (503, "events_unavailable")
    redis.start()
    assert learned(server)[-1][1] == "READY"  # also while who writes is still quiet
    wait_for(lambda: [name for name, _ in learned(server)[-3:]] == ["memory"] * 3, seconds=60)


def learned(server: Server) -> list[tuple[str, str]]:
    """What a client learns of a new memory that does as the documentation says: read once after a reset."""
    found: list[tuple[str, str]] = []
    with listening(server) as stream:
        memory_id = send(server)
        for name, data in stream.events():
            now = status_now(server, memory_id) if name == "reset" else data["status"]
            if (name, now) not in found:
                found.append((name, now))
            if now == "READY":
                return found
    raise AssertionError(f"The stream ended after {found}.")


def test_a_client_that_went_away_gives_its_seat_back(small_server: Server) -> None:
    with listening(small_server) as stream:
        next(stream.events())
        assert refused(small_server)[0] == 503
    wait_for(lambda: refused(small_server)[0] == 200)


def test_a_server_that_stops_waits_for_no_listener(small_server: Server) -> None:
    with listening(small_server) as stream:
        next(stream.events())
        small_server.process.parent().terminate()
        assert list(stream.changes()) == []
