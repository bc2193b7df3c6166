"""Who may work on a memory: the claim, and the run that follows from it.

A claim is one conditional UPDATE that sets a fresh lease token; each later write of that run is conditional on the same
token (fencing, as in https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html). So a worker that was
too slow, and whose memory went to another worker, was erased or was requeued, can change nothing: it gets LeaseLost.
"""

from __future__ import annotations

import enum
import logging
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import wraps
from time import monotonic, sleep
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.utils import timezone

from memories import events, insights, search
from memories.database import AWAY, can_do_without
from memories.errors import LeaseLost, MemoriesError, WorkerLost
from memories.models import (
    FINISHED,
    GIVEN_UP,
    WORKING,
    Attempt,
    Chunk,
    DeadLetter,
    Memory,
    MemoryQuerySet,
    Stage,
    Status,
    Transcript,
    segments_as_json,
)
from memories.types import AnalysisResult, Segment, TranscriptResult, Usage

logger = logging.getLogger(__name__)
Saving = ParamSpec("Saving")

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds between tries to save what was paid for
REPORT_EVERY = 0.5  # seconds between two writes of the progress
_RELEASED: dict[str, Any] = {"lease_token": None, "lease_expires_at": None, "hidden_until": None, "progress": 0}


class Answer(enum.Enum):
    CLAIMED = "claimed"
    DONE = "done"  # nothing to do: acknowledge the message
    BUSY = "busy"  # held by another worker, who may die: do not acknowledge
    WAITS = "waits"  # not due yet: acknowledge, since the row says when it is
    GONE = "gone"  # erased: acknowledge


@dataclass(frozen=True, slots=True)
class Claim:
    answer: Answer
    run: Run | None = None  # with CLAIMED
    wait: float = 0.0  # with BUSY: seconds until it makes sense to ask again


def insistent(save: Callable[Concatenate[Run, Saving], None]) -> Callable[Concatenate[Run, Saving], None]:
    """What is saved here was paid for: a database that is away for a moment is waited for, a minute at most."""

    @wraps(save)
    def insist(run: Run, *args: Saving.args, **kwargs: Saving.kwargs) -> None:
        for pause in (0.0, *PAUSES):
            try:
                if pause:
                    sleep(pause)
                    run.attempt.refresh_from_db()  # what the try before noted on it was rolled back
                return save(run, *args, **kwargs)
            except AWAY:
                if connection.in_atomic_block or pause == PAUSES[-1]:
                    raise
                logger.warning("The database is away; what was paid for will be saved when it is back.")
                connection.close()
        raise AssertionError("not reached")

    return insist  # type: ignore[return-value]  # for mypy, wraps() names the first parameter


def claim(memory_id: uuid.UUID, *, worker: str) -> Claim:
    """Take the memory, if it is due and nobody holds it."""
    now, token = timezone.now(), uuid.uuid4()
    row = Memory.objects.filter(pk=memory_id).due(now)
    with transaction.atomic():
        # due() lets through only what TRANSITIONS lets go to work: queued rows, and rows at work whose lease ran out.
        taken = row.filter(attempts__lt=settings.MEMORIES_MAX_ATTEMPTS).touch(
            status=Case(*(When(stage=stage, then=Value(status)) for stage, status in WORKING.items())),
            lease_token=token,
            lease_expires_at=now + timedelta(seconds=settings.MEMORIES_LEASE_SECONDS),
            attempts=F("attempts") + 1,
            next_attempt_at=None,
            hidden_until=None,  # from here on the lease says how long others keep away
            progress=0,
            error_code="",
            error_detail="",
        )
        if taken:
            return Claim(Answer.CLAIMED, _open_run(memory_id, token, worker))
    # Asked anew, not concluded: between the two statements another worker may have handed the memory back.
    give_up(row.filter(attempts__gte=settings.MEMORIES_MAX_ATTEMPTS), WorkerLost())
    return _refused(memory_id, now)


def _open_run(memory_id: uuid.UUID, token: uuid.UUID, worker: str) -> Run:
    memory = Memory.objects.get(pk=memory_id)
    close_lost_attempts(memory_id)
    events.announce(memory_id)
    attempt = Attempt.objects.create(
        memory=memory, stage=memory.stage, number=memory.attempts, worker=worker, lease_token=token
    )
    return Run(memory, attempt)


def _refused(memory_id: uuid.UUID, now: datetime) -> Claim:
    memory = Memory.objects.filter(pk=memory_id).first()
    if memory is None:
        return Claim(Answer.GONE)
    if memory.status in FINISHED:
        return Claim(Answer.DONE)
    if memory.status == Status.QUEUED and memory.next_attempt_at and memory.next_attempt_at > now:
        return Claim(Answer.WAITS)
    until = memory.lease_expires_at or now
    return Claim(Answer.BUSY, wait=max(0.0, (until - now).total_seconds()))


def close_lost_attempts(memory_id: uuid.UUID) -> None:
    """Attempts of workers that were not heard of again."""
    Attempt.objects.filter(memory=memory_id, outcome=Attempt.Outcome.RUNNING).update(
        outcome=Attempt.Outcome.LOST, ended_at=timezone.now(), error_code=WorkerLost.code
    )


def give_up(rows: MemoryQuerySet, error: MemoriesError, *, body: str = "") -> int:
    """End these unfinished memories where their stage ends when it fails, each with a dead letter for staff."""
    given_up = 0
    with transaction.atomic():
        for memory in rows.select_for_update(of=("self",)):
            given_up += 1
            end = GIVEN_UP[Stage(memory.stage)]
            Memory.objects.filter(pk=memory.pk).move(
                end, error_code=error.code, error_detail=error.detail, next_attempt_at=None, **_RELEASED
            )
            close_lost_attempts(memory.pk)
            events.announce(memory.pk)
            DeadLetter.objects.create(
                memory=memory, stage=memory.stage, code=error.code, detail=error.detail, body=body
            )
    return given_up


@dataclass
class Run:
    """One claim of one memory: the right to write to it, until somebody else has it. Any write may raise LeaseLost."""

    memory: Memory
    attempt: Attempt
    _reported_at: float = field(default=0.0, repr=False)
    _percent: int = field(default=-1, repr=False)

    @property
    def stage(self) -> Stage:
        return Stage(self.memory.stage)

    def report(self, fraction: float) -> None:
        """Say how far the stage is (0.0 to 1.0), which also keeps the lease. Cheap to call often."""
        percent, since = min(100, max(0, int(fraction * 100))), monotonic() - self._reported_at
        if since < (REPORT_EVERY if percent != self._percent else settings.MEMORIES_LEASE_SECONDS / 4):
            return
        self._reported_at, self._percent = monotonic(), percent
        with can_do_without("no progress is reported; the lease has room for that, and the work goes on."):
            self._write(progress=percent)

    def describe_audio(self, *, seconds: float, damage: str | None) -> None:
        self._write(duration_seconds=seconds, audio_damage=damage or "")

    def chunks(self, model: str) -> dict[tuple[float, float], TranscriptResult]:
        """This model's checkpoints, by the cut in seconds."""
        saved = {(c.start, c.end): _result_from_json(c.result) for c in Chunk.objects.filter(memory=self.memory)}
        return {cut: result for cut, result in saved.items() if result.model == model}

    @insistent
    def keep_chunk(self, start: float, end: float, result: TranscriptResult) -> None:
        with transaction.atomic():
            self._write()
            content = _result_as_json(result)
            cut = Chunk.objects.filter(memory=self.memory, start=start, end=end)
            if cut.filter(result=content).exists():
                return  # this is the second try of a save whose answer was lost
            cut.delete()  # of another model
            Chunk.objects.create(memory=self.memory, start=start, end=end, result=content)
            self._book(result.usage, result.model)

    @insistent
    def finish_transcription(self, result: TranscriptResult) -> None:
        """Save the transcript; the memory goes on to the analysis, or ends where nobody spoke."""
        with transaction.atomic():
            if result.text:
                self._move(
                    Status.ANALYZING,
                    stage=Stage.ANALYSIS,
                    attempts=1,
                    progress=0,
                    lease_expires_at=self._lease_end(),
                    edition=F("edition") + 1,
                )
            else:
                self._move(Status.NO_SPEECH, edition=F("edition") + 1, **_RELEASED)
            if not self.memory.edited("transcript"):
                transcript = self._save_transcript(result)
                insights.prune(self.memory, transcript)
            Chunk.objects.filter(memory=self.memory).delete()
            search.index(self.memory)
            self._close(Attempt.Outcome.SUCCEEDED)
            analysis = self._open_analysis() if result.text else self.attempt
        self.attempt = analysis

    @insistent
    def finish_analysis(self, result: AnalysisResult) -> None:
        with transaction.atomic():
            self._move(Status.READY, edition=F("edition") + 1, **_RELEASED)
            insights.replace(self.memory, result)
            # A person may have changed the words while the analyzer read the old ones.
            insights.prune(self.memory, Transcript.objects.get(memory=self.memory))
            search.index(self.memory)
            self._book(result.usage, result.model)
            self._close(Attempt.Outcome.SUCCEEDED)

    def retry(self, error: MemoriesError, *, delay: float) -> None:
        """Back to the queue for another attempt, in `delay` seconds."""
        self._wait(Attempt.Outcome.RETRIED, error, delay)

    def postpone(self, error: MemoriesError, *, delay: float) -> None:
        """Back to the queue for `delay` seconds, for a reason that is not this memory's: costs no attempt."""
        self._wait(Attempt.Outcome.POSTPONED, error, delay, attempts=F("attempts") - 1)

    def give_up(self, error: MemoriesError) -> None:
        """No further attempt: the stage's bad end, and a dead letter."""
        with transaction.atomic():
            self._write()
            self._close(Attempt.Outcome.FAILED, error)
            give_up(self._row(), error)

    def hand_back(self) -> None:
        """Stop here and let another worker go on, as if this attempt had not been."""
        with transaction.atomic():
            self._move(Status.QUEUED, attempts=F("attempts") - 1, **_RELEASED)
            self._close(Attempt.Outcome.HANDED_BACK)

    def _row(self) -> MemoryQuerySet:
        return Memory.objects.filter(pk=self.memory.pk, lease_token=self.attempt.lease_token)

    def _lease_end(self) -> datetime:
        return timezone.now() + timedelta(seconds=settings.MEMORIES_LEASE_SECONDS)

    def _write(self, **fields: Any) -> None:
        """Change the row if it is still ours, and keep the lease."""
        if not self._row().touch(lease_expires_at=self._lease_end(), **fields):
            raise LeaseLost
        self.memory.refresh_from_db()
        events.announce(self.memory.pk)

    def _move(self, to: Status, **fields: Any) -> None:
        if not self._row().move(to, **fields):
            raise LeaseLost
        self.memory.refresh_from_db()  # what a person changed meanwhile is seen, and from here on the row is locked
        events.announce(self.memory.pk)

    def _wait(self, outcome: Attempt.Outcome, error: MemoriesError, delay: float, **fields: Any) -> None:
        with transaction.atomic():
            self._move(
                Status.QUEUED,
                error_code=error.code,
                error_detail=error.detail,
                next_attempt_at=timezone.now() + timedelta(seconds=delay),
                **_RELEASED,
                **fields,
            )
            self._close(outcome, error)

    def _save_transcript(self, result: TranscriptResult) -> Transcript:
        transcript, _ = Transcript.objects.update_or_create(
            memory=self.memory,
            defaults={
                "text": result.text,
                "language": result.language or "",
                "segments": segments_as_json(result.segments),
                "model": result.model,
                "created_at": timezone.now(),
            },
        )
        return transcript

    def _open_analysis(self) -> Attempt:
        return Attempt.objects.create(
            memory=self.memory,
            stage=Stage.ANALYSIS,
            number=self.memory.attempts,
            worker=self.attempt.worker,
            lease_token=self.attempt.lease_token,
        )

    def _book(self, usage: Usage, model: str = "") -> None:
        """Add what a call consumed to this attempt."""
        attempt = self.attempt
        attempt.model = model or attempt.model
        attempt.audio_seconds = _sum(attempt.audio_seconds, usage.seconds)
        attempt.input_tokens = _sum(attempt.input_tokens, usage.input_tokens)
        attempt.output_tokens = _sum(attempt.output_tokens, usage.output_tokens)
        attempt.cost_usd = _sum(attempt.cost_usd, usage.cost_usd)
        attempt.save(update_fields=["model", "audio_seconds", "input_tokens", "output_tokens", "cost_usd"])

    def _close(self, outcome: Attempt.Outcome, error: MemoriesError | None = None) -> None:
        attempt = self.attempt
        attempt.outcome, attempt.ended_at = outcome, timezone.now()
        if error:
            attempt.error_code, attempt.error_detail = error.code, error.detail
        if error and error.usage:
            self._book(error.usage)
        attempt.save(update_fields=["outcome", "ended_at", "error_code", "error_detail"])


def _sum(booked: Any, more: Any) -> Any:
    return booked if more is None else more if booked is None else booked + more


def _result_as_json(result: TranscriptResult) -> dict[str, Any]:
    return {
        "text": result.text,
        "language": result.language,
        "segments": [asdict(segment) for segment in result.segments],
        "model": result.model,
    }


def _result_from_json(data: dict[str, Any]) -> TranscriptResult:
    """A checkpoint's usage is booked already: it comes back without."""
    segments = tuple(Segment(**segment) for segment in data["segments"])
    return TranscriptResult(data["text"], data["language"], segments, data["model"])
