"""GET memories/{id}/transcript: the words, for people and for other programs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from memories.models import Memory, Status
from memories.tests.factories import make_client, make_memory, make_segments
from memories.types import Segment

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


@pytest.fixture
def memory(owner: User) -> Memory:
    return make_memory(owner, transcript=make_segments("Buenos días.", "Call María."), title="A <b>call</b>")


def export(api: APIClient, memory: Memory, **query: str) -> Any:
    return api.get(f"/api/v1/memories/{memory.pk}/transcript", query)


@pytest.mark.parametrize(
    ("format_", "content_type"),
    [
        ("json", "application/json"),
        ("txt", "text/plain; charset=utf-8"),
        ("md", "text/markdown; charset=utf-8"),
        ("srt", "application/x-subrip; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
    ],
)
def test_each_format_has_the_words_and_its_own_type(
    api: APIClient, memory: Memory, format_: str, content_type: str
) -> None:
    answer = export(api, memory, format=format_)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == f'inline; filename="A bcallb.{format_}"'
    said = json.dumps(answer.json(), ensure_ascii=False) if format_ == "json" else answer.content.decode()
    assert "Buenos días." in said
    assert "Call María." in said


def test_subtitles_have_their_times(api: APIClient, memory: Memory) -> None:
    assert "00:00:05,000 --> 00:00:10,000" in export(api, memory, format="srt").content.decode()
    vtt = export(api, memory, format="vtt").content.decode()
    assert vtt.startswith("WEBVTT")
    assert "00:00:05.000 --> 00:00:10.000" in vtt


def test_json_is_what_comes_unasked(api: APIClient, memory: Memory) -> None:
    assert export(api, memory).headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("accept", ["text/vtt", "application/x-subrip", "image/png"])
def test_the_parameter_alone_decides(api: APIClient, memory: Memory, accept: str) -> None:
    answer = api.get(f"/api/v1/memories/{memory.pk}/transcript", {"format": "txt"}, HTTP_ACCEPT=accept)
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("title", "disposition"),
    [
        ("Notes", 'attachment; filename="Notes.srt"'),
        ("", 'attachment; filename="memory.srt"'),
        ("../../x", 'attachment; filename="x.srt"'),
        ('a"\r\nb', 'attachment; filename="ab.srt"'),
        ("Mañana", "attachment; filename*=utf-8''Ma%C3%B1ana.srt"),
    ],
)
def test_a_download_is_named_after_the_memory(api: APIClient, owner: User, title: str, disposition: str) -> None:
    memory = make_memory(owner, transcript="Hello.", title=title)
    answer = export(api, memory, format="srt", download="1")
    assert answer.headers["Content-Disposition"] == disposition


@pytest.mark.parametrize("format_", ["pdf", "JSON", "json,txt", "\0"])
def test_a_format_that_does_not_exist_is_refused(api: APIClient, memory: Memory, format_: str) -> None:
    answer = export(api, memory, format=format_)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["format"])


@pytest.mark.parametrize("status", [Status.QUEUED, Status.TRANSCRIBING, Status.FAILED])
def test_a_transcript_that_is_not_there_yet_is_a_conflict_not_a_404(
    api: APIClient, owner: User, status: Status
) -> None:
    answer = export(api, make_memory(owner, status=status))
    assert (answer.status_code, answer.json()["code"]) == (409, "transcript_not_ready")


@pytest.mark.parametrize("format_", ["json", "txt", "md", "srt", "vtt"])
def test_silence_can_be_taken_away_too(api: APIClient, owner: User, format_: str) -> None:
    memory = make_memory(owner, status=Status.NO_SPEECH, transcript=())
    assert export(api, memory, format=format_).status_code == 200


@pytest.mark.parametrize("format_", ["json", "txt", "md", "srt", "vtt"])
def test_words_without_times_are_in_every_format_but_subtitles(api: APIClient, owner: User, format_: str) -> None:
    memory = make_memory(owner, transcript=[Segment(0, "No times.")])
    answer = export(api, memory, format=format_)
    assert answer.status_code == 200
    assert ("No times." in answer.content.decode()) == (format_ not in ("srt", "vtt"))


def test_what_a_person_corrected_is_what_comes(api: APIClient, memory: Memory) -> None:
    api.patch(f"/api/v1/memories/{memory.pk}", {"transcript": {"segments": [{"id": 1, "text": "Call Marta."}]}})
    assert "Call Marta." in export(api, memory, format="txt").content.decode()
