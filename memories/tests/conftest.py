"""What every test gets: its own storage, ports that are fakes, and no throttle left over from the test before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.base import ContentFile

from memories import ports
from memories.models import Memory
from memories.tests.aws import aws, aws_server  # noqa: F401 (fixtures)
from memories.tests.fakes import FakeAnalyzer, FakeTranscriber
from memories.tests.jobs import Recorded
from memories.tests.openai_stub import openai_stub  # noqa: F401 (a fixture)
from memories.tests.s3_gate import s3  # noqa: F401 (a fixture)
from memories.tests.speech import wav

SAMPLES = Path(__file__).parent / "samples"


SERVERS = {"aws_server", "redis_server", "openai_stub"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What speaks to a server is `wire`, whether it says so or not."""
    for item in items:
        if not SERVERS.isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.wire)


@pytest.fixture(autouse=True)
def _own_surroundings(settings: Any, tmp_path: Path) -> Iterator[None]:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    settings.FILE_UPLOAD_TEMP_DIR = incoming
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "memories.storage.DurableFileSystemStorage",
            "OPTIONS": {"location": tmp_path / "audio"},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEMORIES_QUEUE = {"BACKEND": "memories.queues.database.DatabaseQueue"}
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.FakeTranscriber"}
    settings.MEMORIES_ANALYZER = {"BACKEND": "memories.tests.fakes.FakeAnalyzer"}
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def owner(db: None) -> User:
    return get_user_model().objects.create_user("ada", password="a long enough secret")


@pytest.fixture
def recorded(owner: User) -> Recorded:
    """Makes a queued memory with this sound."""

    def make(sound: bytes = wav((2.0, True)), **fields: Any) -> Memory:
        memory = Memory(owner=owner, audio_size=len(sound), **fields)
        memory.audio.save("note.wav", ContentFile(sound), save=False)
        memory.save()
        return memory

    return make


@pytest.fixture
def transcriber() -> FakeTranscriber:
    """The transcriber that processing uses in this test."""
    return cast(FakeTranscriber, ports.transcriber())


@pytest.fixture
def analyzer() -> FakeAnalyzer:
    """The analyzer that processing uses in this test."""
    return cast(FakeAnalyzer, ports.analyzer())
