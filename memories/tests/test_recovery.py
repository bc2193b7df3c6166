"""What fell comes back: reprocess, requeue, the sweep, dead messages, and what lies about in the storage."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone

from memories import doorbell, housekeeping, leases, ports, recovery
from memories.errors import AudioExpired, MemoryBusy, NotAudio, NothingToAnalyze, QueueUnavailable
from memories.models import Attempt, Chunk, DeadLetter, DeviceToken, Memory, Stage, Status, Transcript
from memories.queues.base import DeadMessage
from memories.tests.fakes import FakeQueue

pytestmark = pytest.mark.django_db


@pytest.fixture
def memory(owner: User) -> Memory:
    return Memory.objects.create(owner=owner, audio="audio/x.wav")


@pytest.fixture
def queue(settings: Any) -> FakeQueue:
    settings.MEMORIES_QUEUE = {"BACKEND": "memories.tests.fakes.FakeQueue"}
    return cast(FakeQueue, ports.queue())


def failed(memory: Memory) -> DeadLetter:
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.give_up(NotAudio())
    return memory.dead_letters.get()


def test_a_failed_memory_is_reprocessed_as_new_and_its_dead_letter_is_resolved(
    memory: Memory, django_capture_on_commit_callbacks: Any
) -> None:
    letter = failed(memory)
    with django_capture_on_commit_callbacks(execute=True):
        again = recovery.reprocess(memory.pk, stage=Stage.TRANSCRIPTION)
    assert (again.status, again.attempts, again.error_code) == (Status.QUEUED, 0, "")
    letter.refresh_from_db()
    assert letter.resolution == "reprocessed"
    memory.refresh_from_db()
    assert memory.enqueued_at


def test_a_requeued_dead_letter_goes_on_from_its_checkpoints(memory: Memory) -> None:
    letter = failed(memory)
    Chunk.objects.create(memory=memory, start=0, end=1, result={})
    recovery.requeue(letter.pk)
    assert memory.chunks.count() == 1
    letter.refresh_from_db()
    assert letter.resolution == "requeued"


def test_a_dead_letter_is_requeued_once(memory: Memory) -> None:
    letter = failed(memory)
    recovery.requeue(letter.pk)
    with pytest.raises(DeadLetter.DoesNotExist):
        recovery.requeue(letter.pk)


def test_a_dead_letter_without_a_memory_cannot_be_requeued() -> None:
    letter = DeadLetter.objects.create(code="delivery_failed", body="garbage")
    with pytest.raises(Memory.DoesNotExist):
        recovery.requeue(letter.pk)


def test_a_memory_at_work_is_not_reprocessed(memory: Memory) -> None:
    leases.claim(memory.pk, worker="w")
    with pytest.raises(MemoryBusy):
        recovery.reprocess(memory.pk, stage=Stage.TRANSCRIPTION)


def test_a_memory_whose_worker_died_is_reprocessed_without_waiting_for_the_sweep(memory: Memory) -> None:
    leases.claim(memory.pk, worker="w")
    Memory.objects.update(lease_expires_at=timezone.now())
    recovery.reprocess(memory.pk, stage=Stage.TRANSCRIPTION)
    assert Attempt.objects.get().outcome == "lost"


def test_reprocessing_keeps_what_is_there_until_it_is_replaced(memory: Memory) -> None:
    Transcript.objects.create(memory=memory, text="Words.", segments=[])
    Memory.objects.update(status=Status.READY, title="A title")
    again = recovery.reprocess(memory.pk, stage=Stage.TRANSCRIPTION)
    assert (again.title, again.transcript.text) == ("A title", "Words.")


def test_without_audio_there_is_nothing_to_transcribe(memory: Memory) -> None:
    Memory.objects.update(audio="", status=Status.READY)
    with pytest.raises(AudioExpired):
        recovery.reprocess(memory.pk, stage=Stage.TRANSCRIPTION)


def test_without_words_there_is_nothing_to_analyze(memory: Memory) -> None:
    with pytest.raises(NothingToAnalyze):
        recovery.reprocess(memory.pk, stage=Stage.ANALYSIS)


def test_the_sweep_takes_back_a_lease_that_ran_out(memory: Memory, queue: FakeQueue) -> None:
    leases.claim(memory.pk, worker="w")
    Memory.objects.update(lease_expires_at=timezone.now())
    report = recovery.sweep()
    memory.refresh_from_db()
    assert (report.taken_back, report.rung, memory.status) == (1, 1, Status.QUEUED)
    assert queue.rung == [memory.pk]
    assert Attempt.objects.get().outcome == "lost"


def test_the_sweep_gives_up_a_memory_whose_worker_died_at_each_attempt(memory: Memory) -> None:
    leases.claim(memory.pk, worker="w")
    Memory.objects.update(lease_expires_at=timezone.now(), attempts=3)
    assert recovery.sweep().given_up == 1
    memory.refresh_from_db()
    assert memory.status == Status.FAILED
    assert memory.dead_letters.get().code == "worker_lost"


def test_the_sweep_leaves_a_live_worker_alone(memory: Memory) -> None:
    leases.claim(memory.pk, worker="w")
    assert recovery.sweep() == recovery.SweepReport(0, 0, 0, 0)


def test_the_sweep_rings_for_a_row_that_the_queue_never_heard_of(memory: Memory, queue: FakeQueue) -> None:
    assert recovery.sweep().rung == 1
    assert queue.rung == [memory.pk]
    assert recovery.sweep().rung == 0


def test_the_sweep_rings_again_when_nobody_came(memory: Memory, queue: FakeQueue) -> None:
    Memory.objects.update(enqueued_at=timezone.now() - timedelta(minutes=6))
    assert recovery.sweep().rung == 1


def test_the_sweep_does_not_ring_before_the_next_attempt_is_due(memory: Memory, queue: FakeQueue) -> None:
    Memory.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=1))
    assert recovery.sweep().rung == 0


def test_a_queue_that_is_away_loses_no_ring(memory: Memory, queue: FakeQueue) -> None:
    queue.away = True
    assert doorbell.ring(memory.pk) is False
    memory.refresh_from_db()
    assert memory.enqueued_at is None
    queue.away = False
    assert recovery.sweep().rung == 1


def dead(memory_id: uuid.UUID | None, body: str = "{}") -> DeadMessage:
    return DeadMessage(body=body, memory_id=memory_id, reason="Received 3 times.", receipt=None)


def test_a_dead_message_fails_its_memory_and_is_kept_verbatim(memory: Memory, queue: FakeQueue) -> None:
    queue.dead.append(dead(memory.pk, body='{"memory_id": "…"}'))
    assert recovery.sweep().dead_letters == 1
    memory.refresh_from_db()
    assert (memory.status, memory.error_code) == (Status.FAILED, "delivery_failed")
    assert memory.dead_letters.get().body == '{"memory_id": "…"}'
    assert queue.dead == []


@pytest.mark.parametrize("memory_id", [None, uuid.uuid4()])
def test_a_dead_message_that_names_no_memory_of_ours_is_kept_for_staff(
    queue: FakeQueue, memory_id: uuid.UUID | None
) -> None:
    queue.dead.append(dead(memory_id, body="garbage"))
    recovery.sweep()
    letter = DeadLetter.objects.get()
    assert (letter.memory, letter.body) == (None, "garbage")


def test_a_dead_message_of_a_finished_memory_changes_nothing(memory: Memory, queue: FakeQueue) -> None:
    Memory.objects.update(status=Status.READY)
    queue.dead.append(dead(memory.pk))
    recovery.sweep()
    memory.refresh_from_db()
    assert memory.status == Status.READY
    assert not DeadLetter.objects.exists()


def test_a_dead_message_does_not_fail_a_memory_that_a_live_worker_has(memory: Memory, queue: FakeQueue) -> None:
    leases.claim(memory.pk, worker="w")
    queue.dead.append(dead(memory.pk))
    recovery.sweep()
    memory.refresh_from_db()
    assert memory.status == Status.TRANSCRIBING


def test_a_dead_message_does_not_fail_a_memory_that_a_worker_has_had(memory: Memory, queue: FakeQueue) -> None:
    Memory.objects.update(attempts=1)
    queue.dead.append(dead(memory.pk))
    recovery.sweep()
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED


def test_a_queue_of_dead_messages_that_is_away_keeps_nothing_else_from_being_found(
    memory: Memory, settings: Any
) -> None:
    settings.MEMORIES_QUEUE = {"BACKEND": "memories.tests.test_recovery.WithoutDeadLetters"}
    leases.claim(memory.pk, worker="dies")
    Memory.objects.update(lease_expires_at=timezone.now())
    with pytest.raises(QueueUnavailable):
        recovery.sweep()
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED
    assert memory.enqueued_at


class WithoutDeadLetters(FakeQueue):
    def dead_letters(self) -> Iterator[DeadMessage]:
        raise QueueUnavailable


def test_a_dead_message_does_not_fail_a_memory_that_waits_for_its_time(memory: Memory, queue: FakeQueue) -> None:
    Memory.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))
    queue.dead.append(dead(memory.pk))
    recovery.sweep()
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED
    assert queue.dead == []


def stored(name: str, *, days_old: float = 0) -> Path:
    path = Path(default_storage.path(default_storage.save(name, ContentFile(b"sound"))))
    os.utime(path, (time.time() - days_old * 24 * 3600,) * 2)
    return path


def test_an_object_without_a_row_is_deleted_once_it_is_old_enough(memory: Memory) -> None:
    Memory.objects.update(audio="audio/2026/01/01/known.wav")
    known = stored("audio/2026/01/01/known.wav", days_old=8)
    orphan = stored("audio/2026/01/01/orphan.wav", days_old=8)
    young = stored("audio/2026/01/01/young.wav")  # its row may be about to be written
    assert housekeeping.tidy().orphans == 1
    assert known.exists()
    assert young.exists()
    assert not orphan.exists()


def test_a_folder_that_belongs_to_another_database_is_left_alone(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [stored(f"audio/2026/01/01/{number}.wav", days_old=8) for number in range(11)]
    assert housekeeping.tidy().orphans == 0
    assert all(path.exists() for path in paths)
    assert "is this their database?" in caplog.text


def test_audio_past_its_retention_is_deleted_and_the_memory_stays(memory: Memory, settings: Any) -> None:
    path = stored("audio/2026/01/01/old.wav")
    old = timezone.now() - timedelta(days=settings.AUDIO_RETENTION_DAYS + 1)
    Memory.objects.update(audio="audio/2026/01/01/old.wav", status=Status.READY, created_at=old)
    assert housekeeping.tidy().expired_audio == 1
    assert not path.exists()
    memory.refresh_from_db()
    assert not memory.audio


class Stubborn(FileSystemStorage):
    """Cannot delete one of its files, and has lost sight of another that it still lists."""

    def delete(self, name: str) -> None:
        if "stubborn" in name:
            raise PermissionError("Operation not permitted")
        super().delete(name)

    def get_modified_time(self, name: str) -> datetime:
        if "vanished" in name:
            raise FileNotFoundError(name)
        return super().get_modified_time(name)


def test_one_file_that_cannot_be_deleted_keeps_none_of_the_others(
    memory: Memory, owner: User, settings: Any, tmp_path: Path
) -> None:
    backend = {"BACKEND": f"{__name__}.Stubborn", "OPTIONS": {"location": tmp_path / "audio"}}
    settings.STORAGES = settings.STORAGES | {"default": backend}
    old = timezone.now() - timedelta(days=settings.AUDIO_RETENTION_DAYS + 1)
    for name in ("stubborn", "old"):
        audio = f"audio/2026/01/01/{name}.wav"
        stored(audio)
        Memory.objects.create(owner=owner, audio=audio, status=Status.READY, created_at=old)
    stored("audio/2026/01/02/vanished.wav", days_old=8)
    orphan = stored("audio/2026/01/02/orphan.wav", days_old=8)
    report = housekeeping.tidy()
    assert (report.expired_audio, report.orphans) == (1, 1)
    assert not orphan.exists()


def test_audio_of_a_memory_that_is_not_finished_does_not_expire(memory: Memory) -> None:
    path = stored("audio/2026/01/01/old.wav")
    old = timezone.now() - timedelta(days=400)
    Memory.objects.update(audio="audio/2026/01/01/old.wav", created_at=old)
    assert housekeeping.tidy().expired_audio == 0
    assert path.exists()


def test_what_a_killed_process_left_is_deleted_and_what_is_at_work_stays(settings: Any) -> None:
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    long_ago = (time.time() - 2 * 3600,) * 2
    for name in ("old.upload.wav", "new.upload.wav", "work-old/sound.wav", "work-busy/sound.wav"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"sound")
    for name in ("old.upload.wav", "work-old/sound.wav", "work-old", "work-busy"):
        os.utime(folder / name, long_ago)
    assert housekeeping.tidy().leftovers == 2
    assert sorted(path.name for path in folder.iterdir()) == ["new.upload.wav", "work-busy"]


def test_expired_tokens_are_deleted(owner: User) -> None:
    DeviceToken.objects.create(owner, expiry=timedelta(days=-1))
    DeviceToken.objects.create(owner)
    assert housekeeping.tidy().expired_tokens == 1
    assert DeviceToken.objects.count() == 1
