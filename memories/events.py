"""Changes of memories, told to their owners as they happen: one Redis stream for each person, where REDIS_ENABLED.

An event says how a memory stands, never what is in it. Events are hints, and the rows are the truth: Redis may fail at
any time and nobody's work fails with it. Who may have missed something gets a `reset`, which says: read once.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from memories.errors import EventsUnavailable
from memories.models import Memory

if TYPE_CHECKING:
    from redis import Redis

CHANGED, ERASED, RESET = "memory", "erased", "reset"
_ANCHOR = "anchor"  # an entry for a listener's place in the stream to begin at: nothing to be told

MAX_ENTRIES = 1000  # of one stream, about
KEEP_SECONDS = 3600  # a stream lives on for so long after its last event or listener
PATIENCE = 0.25  # seconds for a connection, and for one answer to those who have other work to do
LONGEST_WAIT = 5.0  # seconds for one answer to a listener
QUIET_SECONDS = 5.0  # between two tries to reach a Redis that is away
BATCH = 100  # events that a listener takes at once
_ENTRY_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    id: str  # of the stream's entry: a listener can go on after it
    name: str  # CHANGED, ERASED or RESET
    data: str  # JSON


def announce(memory_id: uuid.UUID) -> None:
    """Tell the owner how the memory stands, once what was written is committed. Never fails."""
    if settings.REDIS_ENABLED:
        transaction.on_commit(lambda: _announce(memory_id), robust=True)


def announce_erased(memory: Memory) -> None:
    """The same for a memory whose row goes."""
    if settings.REDIS_ENABLED:
        owner_id, data = memory.owner_id, {"id": str(memory.pk)}
        transaction.on_commit(lambda: announcer.send(owner_id, ERASED, data), robust=True)


def _announce(memory_id: uuid.UUID) -> None:
    memory = Memory.objects.filter(pk=memory_id).only("owner_id", "status", "progress", "version").first()
    if memory:
        fields = {"status": memory.status, "progress": memory.percent, "version": memory.version}
        announcer.send(memory.owner_id, CHANGED, {"id": str(memory.pk), **fields})


class Announcer:
    """Writes to the streams. While Redis is away it does not try, and keeps in mind who misses something."""

    def __init__(self, *, quiet_seconds: float = QUIET_SECONDS) -> None:
        self._quiet_seconds = quiet_seconds
        self._lock = threading.Lock()
        self._away = False
        self._missed: set[int] = set()  # owners

    def send(self, owner_id: int, name: str, data: dict[str, Any]) -> None:
        """Never fails, and takes two steps of PATIENCE at most."""
        if self._note_missed(owner_id, only_if_away=True):
            return
        try:
            _append(_writer(settings.REDIS_URL), owner_id, name, data)
        except EventsUnavailable as error:
            self._note_missed(owner_id)
            self._go_quiet(error)

    def _note_missed(self, owner_id: int, *, only_if_away: bool = False) -> bool:
        with self._lock:
            if only_if_away and not self._away:
                return False
            self._missed.add(owner_id)
            return True

    def _go_quiet(self, error: EventsUnavailable) -> None:
        with self._lock:
            if self._away:
                return
            self._away = True
        # The text of some errors has the address in it, and that a password.
        logger.warning("Redis is away, and clients must poll: %s", type(error.__cause__).__name__)
        threading.Thread(target=self._wait_for_redis, name="memories-events", daemon=True).start()

    def _wait_for_redis(self) -> None:
        pause = threading.Event()  # never set: a sleep
        while self._away:
            pause.wait(self._quiet_seconds)
            with self._lock:
                missed, self._missed = self._missed, set()
            try:
                for owner_id in missed:
                    _append(_writer(settings.REDIS_URL), owner_id, RESET, {})
            except EventsUnavailable:
                with self._lock:
                    self._missed |= missed
                continue
            with self._lock:
                self._away = bool(self._missed)  # by whoever sent something meanwhile
        logger.info("Redis is back.")


announcer = Announcer()


class Listener:
    """A place in one person's stream, and the connection to Redis that waits there. Any call may raise
    EventsUnavailable."""

    def __init__(self, owner_id: int, *, last_event_id: str = "") -> None:
        """After the event that the client saw last; where that is not known any more, at the end of the stream."""
        self._key = _key(owner_id)
        self._redis = connect(settings.REDIS_URL, patience=LONGEST_WAIT)
        self.resumes = self._has(last_event_id)
        self._position = last_event_id if self.resumes else _append(self._redis, owner_id, _ANCHOR, {})

    def first(self) -> list[Event]:
        """What to begin with: nothing, or that the client must read once."""
        return [] if self.resumes else [Event(self._position, RESET, "{}")]

    def wait(self, seconds: float) -> list[Event]:
        """The events that follow, as soon as there are any; none when time runs out. Well below LONGEST_WAIT."""
        with _in_our_words():
            found: Any = self._redis.xread({self._key: self._position}, count=BATCH, block=int(seconds * 1000))
        events = [Event(id_, fields["name"], fields["data"]) for _, entries in found for id_, fields in entries]
        if events:
            self._position = events[-1].id
        return [event for event in events if event.name != _ANCHOR]

    def close(self) -> None:
        self._redis.close()

    def _has(self, event_id: str) -> bool:
        """Entries go from the oldest on: while this one is there, so is all that came after it."""
        if not _ENTRY_ID.fullmatch(event_id):
            return False
        with _in_our_words(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.xrange(self._key, event_id, event_id)
            pipeline.expire(self._key, KEEP_SECONDS)
            return bool(pipeline.execute()[0])


def _key(owner_id: int) -> str:
    return f"memories:events:{owner_id}"


def _append(redis: Redis, owner_id: int, name: str, data: dict[str, Any]) -> str:
    """A new entry, and its id."""
    key = _key(owner_id)
    with _in_our_words(), redis.pipeline(transaction=False) as pipeline:
        pipeline.xadd(key, {"name": name, "data": json.dumps(data)}, maxlen=MAX_ENTRIES, approximate=True)
        pipeline.expire(key, KEEP_SECONDS)
        return str(pipeline.execute()[0])


@cache
def _writer(url: str) -> Redis:
    return connect(url, patience=PATIENCE)


def connect(url: str, *, patience: float) -> Redis:
    """A client that has not connected yet. EventsUnavailable: this is no address of a Redis server."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    try:
        client = Redis.from_url(
            url,
            socket_connect_timeout=PATIENCE,
            socket_timeout=patience,
            retry=Retry(NoBackoff(), 0),
            decode_responses=True,
            protocol=2,  # fewer steps to connect, and what every version since streams exist speaks
        )
        client.connection_pool.make_connection()  # goes nowhere yet, but knows which options there are
    except (ValueError, TypeError) as error:
        raise EventsUnavailable from error
    return client


def is_address(url: str) -> bool:
    """Whether this can be the address of a Redis server, as far as it can be seen without a connection."""
    try:
        connect(url, patience=PATIENCE)
    except EventsUnavailable:
        return False
    return True


@contextmanager
def _in_our_words() -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except (RedisError, OSError) as error:
        raise EventsUnavailable from error
