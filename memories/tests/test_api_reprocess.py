"""POST memories/{id}/reprocess."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from memories import leases
from memories.models import Memory, Stage, Status
from memories.tests.factories import make_client, make_memory

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def reprocess(api: APIClient, memory: Memory, body: Any) -> Any:
    return api.post(f"/api/v1/memories/{memory.pk}/reprocess", body)


@pytest.mark.parametrize("stage", list(Stage))
def test_a_finished_memory_goes_back_to_the_queue(api: APIClient, owner: User, stage: Stage) -> None:
    memory = make_memory(owner, transcript="Hello.", audio=b"RIFF", title="Kept until it is replaced")
    answer = reprocess(api, memory, {"from": stage})
    assert answer.status_code == 202
    shown = answer.json()
    assert (shown["status"], shown["title"]) == ("QUEUED", "Kept until it is replaced")
    assert shown["transcript"]["text"] == "Hello."
    assert answer.headers["ETag"] != memory.etag
    memory.refresh_from_db()
    assert memory.stage == stage


def test_a_memory_at_work_is_left_at_work(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED, audio=b"RIFF")
    leases.claim(memory.pk, worker="w")
    answer = reprocess(api, memory, {"from": "transcription"})
    assert (answer.status_code, answer.json()["code"]) == (409, "memory_busy")


def test_sound_that_expired_cannot_be_transcribed_again(api: APIClient, owner: User) -> None:
    answer = reprocess(api, make_memory(owner, transcript="Hello."), {"from": "transcription"})
    assert (answer.status_code, answer.json()["code"]) == (410, "audio_expired")


def test_words_that_are_not_there_cannot_be_analyzed(api: APIClient, owner: User) -> None:
    answer = reprocess(api, make_memory(owner, status=Status.FAILED, audio=b"RIFF"), {"from": "analysis"})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_analyze")


@pytest.mark.parametrize("body", [{}, {"from": "scratch"}, {"from": None}, {"from": "analysis", "force": True}, []])
def test_a_stage_that_does_not_exist_is_refused(api: APIClient, owner: User, body: Any) -> None:
    memory = make_memory(owner, transcript="Hello.", audio=b"RIFF")
    assert reprocess(api, memory, body).status_code == 400
    memory.refresh_from_db()
    assert memory.status == Status.READY
