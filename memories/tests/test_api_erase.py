"""DELETE memories/{id}: nothing of it stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage
from rest_framework.test import APIClient

from memories import leases, privacy
from memories.errors import LeaseLost, StorageUnavailable
from memories.models import Attempt, Chunk, DeadLetter, Memory, Status, Tag, Upload
from memories.tests.factories import make_client, make_memory, make_segments
from memories.types import TranscriptResult

pytestmark = pytest.mark.django_db


class BrokenStorage(FileSystemStorage):
    def delete(self, name: str) -> None:
        raise OSError("The disk does not answer.")


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def erase(api: APIClient, memory: Memory) -> int:
    return api.delete(f"/api/v1/memories/{memory.pk}").status_code


def files(settings: Any) -> list[Path]:
    folder = Path(settings.STORAGES["default"]["OPTIONS"]["location"])
    return [path for path in folder.rglob("*") if path.is_file()]


def rows() -> dict[str, int]:
    """How many rows there are, of what people said and what was done with it."""
    others = {"DeviceToken", "Breaker", "DailySpending"}
    models = [model for model in apps.get_app_config("memories").get_models() if model.__name__ not in others]
    return {model.__name__: model._default_manager.count() for model in models}


def test_audio_rows_and_names_are_all_gone(api: APIClient, owner: User, settings: Any) -> None:
    memory = make_memory(
        owner, transcript="Call Maria.", audio=b"RIFF", tags=["phone"], people=["Maria"], places=["Lisbon"]
    )
    Chunk.objects.create(memory=memory, start=0, end=1, result={})
    DeadLetter.objects.create(memory=memory, code="no_sound")
    Attempt.objects.create(memory=memory, stage="analysis", number=1, worker="w", lease_token=memory.pk)
    Upload.objects.create(
        memory=memory, owner=owner, size=4, part_size=4, key="audio/x", expires_at=memory.created_at, sha256="0" * 64
    )
    assert all(rows().values())
    assert erase(api, memory) == 204
    assert not any(rows().values()), rows()
    assert files(settings) == []


def test_what_others_and_other_memories_have_stays(api: APIClient, owner: User, settings: Any) -> None:
    kept = make_memory(owner, transcript="Call Maria.", audio=b"RIFF", people=["Maria"])
    make_memory(transcript="Call Maria.", audio=b"RIFF", people=["Maria"])
    before = rows(), files(settings)
    assert erase(api, make_memory(owner, transcript="Maria again.", audio=b"RIFF", people=["Maria", "Ada"])) == 204
    assert (rows(), files(settings)) == before
    assert [tag.name for tag in kept.tags.all()] == ["Maria"]
    assert not Tag.objects.filter(name="Ada").exists()


def test_names_that_were_corrected_away_before_are_gone_too(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, transcript="Call Mario.", tags=["typo"], people=["Mario"])
    edit = {"tags": ["right"], "transcript": {"segments": [{"id": 0, "text": "Call Maria."}]}}
    api.patch(f"/api/v1/memories/{memory.pk}", edit)
    assert erase(api, memory) == 204
    assert not Tag.objects.exists()


def test_what_is_erased_is_not_found_again(api: APIClient, owner: User) -> None:
    memory = make_memory(owner)
    assert erase(api, memory) == 204
    assert erase(api, memory) == 404
    assert api.get(f"/api/v1/memories/{memory.pk}").status_code == 404


def test_erasing_twice_is_harmless(owner: User) -> None:
    memory = make_memory(owner, audio=b"RIFF")
    privacy.erase(memory)
    privacy.erase(memory)


def test_audio_that_is_gone_already_does_not_keep_the_row(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, audio=b"RIFF")
    memory.audio.storage.delete(memory.audio.name or "")
    assert erase(api, memory) == 204


def test_while_the_storage_is_away_the_row_stays_to_be_erased_again(owner: User, settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "memories.tests.test_api_erase.BrokenStorage",
            "OPTIONS": settings.STORAGES["default"]["OPTIONS"],
        }
    }
    memory = make_memory(owner, audio=b"RIFF")
    with pytest.raises(StorageUnavailable):
        privacy.erase(memory)
    assert Memory.objects.filter(pk=memory.pk).exists()


def test_a_worker_brings_nothing_back(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED, audio=b"RIFF")
    run = leases.claim(memory.pk, worker="w").run
    assert run is not None
    assert erase(api, memory) == 204
    with pytest.raises(LeaseLost):
        run.finish_transcription(TranscriptResult("Hello.", "en", tuple(make_segments("Hello.")), "m"))
    assert not any(rows().values()), rows()
