"""What a worker does with one memory: claim -> transcribe -> checkpoint -> analyze -> save."""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, cast

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from memories import audio, evidence, leases, logs, ports
from memories.errors import (
    AudioExpired,
    AudioMissing,
    DatabaseUnavailable,
    Interrupted,
    LeaseLost,
    MemoriesError,
    StorageFull,
    StorageUnavailable,
)
from memories.leases import Answer, Run
from memories.models import Stage, Transcript
from memories.queues.base import Queue
from memories.storage import is_disk_full
from memories.transcripts import in_recording_time, join
from memories.types import Clip, TranscriptResult

CONTEXT = 200  # characters of the chunk before, given to the transcriber for continuity
WORKSPACE = "work-"  # a killed worker leaves one, with the sound in it: housekeeping deletes it
DECODING = 0.05  # of the progress bar
MAX_RETRY_SECONDS = 3600.0

logger = logging.getLogger(__name__)
StopSign = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Disposition:
    """What is to become of the message: acknowledge it, or deliver it again in `delay` seconds."""

    acknowledge: bool
    delay: float = 0.0


def process_next(queue: Queue, *, worker: str, should_stop: StopSign, wait: float = 0) -> bool:
    """Receive one message and do what it rings for; False when none came."""
    message = queue.receive(wait)
    if message is None:
        return False
    disposition = process_memory(message.memory_id, worker=worker, should_stop=should_stop)
    if disposition.acknowledge:
        queue.ack(message)
    else:
        queue.release(message, disposition.delay)
    return True


def process_memory(memory_id: uuid.UUID, *, worker: str, should_stop: StopSign = lambda: False) -> Disposition:
    """Bring one memory as far as it goes: to its end, to another attempt, or back to the queue when told to stop."""
    claim = leases.claim(memory_id, worker=worker)
    if claim.run is None:
        return Disposition(claim.answer is not Answer.BUSY, claim.wait)
    run = claim.run
    with logs.job(memory_id, run.attempt.number):
        try:
            if run.stage is Stage.TRANSCRIPTION:
                transcribe(run, should_stop)
            if run.stage is Stage.ANALYSIS:
                analyze(run)
        except Exception as error:
            return settle(run, error)
        logger.info("Done: %s", run.memory.status)
        return Disposition(acknowledge=True)


def transcribe(run: Run, should_stop: StopSign) -> None:
    """Sound to words, chunk by chunk; what an earlier attempt has saved is not asked for again."""
    if run.memory.edited("transcript"):  # a person's words stand: nothing to be had from the sound
        run.finish_transcription(Transcript.objects.get(memory=run.memory).as_result())
        return
    with TemporaryDirectory(prefix=WORKSPACE, dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        sound = normalized_audio(run, Path(folder), should_stop)
        cuts = audio.split(sound, max_seconds=ports.transcriber().limits.max_seconds)
        saved = run.chunks()
        results: list[TranscriptResult] = []
        for cut in cuts:
            result = saved.get((cut.start, cut.end))
            if result is None:
                clip = audio.clip(sound, cut, Path(folder) / "clip.wav")
                result = transcribe_chunk(run, clip, results, total=sound.seconds, should_stop=should_stop)
                run.keep_chunk(cut.start, cut.end, result)
            results.append(result)
    run.finish_transcription(join(results))


def normalized_audio(run: Run, folder: Path, should_stop: StopSign) -> audio.NormalizedAudio:
    """The recording as a transcriber wants it, in this folder; what is known of it now is saved."""
    memory = run.memory
    if not memory.audio:
        raise AudioExpired

    def on_progress(fraction: float) -> None:
        if should_stop():
            raise Interrupted
        run.report(fraction * DECODING)

    try:
        with memory.audio.open("rb") as file:
            sound = audio.normalize(
                cast(BinaryIO, file),
                folder / "sound.wav",
                max_seconds=settings.MEMORIES_MAX_AUDIO_HOURS * 3600,
                on_progress=on_progress,
            )
    except FileNotFoundError as error:
        raise AudioMissing from error
    run.describe_audio(seconds=sound.seconds, damage=sound.damage)
    return sound


def transcribe_chunk(
    run: Run, clip: Clip, before: list[TranscriptResult], *, total: float, should_stop: StopSign
) -> TranscriptResult:
    """One paid call; its times come back as seconds from the beginning of the recording."""

    def on_progress(fraction: float) -> None:
        if should_stop():
            raise Interrupted
        run.report(DECODING + (1 - DECODING) * (clip.start + fraction * clip.seconds) / total)

    on_progress(0.0)
    result = ports.transcriber().transcribe(
        clip,
        language=run.memory.language or None,
        prompt=before[-1].text[-CONTEXT:] if before else "",
        on_progress=on_progress,
    )
    return in_recording_time(result, clip)


def analyze(run: Run) -> None:
    """Words to findings; only what the words bear out is saved."""
    words = Transcript.objects.get(memory=run.memory).as_result()
    found = ports.analyzer().analyze(words, recorded_at=run.memory.recorded_at)
    run.finish_analysis(evidence.verified(found, words))


def settle(run: Run, error: Exception) -> Disposition:
    """An attempt went wrong: hand the memory back, plan another attempt, or give it up."""
    try:
        if isinstance(error, Interrupted):
            run.hand_back()
            return Disposition(acknowledge=False)
        if isinstance(error, LeaseLost):
            logger.warning("The lease was lost: another worker has this memory, or it was erased.")
            return Disposition(acknowledge=False, delay=settings.MEMORIES_RETRY_SECONDS)
        known = known_error(error)
        if known.permanent or run.memory.attempts >= settings.MEMORIES_MAX_ATTEMPTS:
            logger.warning("Given up: %s", known.code)
            run.give_up(known)
            return Disposition(acknowledge=True)
        delay = known.retry_after or backoff(run.memory.attempts)
        logger.warning("To be tried again in %.0f s: %s", delay, known.code)
        run.retry(known, delay=delay)
        return Disposition(acknowledge=False, delay=delay)
    except LeaseLost:
        return Disposition(acknowledge=False, delay=settings.MEMORIES_RETRY_SECONDS)
    except (DatabaseError, InterfaceError):
        # The row cannot be told, so its lease will run out and the memory be claimed again: nothing is lost.
        logger.exception("The database is away; the lease of this memory will run out.")
        return Disposition(acknowledge=False, delay=settings.MEMORIES_LEASE_SECONDS)


def known_error(error: Exception) -> MemoriesError:
    """The error of our tree that says the same; what we did not foresee is logged, and tried again."""
    if isinstance(error, MemoriesError):
        return error
    if isinstance(error, (DatabaseError, InterfaceError)):
        return DatabaseUnavailable()
    if isinstance(error, OSError):
        return StorageFull() if is_disk_full(error) else StorageUnavailable()
    logger.error("An error that nobody foresaw", exc_info=error)
    return MemoriesError()


def backoff(attempts: int) -> float:
    """Seconds before the next attempt: four times longer each time, with jitter so that not all come back at once."""
    seconds: float = settings.MEMORIES_RETRY_SECONDS * 4.0 ** (attempts - 1)
    return min(MAX_RETRY_SECONDS, seconds) * random.uniform(0.8, 1.2)  # noqa: S311 (no secret)
