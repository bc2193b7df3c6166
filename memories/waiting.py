"""Waiting for a memory to change, without a database connection for each who waits, and with a bound on how many do.

One watcher thread a process asks for all awaited memories in one query. It starts with the first waiter and ends with
the last.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from django.conf import settings
from django.db import Error, connection

from memories.models import Memory

logger = logging.getLogger(__name__)


class Seats:
    """The requests of this process that wait for something, MEMORIES_MAX_WAITERS at most: each sits on one of the
    server's threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken: Counter[Hashable] = Counter()
        self.server_stops: Callable[[], bool] = lambda: False  # gunicorn.conf.py knows better

    def take(self, holder: Hashable, *, share: float = 1.0, each: int | None = None) -> bool:
        """False where this share of all seats is taken, or so many by this holder."""
        with self._lock:
            if self._taken.total() >= settings.MEMORIES_MAX_WAITERS * share:
                return False
            if each is not None and self._taken[holder] >= each:
                return False
            self._taken[holder] += 1
            return True

    def leave(self, holder: Hashable) -> None:
        with self._lock:
            self._taken -= Counter([holder])


seats = Seats()


def leave_database() -> None:
    """Nobody sits on a connection while nothing happens; the next query opens one."""
    if not connection.in_atomic_block:
        connection.close()


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

        Also False, at once, when all seats are taken: whoever polls faster is served all the same.
        """
        if not seats.take(self):
            return False
        waiter = _Waiter(memory_id, seen)
        try:
            self._join(waiter)
            leave_database()
            return waiter.changed.wait(seconds)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
            seats.leave(self)

    def _join(self, waiter: _Waiter) -> None:
        with self._lock:
            self._waiters.add(waiter)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._watch, name="memories-watcher", daemon=True)
                self._thread.start()

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
