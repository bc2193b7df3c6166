"""PATCH memories/{id}: a person's corrections."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from memories import editing, leases
from memories.errors import StaleVersion
from memories.models import Memory, Stage, Status
from memories.tests.factories import make_client, make_memory, make_segments
from memories.types import AnalysisResult, Evidence, Finding, TranscriptResult

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def patch(api: APIClient, memory: Memory, body: Any, **headers: Any) -> Any:
    return api.patch(f"/api/v1/memories/{memory.pk}", body, **headers)


def words(*edits: tuple[int, str]) -> dict[str, Any]:
    return {"transcript": {"segments": [{"id": id_, "text": text} for id_, text in edits]}}


# --- what changes --------------------------------------------------------------------------------------------------


def test_title_and_summary_are_changed_and_marked_as_edited(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, title="Old", summary="Old")
    answer = patch(api, memory, {"title": "New", "summary": "Newer"})
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["title"], shown["summary"], shown["edited_fields"]) == ("New", "Newer", ["summary", "title"])
    assert answer.headers["ETag"] != memory.etag


def test_a_title_is_one_line(api: APIClient, owner: User) -> None:
    assert patch(api, make_memory(owner), {"title": "Two\nlines\t and more"}).json()["title"] == "Two lines and more"


def test_an_empty_text_takes_the_words_of_a_segment_out_and_what_rests_on_them(api: APIClient, owner: User) -> None:
    memory = make_memory(
        owner, title="Maria", transcript=make_segments("Call Maria.", "In Lisbon."), people=["Maria"],
    )  # fmt: skip
    memory.taggings.update(evidence={"segment_ids": [0], "quote": "Maria"})
    shown = patch(api, memory, words((0, ""))).json()
    assert (shown["transcript"]["text"], shown["people"], shown["title"]) == ("In Lisbon.", [], "Maria")


def test_tags_are_replaced_and_people_stay(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, tags=["old"], people=["Ada"])
    shown = patch(api, memory, {"tags": ["New", "new ", "second"]}).json()
    assert sorted(tag["name"].lower() for tag in shown["tags"]) == ["new", "second"]
    assert [person["name"] for person in shown["people"]] == ["Ada"]
    assert shown["edited_fields"] == ["tags"]


def test_a_segment_is_reworded_and_keeps_its_time(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, transcript=make_segments("Call Mario.", "Today."))
    transcript = patch(api, memory, words((0, "Call Maria."))).json()["transcript"]
    assert transcript["text"] == "Call Maria. Today."
    first, second = transcript["segments"]
    assert (first["text"], first["start"], first["end"]) == ("Call Maria.", 0.0, 5.0)
    assert second["text"] == "Today."


def test_findings_that_lose_their_words_fall(api: APIClient, owner: User) -> None:
    memory = make_memory(
        owner,
        transcript=make_segments("Call Mario.", "Today in Rome."),
        people=["Mario"],
        places=["Rome"],
        action_items=[{"text": "Call", "due": None, "due_quote": None, "segment_ids": [0], "quote": "Call Mario"}],
    )
    shown = patch(api, memory, words((0, "Write to Maria."))).json()
    assert (shown["people"], shown["action_items"]) == ([], [])
    assert [place["name"] for place in shown["places"]] == ["Rome"]


def test_what_was_changed_is_found_at_once(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, transcript="Call Mario.")
    patch(api, memory, words((0, "Call Maria.")) | {"tags": ["lighthouse"]})

    def hits(q: str) -> int:
        return len(api.get("/api/v1/memories", {"q": q}).json()["results"])

    assert (hits("maria"), hits("lighthouse"), hits("mario ")) == (1, 1, 0)


@pytest.mark.parametrize("body", [{}, {"title": "Same"}, {"tags": ["SAME"]}, words((0, "Same.")), {"title": " Same "}])
def test_a_change_of_nothing_makes_no_new_version(api: APIClient, owner: User, body: dict[str, Any]) -> None:
    memory = make_memory(owner, title="Same", tags=["same"], transcript="Same.")
    answer = patch(api, memory, body)
    assert (answer.status_code, answer.headers["ETag"]) == (200, memory.etag)
    assert answer.json()["edited_fields"] == []


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"titel": "New"}, "titel"),
        ({"status": "READY"}, "status"),
        ({"title": "x" * 201}, "title"),
        ({"title": None}, "title"),
        ({"title": ["x"]}, "title"),
        ({"summary": "x" * 10_001}, "summary"),
        ({"title": "a\0b"}, "title"),
        ({"summary": "a\ud800b"}, "summary"),
        ({"tags": ["a\0"]}, "tags"),
        ({"tags": "work"}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["x" * 101]}, "tags"),
        ({"tags": [str(n) for n in range(101)]}, "tags"),
        ({"transcript": {}}, "transcript"),
        ({"transcript": {"segments": []}}, "transcript"),
        ({"transcript": {"text": "All new."}}, "text"),
        ({"transcript": {"segments": [{"id": 0, "text": "x", "start": 1}]}}, "start"),
        ({"transcript": {"segments": [{"id": 0}]}}, "text"),
        ({"transcript": {"segments": [{"id": -1, "text": "x"}]}}, "id"),
        (words((0, "a\0b")), "transcript"),
        (words((7, "Nobody said this.")), "unknown_segment"),
        (words((10**30, "Nobody said this.")), "unknown_segment"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(api: APIClient, owner: User, body: dict[str, Any], named: str) -> None:
    memory = make_memory(owner, title="Old", transcript="Hello.")
    answer = api.patch(f"/api/v1/memories/{memory.pk}", json.dumps(body), content_type="application/json")
    assert answer.status_code == 400
    assert named in answer.content.decode()
    memory.refresh_from_db()
    assert (memory.title, memory.version) == ("Old", 1)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "1", '"title"', '{"title": NaN}', "[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(api: APIClient, owner: User, body: str) -> None:
    memory = make_memory(owner, title="Old")
    answer = api.patch(f"/api/v1/memories/{memory.pk}", body, content_type="application/json")
    assert answer.status_code == 400 if body else 200


def test_a_body_larger_than_any_edit_is_refused_unread(api: APIClient, owner: User) -> None:
    answer = patch(api, make_memory(owner), {"summary": "x" * 3_000_000})
    assert answer.json()["code"] == "body_too_large"


def test_one_wrong_field_keeps_the_others_from_being_written(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, title="Old", tags=["old"], transcript="Hello.")
    assert patch(api, memory, {"title": "New", "tags": ["new"], **words((9, "x"))}).status_code == 400
    memory.refresh_from_db()
    assert (memory.title, memory.version) == ("Old", 1)
    assert [tag.name for tag in memory.tags.all()] == ["old"]


def test_words_cannot_be_changed_before_they_are_there(api: APIClient, owner: User) -> None:
    answer = patch(api, make_memory(owner, status=Status.QUEUED), words((0, "Hello.")))
    assert (answer.status_code, answer.json()["code"]) == (409, "transcript_not_ready")


# --- who wins ------------------------------------------------------------------------------------------------------


def test_a_stale_version_is_refused(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, title="Old")
    patch(api, memory, {"title": "First"})
    answer = patch(api, memory, {"title": "Second"}, HTTP_IF_MATCH=memory.etag)
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")
    memory.refresh_from_db()
    assert memory.title == "First"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_fresh_version_is_accepted(api: APIClient, owner: User, form: str) -> None:
    memory = make_memory(owner)
    assert patch(api, memory, {"title": "New"}, HTTP_IF_MATCH=form.format(memory.etag)).status_code == 200


def test_a_version_that_goes_stale_between_the_check_and_the_write_is_refused_too(owner: User) -> None:
    memory = make_memory(owner, title="Old")
    editing.edit(memory, editing.Changes(title="Somebody was faster"))
    with pytest.raises(StaleVersion):
        editing.edit(memory, editing.Changes(title="New"), edition=memory.edition)


def test_that_it_is_processed_meanwhile_is_no_conflict(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED, stage=Stage.TRANSCRIPTION)
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.report(0.5)
    assert patch(api, memory, {"title": "Mine"}, HTTP_IF_MATCH=memory.etag).status_code == 200


def test_what_processing_has_found_meanwhile_is_a_conflict(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED, stage=Stage.TRANSCRIPTION)
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.finish_transcription(TranscriptResult("Words.", "en", tuple(make_segments("Words.")), "m"))
    answer = patch(api, memory, {"title": "Mine"}, HTTP_IF_MATCH=memory.etag)
    assert (answer.status_code, answer.json()["code"]) == (412, "stale_version")


def test_a_memory_that_is_erased_meanwhile_is_gone(owner: User) -> None:
    memory = make_memory(owner)
    Memory.objects.filter(pk=memory.pk).delete()
    with pytest.raises(Memory.DoesNotExist):
        editing.edit(memory, editing.Changes(title="New"))


def test_what_a_person_changes_while_a_worker_runs_is_not_overwritten(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED, stage=Stage.TRANSCRIPTION, transcript="Old words.")
    run = leases.claim(memory.pk, worker="w").run
    assert run is not None
    patch(api, memory, {"title": "Mine", "tags": ["mine"], **words((0, "My words."))})
    heard = TranscriptResult("Machine words.", "en", tuple(make_segments("Machine words.")), "m")
    run.finish_transcription(heard)
    found = (Finding("theirs", Evidence((0,), "words")),)
    run.finish_analysis(AnalysisResult("Theirs", "A summary.", "m", tags=found))
    shown = api.get(f"/api/v1/memories/{memory.pk}").json()
    assert (shown["status"], shown["title"], shown["summary"]) == ("READY", "Mine", "A summary.")
    assert [tag["name"] for tag in shown["tags"]] == ["mine"]
    assert shown["transcript"]["text"] == "My words."


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="an in-memory SQLite refuses instead of waiting")
def test_of_two_devices_that_edit_the_same_version_at_once_one_wins_and_one_is_told() -> None:
    memory = make_memory(title="Old")
    start = threading.Barrier(8)

    def edit(number: int) -> bool:
        try:
            start.wait()
            editing.edit(memory, editing.Changes(title=f"By {number}", tags=[str(number)]), edition=memory.edition)
        except StaleVersion:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=8) as pool:
        won = list(pool.map(edit, range(8)))
    assert won.count(True) == 1
    memory.refresh_from_db()
    assert (memory.title, memory.version) == (f"By {won.index(True)}", 2)
    assert [tag.name for tag in memory.tags.all()] == [str(won.index(True))]
