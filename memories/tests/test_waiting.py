"""Waiting for a change: one look for all, no connection for each."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from memories.models import Memory, Status
from memories.tests.factories import make_memory
from memories.waiting import Watcher

pytestmark = pytest.mark.django_db(transaction=True)
LONG = 30.0  # seconds: only a test that fails waits for them


class WatchedWatcher(Watcher):
    """Keeps what each look cost and for whom; fails when told to."""

    def __init__(self) -> None:
        super().__init__(poll_seconds=0.02)
        self.looks: list[tuple[set[uuid.UUID], int]] = []
        self.errors: list[Exception] = []

    def look(self, ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
        if self.errors:
            raise self.errors.pop()
        with CaptureQueriesContext(connection) as queries:
            found = super().look(ids)
        self.looks.append((ids, len(queries)))
        return found


@pytest.fixture
def watcher() -> Iterator[WatchedWatcher]:
    watcher = WatchedWatcher()
    yield watcher
    until(lambda: watcher._thread is None)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=20) as pool:
        yield pool


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, "It did not come to pass."
        time.sleep(0.01)


def change(memory: Memory, **fields: Any) -> None:
    """Shared in-memory SQLite refuses a write while somebody reads, instead of waiting: try again, as it would."""

    def tried() -> bool:
        try:
            return bool(Memory.objects.filter(pk=memory.pk).touch(**fields))
        except OperationalError:
            return False

    until(tried)


def waiting(pool: ThreadPoolExecutor, watcher: WatchedWatcher, *memories: Memory) -> list[Future[bool]]:
    """A thread that waits for each memory, once the watcher looks for all of them."""

    def wait(memory: Memory) -> bool:
        try:
            return watcher.wait(memory.pk, seen=Status(memory.status), seconds=LONG)
        finally:
            connection.close()

    futures = [pool.submit(wait, memory) for memory in memories]
    until(lambda: any(len(ids) == len(memories) for ids, _ in watcher.looks))
    return futures


def test_a_waiter_is_told_when_the_status_changes(watcher: WatchedWatcher, threads: ThreadPoolExecutor) -> None:
    memory = make_memory(status=Status.QUEUED)
    (waiter,) = waiting(threads, watcher, memory)
    change(memory, status=Status.TRANSCRIBING)
    assert waiter.result(LONG) is True


def test_a_waiter_is_told_when_the_memory_is_erased(watcher: WatchedWatcher, threads: ThreadPoolExecutor) -> None:
    memory = make_memory(status=Status.QUEUED)
    (waiter,) = waiting(threads, watcher, memory)

    def erased() -> bool:
        try:
            return bool(Memory.objects.filter(pk=memory.pk).delete())
        except OperationalError:
            return False

    until(erased)
    assert waiter.result(LONG) is True


def test_a_change_before_the_first_look_is_not_missed(watcher: WatchedWatcher) -> None:
    memory = make_memory(status=Status.READY)
    assert watcher.wait(memory.pk, seen=Status.QUEUED, seconds=LONG) is True


def test_progress_alone_wakes_nobody(watcher: WatchedWatcher) -> None:
    memory = make_memory(status=Status.TRANSCRIBING)
    change(memory, progress=50)
    assert watcher.wait(memory.pk, seen=Status.TRANSCRIBING, seconds=0.3) is False


def test_twenty_waiters_cost_one_query_a_look(watcher: WatchedWatcher, threads: ThreadPoolExecutor) -> None:
    memories = [make_memory(status=Status.QUEUED) for _ in range(20)]
    waiters = waiting(threads, watcher, *memories)
    assert {cost for _, cost in watcher.looks} == {1}
    for memory in memories:
        change(memory, status=Status.READY)
    assert all(waiter.result(LONG) for waiter in waiters)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="counts the connections of a server")
def test_waiters_hold_no_connection(watcher: WatchedWatcher, threads: ThreadPoolExecutor) -> None:
    memories = [make_memory(status=Status.QUEUED) for _ in range(20)]
    waiters = waiting(threads, watcher, *memories)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        assert cursor.fetchone()[0] <= 2  # this test's, and the watcher's
    for memory in memories:
        change(memory, status=Status.READY)
    assert all(waiter.result(LONG) for waiter in waiters)


def test_beyond_the_bound_nobody_waits(watcher: WatchedWatcher, settings: Any) -> None:
    settings.MEMORIES_MAX_WAITERS = 0
    assert watcher.wait(make_memory(status=Status.QUEUED).pk, seen=Status.QUEUED, seconds=LONG) is False
    assert watcher.looks == []


def test_the_watcher_ends_with_the_last_waiter_and_starts_again_with_the_next(watcher: WatchedWatcher) -> None:
    memory = make_memory(status=Status.READY)
    for _ in range(2):
        assert watcher.wait(memory.pk, seen=Status.QUEUED, seconds=LONG) is True
        until(lambda: not any(thread.name == "memories-watcher" for thread in threading.enumerate()))


def test_a_database_that_goes_away_and_comes_back_costs_nobody_the_answer(watcher: WatchedWatcher) -> None:
    watcher.errors = [OperationalError("gone"), OperationalError("still gone")]
    memory = make_memory(status=Status.READY)
    assert watcher.wait(memory.pk, seen=Status.QUEUED, seconds=LONG) is True
    assert watcher.errors == []
