"""Waiting for a memory to change, without a database connection for each who waits.

One watcher thread a process asks for all awaited memories in one query. It starts with the first waiter and ends with
the last.
"""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass, field

from django.conf import settings
from django.db import Error, connection

from memories.models import Memory

logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Waiter:
    memory_id: uuid.UUID
    seen: str  # the status that the waiter knows
    changed: threading.Event = field(default_factory=threading.Event)


class Watcher:
    def __init__(self, *, poll_seconds: float = 0.25) -> None:
        self._poll_seconds = poll_seconds
        self._lock = threading.Lock()
        self._waiters: set[_Waiter] = set()
        self._thread: threading.Thread | None = None

    def wait(self, memory_id: uuid.UUID, *, seen: str, seconds: float) -> bool:
        """Until the memory's status is not the one that was seen, or it is gone; False when time ran out first.

        Also False, at once, when MEMORIES_MAX_WAITERS wait already: whoever polls faster is served all the same.
        """
        waiter = _Waiter(memory_id, seen)
        if not self._join(waiter):
            return False
        if not connection.in_atomic_block:
            connection.close()  # nobody sits on a connection while nothing happens; the next query opens one
        try:
            return waiter.changed.wait(seconds)
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _join(self, waiter: _Waiter) -> bool:
        with self._lock:
            if len(self._waiters) >= settings.MEMORIES_MAX_WAITERS:
                return False
            self._waiters.add(waiter)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="memories-watcher", daemon=True)
                self._thread.start()
            return True

    def _watch(self) -> None:
        pause = threading.Event()  # never set: a sleep
        try:
            while waiters := self._current():
                self._tell(waiters)
                pause.wait(self._poll_seconds)
        finally:
            connection.close()

    def _current(self) -> list[_Waiter]:
        with self._lock:
            if not self._waiters:
                self._thread = None  # under the lock: whoever joins from here on starts another
            return list(self._waiters)

    def _tell(self, waiters: list[_Waiter]) -> None:
        try:
            now = self.look({waiter.memory_id for waiter in waiters})
        except Error as error:  # the database went away: it may be back at the next look
            logger.warning("Cannot look for what is waited for: %s", error)
            connection.close()
            return
        for waiter in waiters:
            if now.get(waiter.memory_id) != waiter.seen:
                waiter.changed.set()

    def look(self, ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
        """The status of each, in one query; those that are gone are not in it."""
        return dict(Memory.objects.filter(pk__in=ids).values_list("pk", "status"))


watcher = Watcher()
