"""GET memories and GET memories/{id}: what is shown, to whom, and at what cost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from memories.models import Memory, Stage, Status
from memories.tests.factories import make_client, make_memory, make_segments

pytestmark = pytest.mark.django_db
AtMost = Callable[[int], AbstractContextManager[object]]


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def url(memory: Memory, rest: str = "") -> str:
    return f"/api/v1/memories/{memory.pk}{rest}"


# --- one memory ----------------------------------------------------------------------------------------------------


def test_a_memory_shows_what_the_contract_names(api: APIClient, owner: User) -> None:
    memory = make_memory(
        owner,
        transcript=make_segments("Call Maria.", "In Lisbon."),
        tags=["phone"],
        people=["Maria"],
        places=["Lisbon"],
        audio=b"RIFF",
        title="A call",
        mood={"label": "neutral", "segment_ids": [0], "quote": "Call"},
        action_items=[{"text": "Call", "due": None, "due_quote": None, "segment_ids": [0], "quote": "Call Maria"}],
    )
    shown = api.get(url(memory)).json()
    assert set(shown) == {
        *("id", "status", "status_detail", "progress", "title", "summary", "tags", "people", "places", "mood"),
        *("action_items", "language", "duration_seconds", "recorded_at", "created_at", "updated_at"),
        *("transcript", "audio", "error", "edited_fields"),
    }
    assert (shown["id"], shown["status"], shown["title"]) == (str(memory.pk), "READY", "A call")
    assert shown["people"] == [{"name": "Maria", "evidence": {"segment_ids": [0], "quote": "Maria"}}]
    assert [place["name"] for place in shown["places"]] == ["Lisbon"]
    assert shown["mood"] == {"label": "neutral", "evidence": {"segment_ids": [0], "quote": "Call"}}
    assert shown["action_items"] == [
        {"text": "Call", "due": None, "due_quote": None, "evidence": {"segment_ids": [0], "quote": "Call Maria"}}
    ]
    assert shown["language"] == "en"
    assert shown["transcript"]["text"] == "Call Maria. In Lisbon."
    assert shown["transcript"]["segments"][1] == {
        "id": 1,
        "text": "In Lisbon.",
        "start": 5.0,
        "end": 10.0,
        "speaker": None,
        "confidence": None,
    }
    assert shown["audio"]["url"] == f"http://testserver{url(memory)}/audio"
    assert shown["audio"]["size"] == 4
    assert shown["error"] is None
    assert shown["created_at"].endswith("Z")


def test_a_memory_in_the_works_has_no_transcript_yet(api: APIClient, owner: User) -> None:
    shown = api.get(url(make_memory(owner, status=Status.TRANSCRIBING, progress=40))).json()
    assert (shown["transcript"], shown["language"], shown["mood"]) == (None, None, None)
    assert (shown["progress"], shown["tags"], shown["action_items"]) == (40, [], [])


@pytest.mark.parametrize(
    ("status", "percent"),
    [(Status.READY, 100), (Status.TRANSCRIBED, 100), (Status.NO_SPEECH, 100), (Status.FAILED, 0), (Status.QUEUED, 0)],
)
def test_what_is_done_is_done_to_the_last_percent(api: APIClient, owner: User, status: Status, percent: int) -> None:
    assert api.get(url(make_memory(owner, status=status))).json()["progress"] == percent


def test_a_failure_says_what_to_do_next(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.FAILED, error_code="no_sound", error_detail="It holds no sound.")
    error = api.get(url(memory)).json()["error"]
    assert (error["code"], error["detail"]) == ("no_sound", "It holds no sound.")
    assert "microphone" in error["next_step"]


@pytest.mark.parametrize("gone", [{"audio": b""}, {"created_at": timezone.now() - timedelta(days=400)}])
def test_audio_that_is_gone_has_no_url(api: APIClient, owner: User, gone: dict[str, Any]) -> None:
    memory = make_memory(owner, **{"audio": b"RIFF", **gone})
    assert api.get(url(memory)).json()["audio"]["url"] is None


def test_a_tag_that_a_person_set_has_no_evidence(api: APIClient, owner: User) -> None:
    memory = make_memory(owner)
    api.patch(url(memory), {"tags": ["mine"]})
    assert api.get(url(memory)).json()["tags"] == [{"name": "mine", "evidence": None}]


@pytest.mark.parametrize("key", ["nonsense", "123", "%00", "0" * 5_000, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
def test_an_id_that_names_nothing_is_not_found(api: APIClient, key: str) -> None:
    assert api.get(f"/api/v1/memories/{key}").status_code == 404


OTHERS = [
    ("get", ""),
    ("patch", ""),
    ("delete", ""),
    ("get", "/audio"),
    ("head", "/audio"),
    ("get", "/transcript"),
    ("post", "/reprocess"),
]


@pytest.mark.parametrize(("method", "rest"), OTHERS)
def test_somebody_elses_memory_is_not_found_by_any_call(api: APIClient, method: str, rest: str) -> None:
    memory = make_memory(transcript="A secret.", audio=b"RIFF")
    body = {"from": Stage.ANALYSIS} if rest == "/reprocess" else {}
    answer = getattr(api, method)(url(memory, rest), body if method in ("post", "patch") else None)
    assert answer.status_code == 404
    memory.refresh_from_db()
    assert (memory.version, memory.status) == (1, Status.READY)


@pytest.mark.parametrize(("method", "rest"), OTHERS)
def test_a_stranger_is_asked_who_they_are(method: str, rest: str) -> None:
    answer = getattr(APIClient(), method)(url(make_memory(), rest))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_session_may_read_but_needs_csrf_to_write(owner: User) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(owner)
    memory = make_memory(owner)
    assert browser.get(url(memory)).status_code == 200
    assert browser.patch(url(memory), {"title": "Theirs"}).status_code == 403


def test_a_misspelt_parameter_is_refused_by_its_name(api: APIClient, owner: User) -> None:
    for path in ("/api/v1/memories", url(make_memory(owner))):
        answer = api.get(path, {"limits": "3"})
        assert answer.status_code == 400
        assert "limits" in answer.content.decode()


def test_a_plus_that_an_address_made_a_space_is_explained(api: APIClient) -> None:
    answer = api.get("/api/v1/memories?recorded_after=2026-01-01T00:00:00+02:00")
    assert answer.status_code == 400
    assert "write + as %2B" in answer.json()["errors"]["recorded_after"][0]


# --- versions ------------------------------------------------------------------------------------------------------


def test_the_same_version_is_not_sent_again(api: APIClient, owner: User) -> None:
    memory = make_memory(owner)
    etag = api.get(url(memory)).headers["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = api.get(url(memory), HTTP_IF_NONE_MATCH=known)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)


def test_a_new_version_is_sent(api: APIClient, owner: User) -> None:
    memory = make_memory(owner)
    etag = api.get(url(memory)).headers["ETag"]
    Memory.objects.filter(pk=memory.pk).touch(title="New")
    answer = api.get(url(memory), HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer.json()["title"]) == (200, "New")


def test_a_not_modified_is_for_the_owner_only(api: APIClient) -> None:
    memory = make_memory()
    assert api.get(url(memory), HTTP_IF_NONE_MATCH=memory.etag).status_code == 404


def test_answers_may_be_kept_but_not_shared(api: APIClient, owner: User) -> None:
    assert api.get(url(make_memory(owner))).headers["Cache-Control"] == "private, no-cache"


# --- many ----------------------------------------------------------------------------------------------------------


def test_a_list_has_everything_but_the_transcript(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, transcript="Hola.", language="es", tags=["greeting"])
    (item,) = api.get("/api/v1/memories").json()["results"]
    alone = api.get(url(memory)).json()
    del alone["transcript"]
    assert item == {**alone, "match": None}
    assert item["language"] == "es"


def test_pages_lead_to_each_other_and_keep_the_filters(api: APIClient, owner: User) -> None:
    memories = [make_memory(owner, tags=["work"]) for _ in range(5)]
    make_memory(owner)
    seen, address = [], "/api/v1/memories?tag=work&limit=2"
    while address:
        page = api.get(address).json()
        seen += [item["id"] for item in page["results"]]
        address = page["next"]
    assert len(seen) == 5
    assert set(seen) == {str(memory.pk) for memory in memories}


def test_a_bad_cursor_is_refused(api: APIClient) -> None:
    answer = api.get("/api/v1/memories", {"cursor": "nonsense"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("status", "DONE"),
        ("limit", "0"),
        ("limit", "101"),
        ("limit", "many"),
        ("recorded_after", "yesterday"),
        ("recorded_before", "0001-01-01T00:00:00+23:59"),
        ("q", "a\0b"),
        ("tag", "\0"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused_by_its_name(api: APIClient, name: str, value: str) -> None:
    answer = api.get("/api/v1/memories", {name: value})
    assert answer.status_code == 400
    assert name in answer.content.decode()


def test_filters_work_over_http(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.FAILED, people=["Ada"])
    make_memory(owner)
    make_memory(owner, status=Status.QUEUED)

    def ids(query: str) -> list[str]:
        return [item["id"] for item in api.get(f"/api/v1/memories?{query}").json()["results"]]

    assert ids("person=ADA") == [str(memory.pk)]
    assert ids("status=FAILED&limit=1") == [str(memory.pk)]
    assert len(ids("status=FAILED&status=QUEUED")) == 2
    assert len(ids("recorded_after=2001-01-01T00:00:00Z")) == 3
    assert len(ids("recorded_after=2001-01-01T02:00:00%2B02:00")) == 3
    assert len(ids("recorded_after=2001-01-01")) == 3
    assert ids("recorded_before=2001-01-01T00:00:00Z") == []


def test_a_search_hit_says_what_was_said_and_when(api: APIClient, owner: User) -> None:
    make_memory(owner, transcript=make_segments("Hello.", "Mañana vamos al jardín."), language="es")
    (item,) = api.get("/api/v1/memories", {"q": "jardin"}).json()["results"]
    match = item["match"]
    assert (match["segment_id"], match["start"]) == (1, 5.0)
    assert [match["text"][start:end] for start, end in match["highlights"]] == ["jardín"]


def test_a_hit_in_the_title_has_no_match_in_the_words(api: APIClient, owner: User) -> None:
    make_memory(owner, transcript="Hello.", title="Lighthouse")
    (item,) = api.get("/api/v1/memories", {"q": "lighthouse"}).json()["results"]
    assert item["match"] is None


# --- the cost ------------------------------------------------------------------------------------------------------


def test_a_poll_takes_at_most_three_queries(api: APIClient, owner: User, django_assert_max_num_queries: AtMost) -> None:
    memory = make_memory(owner, transcript="Hello.", tags=["a", "b"], people=["Ada"])
    with django_assert_max_num_queries(3):
        api.get(url(memory))
    with django_assert_max_num_queries(2):
        api.get(url(memory), HTTP_IF_NONE_MATCH=memory.etag)


@pytest.mark.parametrize("query", ["", "&q=hello", "&q=hello&tag=a&person=Ada&place=Rome&status=READY"])
def test_a_list_takes_at_most_four_queries_whatever_its_length(
    api: APIClient, owner: User, query: str, django_assert_max_num_queries: AtMost
) -> None:
    for _ in range(30):
        make_memory(owner, transcript="Hello.", tags=["a", "b"], people=["Ada"], places=["Rome"])
    with django_assert_max_num_queries(4):
        assert len(api.get(f"/api/v1/memories?limit=25{query}").json()["results"]) == 25


def test_the_api_is_json_whatever_the_client_would_rather_have(api: APIClient, owner: User) -> None:
    answer = api.get(url(make_memory(owner)), HTTP_ACCEPT="text/html")
    assert answer.headers["Content-Type"] == "application/json"


def test_audio_expires_when_the_settings_say(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, audio=b"RIFF")
    expires = datetime.fromisoformat(api.get(url(memory)).json()["audio"]["expires_at"])
    assert expires - memory.created_at == timedelta(days=settings.AUDIO_RETENTION_DAYS)
