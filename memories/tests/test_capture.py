"""Accepting a recording: what is refused, what is kept, and what is left behind when something breaks half way."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import InMemoryStorage, default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.utils import timezone

from memories import capture, housekeeping, leases, ports, recall
from memories.capture import Accepted, harmless_filename
from memories.errors import (
    DatabaseUnavailable,
    EmptyUpload,
    IdempotencyConflict,
    MemoriesError,
    NotAudio,
    QuotaExceeded,
    StorageFull,
    StorageUnavailable,
    TooManyUploads,
)
from memories.models import Memory, Status
from memories.storage import DurableFileSystemStorage
from memories.tests.factories import make_memory, make_user
from memories.tests.fakes import FakeQueue
from memories.tests.speech import wav

pytestmark = pytest.mark.django_db(transaction=True)  # the ring follows the commit

SOUND = wav((0.2, True))


def found(owner: User, query: str) -> list[Memory]:
    return list(recall.timeline(owner, recall.Filters(q=query)))


class FullStorage(DurableFileSystemStorage):
    """A disk on which half of the file fits."""

    def _save(self, name: str, content: Any) -> str:
        path = Path(self.path(name))
        path.parent.mkdir(parents=True)
        path.write_bytes(content.read()[: content.size // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


class AwayStorage(InMemoryStorage):
    def _save(self, name: str, content: Any) -> str:
        raise OSError(errno.EIO, "Input/output error")


class BrokenQueue(FakeQueue):
    def enqueue(self, memory_id: UUID, delay: float = 0) -> None:
        raise ConnectionError("not one of ours")


class DatabaseThatBreaks:
    """For connection.execute_wrapper: statements from the first INSERT into our table on are lost, so many of them."""

    def __init__(self, times: int) -> None:
        self.left, self.begun = times, False

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.begun = self.begun or sql.startswith('INSERT INTO "memories_memory"')
        if not self.begun or not self.left:
            return execute(sql, params, many, context)
        self.left -= 1
        raise OperationalError("server closed the connection unexpectedly")


def accept(owner: User, content: bytes = SOUND, name: str = "note.wav", **fields: Any) -> Accepted:
    upload = SimpleUploadedFile(name, content, content_type="text/plain")
    return capture.accept(owner=owner, audio=upload, sha256=hashlib.sha256(content).hexdigest(), **fields)


def objects() -> list[str]:
    folder = Path(default_storage.path(""))
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def use_storage(settings: Any, cls: type, tmp_path: Path) -> None:
    options = {"location": tmp_path / "audio"}
    backend = {"BACKEND": f"{__name__}.{cls.__name__}", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"default": backend}


# --- what is kept --------------------------------------------------------------------------------------------------


def test_a_recording_is_kept_as_it_came_and_waits_for_a_worker(owner: User) -> None:
    before = timezone.now()
    accepted = accept(owner, name="Maria's note.wav")
    memory = Memory.objects.get()
    assert accepted.created
    assert accepted.memory == memory
    assert memory.status == Status.QUEUED
    with memory.audio.open("rb") as file:
        assert file.read() == SOUND
    assert memory.audio_size == len(SOUND)
    assert memory.audio_sha256 == hashlib.sha256(SOUND).hexdigest()
    assert memory.audio_filename == "Maria's note.wav"
    assert memory.audio_content_type.startswith("audio/")  # by content: the client said text/plain
    assert before <= memory.recorded_at == memory.created_at
    assert (memory.title, memory.language, memory.edited_fields) == ("", "", [])


def test_a_recording_is_found_by_its_title_before_it_is_transcribed_and_when_that_fails(owner: User) -> None:
    memory = accept(owner, title="The lighthouse").memory
    accept(owner, content=SOUND + SOUND)
    assert found(owner, "lighthouse") == [memory]
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.give_up(NotAudio())
    assert found(owner, "lighthouse") == [memory]


def test_the_key_of_the_object_holds_nothing_that_the_person_wrote(owner: User) -> None:
    memory = accept(owner, name="secret name.secret").memory
    assert objects() == [f"audio/{memory.created_at:%Y/%m/%d}/{memory.pk}.wav"] == [memory.audio.name]


def test_what_the_person_says_about_it_stands(owner: User) -> None:
    recorded_at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    accept(owner, recorded_at=recorded_at, language="es", title="La abuela")
    memory = Memory.objects.get()
    assert (memory.recorded_at, memory.language, memory.title) == (recorded_at, "es", "La abuela")
    assert memory.edited_fields == ["title"]  # an analyzer does not write over it


def test_the_queue_is_rung_once_the_row_is_there_and_the_row_says_so(owner: User, settings: Any) -> None:
    settings.MEMORIES_QUEUE = {"BACKEND": "memories.tests.fakes.FakeQueue"}
    memory = accept(owner).memory
    queue = ports.queue()
    assert isinstance(queue, FakeQueue)
    assert queue.rung == [memory.pk]
    assert Memory.objects.get().enqueued_at is not None


@pytest.mark.parametrize("broken", [False, True])
def test_a_queue_that_is_away_fails_nobody_and_is_left_to_the_sweep(owner: User, settings: Any, broken: bool) -> None:
    settings.MEMORIES_QUEUE = {"BACKEND": f"{__name__}.BrokenQueue" if broken else "memories.tests.fakes.FakeQueue"}
    queue = ports.queue()
    assert isinstance(queue, FakeQueue)
    queue.away = True
    assert accept(owner).created
    assert Memory.objects.get().enqueued_at is None


def test_the_log_says_that_it_was_accepted_and_nothing_that_is_private(
    owner: User, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="memories"):
        memory = accept(owner, name="to my doctor.wav", title="My illness").memory
    assert str(memory.pk) in caplog.text
    assert str(len(SOUND)) in caplog.text
    assert "doctor" not in caplog.text
    assert "illness" not in caplog.text


# --- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content", "error"), [(b"", EmptyUpload), (b"Dear diary", NotAudio)])
def test_what_is_no_recording_leaves_nothing(owner: User, content: bytes, error: type[MemoriesError]) -> None:
    with pytest.raises(error):
        accept(owner, content)
    assert not Memory.objects.exists()
    assert objects() == []


def test_so_many_recordings_an_hour_and_no_more(owner: User, settings: Any) -> None:
    settings.MEMORIES_UPLOADS_PER_HOUR = 2
    first = accept(owner).memory
    accept(owner)
    Memory.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(minutes=50))
    with pytest.raises(TooManyUploads) as refused:
        accept(owner)
    assert refused.value.retry_after is not None
    assert 590 < refused.value.retry_after <= 600  # when the oldest is an hour old
    assert accept(make_user()).created
    Memory.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(hours=1, seconds=1))
    assert accept(owner).created


def test_so_many_bytes_and_no_more(owner: User, settings: Any) -> None:
    settings.MEMORIES_QUOTA_GB = 2.5 * len(SOUND) / 1024**3
    accept(owner)
    accept(owner)
    with pytest.raises(QuotaExceeded):
        accept(owner)
    assert accept(make_user()).created
    assert len(objects()) == 3


def test_audio_that_was_deleted_at_the_end_of_its_time_counts_no_more(owner: User, settings: Any) -> None:
    settings.MEMORIES_QUOTA_GB = 1 / 1024
    make_memory(owner, audio_size=10**9)  # the row remembers its size; there is no audio any more
    assert accept(owner).created


# --- the same request again ----------------------------------------------------------------------------------------


def test_the_same_key_and_content_give_the_same_memory(owner: User) -> None:
    first = accept(owner, idempotency_key="k", title="A", recorded_at=datetime(2026, 5, 1, 12, tzinfo=UTC))
    zone = timezone.get_fixed_timezone(120)
    again = accept(owner, idempotency_key="k", title="A", recorded_at=datetime(2026, 5, 1, 14, tzinfo=zone))
    assert (first.created, again.created) == (True, False)
    assert first.memory == again.memory
    assert len(objects()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"content": wav((0.3, True))},
        {"title": "B"},
        {"language": "es"},
        {"recorded_at": datetime(2026, 5, 1, tzinfo=UTC)},
    ],
)
def test_the_same_key_with_other_content_is_a_conflict(owner: User, other: dict[str, Any]) -> None:
    accept(owner, idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        accept(owner, idempotency_key="k", **other)
    assert Memory.objects.count() == len(objects()) == 1


def test_a_repeated_request_is_answered_even_where_a_new_one_would_be_refused(owner: User, settings: Any) -> None:
    accept(owner, idempotency_key="k")
    settings.MEMORIES_UPLOADS_PER_HOUR = 1
    settings.MEMORIES_QUOTA_GB = 0.0
    assert not accept(owner, idempotency_key="k").created


def test_keys_belong_to_their_user(owner: User) -> None:
    assert accept(owner, idempotency_key="k").created
    assert accept(make_user(), idempotency_key="k").created


def test_without_a_key_each_request_is_a_new_memory(owner: User) -> None:
    assert accept(owner).memory != accept(owner).memory


def test_who_loses_the_race_gets_the_memory_of_the_winner_and_leaves_no_object(owner: User) -> None:
    overtaken: list[Accepted] = []
    turns = iter(["the winner's turn"])

    def overtake(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if "SUM(" in sql and next(turns, None):  # the loser is past its look for an earlier request
            overtaken.append(accept(owner, idempotency_key="k"))
        return execute(sql, *rest)

    with connection.execute_wrapper(overtake):
        loser = accept(owner, idempotency_key="k")
    assert not loser.created
    assert [loser.memory] == [winner.memory for winner in overtaken]
    assert objects() == [loser.memory.audio.name]


# --- what breaks half way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("storage", "error"), [(FullStorage, StorageFull), (AwayStorage, StorageUnavailable)])
def test_a_storage_that_cannot_take_it_is_named_and_nothing_is_left(
    owner: User, settings: Any, tmp_path: Path, storage: type, error: type[MemoriesError]
) -> None:
    use_storage(settings, storage, tmp_path)
    with pytest.raises(error):
        accept(owner)
    assert not Memory.objects.exists()
    assert [path for path in (tmp_path / "audio").rglob("*") if path.is_file()] == []


def test_a_database_that_goes_away_before_the_row_leaves_no_object(owner: User) -> None:
    with connection.execute_wrapper(DatabaseThatBreaks(times=1)), pytest.raises(DatabaseUnavailable):
        accept(owner)
    assert not Memory.objects.exists()
    assert objects() == []


def test_while_nobody_can_say_whether_the_row_is_there_its_audio_stays_and_the_sweep_finds_out(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.execute_wrapper(DatabaseThatBreaks(times=2)), pytest.raises(DatabaseUnavailable):
        accept(owner)
    assert len(objects()) == 1
    monkeypatch.setattr(housekeeping, "ORPHAN_AGE", timedelta(seconds=-1))
    assert housekeeping.delete_orphans(default_storage) == 1
    assert objects() == []


# --- file names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        ("note.m4a", "note.m4a"),
        ("Grüße an Oma 👵.m4a", "Grüße an Oma 👵.m4a"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\note.wav", "note.wav"),
        ("a\x00b\nc\x1b[31m.mp3", "abc[31m.mp3"),
        ("note\u202e3pm.exe", "note3pm.exe"),
        ("  .wav ", ".wav"),
        ("", ""),
        ("x" * 10_000 + ".flac", "x" * 250 + ".flac"),
        ("a." + "y" * 10_000, "a." + "y" * 253),
    ],
)
def test_a_file_name_is_made_harmless(name: str, harmless: str) -> None:
    assert harmless_filename(name) == harmless
