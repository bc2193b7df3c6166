"""Rows for tests, made straight through the ORM: `make_memory(owner, transcript="Hello.", tags=["home"])`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.utils import timezone
from rest_framework.test import APIClient

from memories import insights, search
from memories.models import DeviceToken, Memory, Stage, Status, Tag, Transcript, segments_as_json
from memories.types import Segment

_numbers = itertools.count(1)


def make_user(username: str = "", **fields: Any) -> User:
    user: User = get_user_model().objects.create_user(
        username or f"user{next(_numbers)}", password="a password", **fields
    )
    return user


def make_client(user: User) -> APIClient:
    """An API client that sends a real token, so that its queries count."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {DeviceToken.objects.create(user=user)[1]}")
    return client


def make_segments(*texts: str, seconds: float = 5.0) -> list[Segment]:
    return [Segment(i, text, start=i * seconds, end=(i + 1) * seconds) for i, text in enumerate(texts)]


def make_memory(
    owner: User | None = None,
    *,
    status: Status = Status.READY,
    transcript: str | Sequence[Segment] | None = None,
    language: str = "en",
    tags: Iterable[str] = (),
    people: Iterable[str] = (),
    places: Iterable[str] = (),
    audio: bytes = b"",
    recorded_at: datetime | None = None,
    **fields: Any,
) -> Memory:
    """A memory, of a new user unless `owner` is given. A text is one segment of 5 s; findings quote themselves."""
    memory = Memory.objects.create(
        owner=owner or make_user(),
        status=status,
        stage=fields.pop("stage", Stage.TRANSCRIPTION if transcript is None else Stage.ANALYSIS),
        recorded_at=recorded_at or timezone.now(),
        **{"audio_filename": "note.wav", "audio_content_type": "audio/wav", "audio_size": len(audio), **fields},
    )
    if audio:
        memory.audio.save("note.wav", ContentFile(audio))
    if transcript is not None:
        _transcribe(memory, transcript, language)
    for kind, names in ((Tag.Kind.TAG, tags), (Tag.Kind.PERSON, people), (Tag.Kind.PLACE, places)):
        insights.attach(memory, kind, [(name, {"segment_ids": [0], "quote": name}) for name in names])
    search.index(memory)
    return memory


def _transcribe(memory: Memory, said: str | Sequence[Segment], language: str) -> None:
    segments = make_segments(said) if isinstance(said, str) else said
    Transcript.objects.create(
        memory=memory,
        text=" ".join(segment.text for segment in segments),
        language=language,
        segments=segments_as_json(segments),
        model="test-model",
    )
