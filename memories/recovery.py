"""What fell, and how it comes back: reprocess, requeue, dead letters, and the sweep of jobs."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from memories import events, leases, ports, spending
from memories.doorbell import ring
from memories.errors import AudioExpired, DeliveryFailed, MemoryBusy, NothingToAnalyze, WorkerLost
from memories.models import RUNNING, UNFINISHED, DeadLetter, Memory, Stage, Status, Transcript
from memories.queues.base import DeadMessage

RING_AGAIN = timedelta(minutes=5)  # a queued row that was rung for, and that nobody came for
RING_BATCH = 1000  # in one sweep; the next one goes on

logger = logging.getLogger(__name__)

_AS_NEW: dict[str, Any] = {
    "attempts": 0,
    "progress": 0,
    "next_attempt_at": None,
    "enqueued_at": None,
    "hidden_until": None,
    "lease_token": None,
    "lease_expires_at": None,
    "error_code": "",
    "error_detail": "",
}


def reprocess(
    memory_id: uuid.UUID,
    *,
    stage: Stage,
    resolution: DeadLetter.Resolution = DeadLetter.Resolution.REPROCESSED,
) -> Memory:
    """Queue a memory again from this stage. What it holds stays until it is replaced; what a person changed, for good.

    Raises Memory.DoesNotExist, MemoryBusy, AudioExpired or NothingToAnalyze.
    """
    with transaction.atomic():
        memory = Memory.objects.select_for_update(of=("self",)).get(pk=memory_id)
        check_reprocessable(memory, stage)
        Memory.objects.filter(pk=memory_id).move(Status.QUEUED, stage=stage, **_AS_NEW)
        leases.close_lost_attempts(memory_id)
        memory.dead_letters.resolve(resolution)
        events.announce(memory_id)
        transaction.on_commit(lambda: ring(memory_id))
    memory.refresh_from_db()
    return memory


def has_words(memory: str = "pk") -> Exists:
    """For `annotate`: whether there is something to analyze; `memory` names the field that leads to the memory."""
    return Exists(Transcript.objects.filter(memory=OuterRef(memory)).exclude(text=""))


def check_reprocessable(memory: Memory, stage: Stage, *, words: bool | None = None) -> None:
    """Raise what speaks against it: MemoryBusy, AudioExpired, NothingToAnalyze. `words`: whether it has any, where
    that was asked for many at once."""
    held = memory.status in RUNNING and memory.lease_expires_at and memory.lease_expires_at > timezone.now()
    if held:
        raise MemoryBusy
    if stage is Stage.TRANSCRIPTION and not memory.audio:
        raise AudioExpired
    if stage is Stage.ANALYSIS:
        if words is None:
            words = Transcript.objects.filter(memory=memory).exclude(text="").exists()
        if not words:
            raise NothingToAnalyze


def requeue(dead_letter_id: int) -> Memory:
    """Try a dead letter's memory again from where it failed; its checkpoints count. Raises as `reprocess` does.

    DeadLetter.DoesNotExist: it is resolved already. A dead letter without a memory (a malformed message) raises
    Memory.DoesNotExist: there is nothing to try again.
    """
    with transaction.atomic():
        letter = DeadLetter.objects.unresolved().select_for_update(of=("self",)).get(pk=dead_letter_id)
        if letter.memory is None:
            raise Memory.DoesNotExist
        return reprocess(letter.memory.pk, stage=Stage(letter.memory.stage), resolution=DeadLetter.Resolution.REQUEUED)


@dataclass(frozen=True, slots=True)
class SweepReport:
    """What a sweep did, in memories (or messages)."""

    taken_back: int  # lease ran out: queued again
    given_up: int  # lease ran out at the last attempt
    rung: int  # queued, and the queue did not know
    dead_letters: int  # messages that the queue gave up on


def sweep() -> SweepReport:
    """Find what would otherwise wait for a human. Cheap; several at once do no harm.

    Dead letters come last: a queue of them that cannot be read (QueueUnavailable) keeps nothing else from being found.
    """
    taken_back, given_up = take_back_lost_leases()
    spending.probe_when_due()
    rung = ring_again()
    return SweepReport(taken_back, given_up, rung, record_dead_letters())


def take_back_lost_leases() -> tuple[int, int]:
    """Memories whose worker was not heard of: (queued again, given up)."""
    lost = Memory.objects.lease_expired(timezone.now())
    given_up = leases.give_up(lost.filter(attempts__gte=settings.MEMORIES_MAX_ATTEMPTS), WorkerLost())
    taken_back = 0
    for memory_id in lost.values_list("pk", flat=True):
        with transaction.atomic():
            row = Memory.objects.filter(pk=memory_id).lease_expired(timezone.now())
            if row.move(Status.QUEUED, lease_token=None, lease_expires_at=None, enqueued_at=None, hidden_until=None):
                leases.close_lost_attempts(memory_id)
                events.announce(memory_id)
                taken_back += 1
    return taken_back, given_up


def ring_again() -> int:
    """Ring for queued rows that the queue may not know of: the row is the outbox."""
    now = timezone.now()
    unknown = Q(enqueued_at__isnull=True) | Q(enqueued_at__lte=now - RING_AGAIN)
    waiting = Memory.objects.filter(unknown, status=Status.QUEUED).due(now)
    oldest = waiting.order_by(F("enqueued_at").asc(nulls_first=True)).values_list("pk", flat=True)
    return sum(ring(memory_id) for memory_id in oldest[:RING_BATCH])


def record_dead_letters() -> int:
    """Turn messages that the queue gave up on into dead letters for staff; only then are they deleted there."""
    queue, count = ports.queue(), 0
    for dead in queue.dead_letters():
        record_dead_letter(dead)
        queue.discard(dead)
        count += 1
    return count


def record_dead_letter(dead: DeadMessage) -> None:
    """A dead message as a row. Its memory fails, unless it is finished, or its row is alive: a worker has it or has had
    it (its own count of attempts says when it is enough), or it waits for its time. The sweep rings for such anew."""
    error = DeliveryFailed(dead.reason)
    rows = Memory.objects.filter(pk__in=[dead.memory_id] if dead.memory_id else [])
    now = timezone.now()
    alive = (
        Q(status__in=RUNNING, lease_expires_at__gt=now)
        | Q(status=Status.QUEUED, attempts__gt=0)
        | Q(status=Status.QUEUED, next_attempt_at__gt=now)
    )
    if leases.give_up(rows.filter(status__in=UNFINISHED).exclude(alive), error, body=dead.body):
        return
    if not rows.exists():  # malformed, or erased since
        DeadLetter.objects.create(code=error.code, detail=error.detail, body=dead.body)
