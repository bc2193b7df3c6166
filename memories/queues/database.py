"""The Memory table as the queue: for one machine, and for several workers on one PostgreSQL."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from memories.models import Memory, MemoryQuerySet
from memories.queues.base import DeadMessage, Message, Queue


class DatabaseQueue(Queue):
    """A due row is a message; `hidden_until` is its visibility time-out. What is done is not due: the claim says so.

    `visibility` (seconds) only has to cover the time from a receive to its claim; `poll` is the pause between looks.
    """

    def __init__(self, visibility: float = 30.0, poll: float = 0.5) -> None:
        self.visibility = visibility
        self.poll = poll

    def enqueue(self, memory_id: uuid.UUID, delay: float = 0) -> None:
        until = timezone.now() + timedelta(seconds=delay) if delay else None
        Memory.objects.filter(pk=memory_id).update(hidden_until=until)

    def receive(self, wait: float = 0) -> Message | None:
        deadline = time.monotonic() + wait
        while (message := self._take()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            time.sleep(min(self.poll, left))
        return message

    def _take(self) -> Message | None:
        now = timezone.now()
        hidden_until = now + timedelta(seconds=self.visibility)
        with transaction.atomic():
            rows = self._visible()
            if connection.features.has_select_for_update_skip_locked:
                rows = rows.select_for_update(skip_locked=True, of=("self",))
            # On SQLite the transaction is IMMEDIATE: nobody else writes between the look and the UPDATE.
            # Whoever has waited longest goes first: a retry since it is due, all else since it came.
            waiting_since = Coalesce("next_attempt_at", "created_at")
            first = rows.order_by(waiting_since, "created_at").values("pk", "attempts").first()
            if first is None:
                return None
            Memory.objects.filter(pk=first["pk"]).update(hidden_until=hidden_until)
        return Message(first["pk"], receipt=hidden_until, receive_count=first["attempts"] + 1)

    def ack(self, message: Message) -> None:
        """Nothing to delete: a finished row is not due, and an unfinished one must be delivered again."""
        self._hide_until(message, None)

    def release(self, message: Message, delay: float = 0) -> None:
        self._hide_until(message, timezone.now() + timedelta(seconds=delay) if delay else None)

    def _hide_until(self, message: Message, until: object) -> None:
        # Only if this delivery is still the latest one: its receipt is the time-out that it set.
        Memory.objects.filter(pk=message.memory_id, hidden_until=message.receipt).update(hidden_until=until)

    def dead_letters(self) -> Iterator[DeadMessage]:
        """None: a row whose attempts are spent is given up on where it is claimed or swept."""
        yield from ()

    def discard(self, dead: DeadMessage) -> None:
        raise NotImplementedError("The table queue holds no dead messages.")

    def depth(self) -> int:
        return self._visible().count()

    def _visible(self) -> MemoryQuerySet:
        now = timezone.now()
        return Memory.objects.due(now).filter(Q(hidden_until__isnull=True) | Q(hidden_until__lte=now))
