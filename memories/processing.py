"""What a worker does with one memory: claim -> transcribe -> checkpoint -> analyze -> save."""

from __future__ import annotations

import enum
import logging
import random
import uuid
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from memories import evidence, leases, logs, ports, spending
from memories.analyzers.base import Analyzer
from memories.database import drop_lost_connection
from memories.doorbell import ring
from memories.errors import (
    DatabaseUnavailable,
    Interrupted,
    LeaseLost,
    MemoriesError,
    StorageFull,
    StorageUnavailable,
    Waiting,
)
from memories.leases import Answer, Run
from memories.models import Stage, Transcript
from memories.queues.base import Queue
from memories.storage import is_disk_full
from memories.transcription import BEAT, StopSign, transcribe
from memories.types import AnalysisResult, TranscriptResult

MAX_RETRY_SECONDS = 3600.0

logger = logging.getLogger(__name__)


class Next(enum.Enum):
    """What is to become of a message."""

    DONE = "done"  # nothing more to do: acknowledge
    AGAIN = "again"  # the row waits for a later attempt: ring for it, then acknowledge
    BUSY = "busy"  # somebody else has the memory, and may die: do not acknowledge


@dataclass(frozen=True, slots=True)
class Disposition:
    next: Next
    delay: float = 0.0  # seconds until it makes sense to deliver again


def process_next(queue: Queue, *, worker: str, should_stop: StopSign, wait: float = 0) -> bool:
    """Receive one message and do what it rings for; False when none came."""
    message = queue.receive(wait)
    if message is None:
        return False

    def stop_sign() -> bool:
        queue.keep(message)  # asked all along: a good moment to say that we are still at work
        return should_stop()

    disposition = process_memory(message.memory_id, worker=worker, should_stop=stop_sign)
    if dealt_with(message.memory_id, disposition):
        queue.ack(message)
    else:
        queue.release(message, disposition.delay)
    return True


def dealt_with(memory_id: uuid.UUID, disposition: Disposition) -> bool:
    """Whether the message may go. A new one rings for the row where that waits, so that this one counts as no failure:
    a queue that counts deliveries gives up only on what kills its workers."""
    if disposition.next is Next.AGAIN:
        return ring(memory_id, disposition.delay)
    return disposition.next is Next.DONE


def process_memory(memory_id: uuid.UUID, *, worker: str, should_stop: StopSign = lambda: False) -> Disposition:
    """Bring one memory as far as it goes: to its end, to another attempt, or back to the queue when told to stop."""
    claim = leases.claim(memory_id, worker=worker)
    if claim.run is None:
        return Disposition(Next.BUSY if claim.answer is Answer.BUSY else Next.DONE, claim.wait)
    run = claim.run
    with logs.job(memory_id, run.attempt.number):
        try:
            if run.stage is Stage.TRANSCRIPTION:
                transcribe(run, should_stop)
            if run.stage is Stage.ANALYSIS:
                analyze(run, should_stop)
        except Exception as error:
            return settle(run, error)
        logger.info("Done: %s", run.memory.status)
        return Disposition(Next.DONE)


def analyze(run: Run, should_stop: StopSign) -> None:
    """Words to findings; only what the words bear out is saved."""
    analyzer = ports.analyzer()
    words = Transcript.objects.get(memory=run.memory).as_result()

    def on_progress(fraction: float) -> None:
        if should_stop():
            raise Interrupted
        run.report(fraction)

    on_progress(0.0)
    if analyzer.paid:
        found = _paid_analysis(run, analyzer, words, should_stop)
    else:
        found = analyzer.analyze(words, recorded_at=run.memory.recorded_locally, on_progress=on_progress)
    run.finish_analysis(evidence.verified(found, words))


def _paid_analysis(run: Run, analyzer: Analyzer, words: TranscriptResult, should_stop: StopSign) -> AnalysisResult:
    """In a thread of its own, while this one says that we are alive. Once begun it is brought to its end: it may take
    several calls, and nothing is saved between them."""
    spending.check(Stage.ANALYSIS)
    reached = [0.0]
    recorded_at = run.memory.recorded_locally

    def call() -> AnalysisResult:
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(analyzer.analyze, words, recorded_at=recorded_at, on_progress=reached.append)
            while not wait([future], timeout=BEAT).done:
                should_stop()  # asked for the sake of the message, which stays hidden while somebody asks
                run.report(reached[-1])
            return future.result()

    return spending.pay(Stage.ANALYSIS, run.memory.owner_id, analyzer.estimate(words), call)


def settle(run: Run, error: Exception) -> Disposition:
    """An attempt went wrong: hand the memory back, plan another attempt, or give it up."""
    drop_lost_connection()  # the error may have been the connection's
    try:
        if isinstance(error, Interrupted):
            run.hand_back()
            return Disposition(Next.AGAIN)
        if isinstance(error, LeaseLost):
            logger.warning("The lease was lost: another worker has this memory, or it was erased.")
            return Disposition(Next.BUSY, settings.MEMORIES_RETRY_SECONDS)
        return _settle_known(run, known_error(error))
    except LeaseLost:
        return Disposition(Next.BUSY, settings.MEMORIES_RETRY_SECONDS)
    except (DatabaseError, InterfaceError):
        # The row cannot be told, so its lease will run out and the memory be claimed again: nothing is lost.
        logger.exception("The database is away; the lease of this memory will run out.")
        return Disposition(Next.BUSY, settings.MEMORIES_LEASE_SECONDS)


def _settle_known(run: Run, error: MemoriesError) -> Disposition:
    if isinstance(error, Waiting):
        delay = error.retry_after or spread(spending.WAIT)
        logger.warning("Waits %.0f s: %s", delay, error.code)
        run.postpone(error, delay=delay)
        return Disposition(Next.AGAIN, delay)
    if error.permanent or run.memory.attempts >= settings.MEMORIES_MAX_ATTEMPTS:
        logger.warning("Given up: %s", error.code)
        run.give_up(error)
        return Disposition(Next.DONE)
    delay = spread(error.retry_after or backoff(run.memory.attempts))
    logger.warning("To be tried again in %.0f s: %s", delay, error.code)
    run.retry(error, delay=delay)
    return Disposition(Next.AGAIN, delay)


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
    """Seconds before the next attempt: four times longer each time."""
    seconds: float = settings.MEMORIES_RETRY_SECONDS * 4.0 ** (attempts - 1)
    return min(MAX_RETRY_SECONDS, seconds)


def spread(seconds: float) -> float:
    """So long at least, and not all at the same moment."""
    return seconds * random.uniform(1.0, 1.3)  # noqa: S311 (no secret)
