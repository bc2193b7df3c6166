"""What a queue is to this service: the doorbell. The row is the job (docs/decisions/0001)."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery. The same memory may be delivered again, at any time: the claim sorts that out."""

    memory_id: uuid.UUID
    receipt: Any  # what the implementation needs to ack or release this delivery
    receive_count: int = 1


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that the queue gave up on."""

    body: str  # verbatim, also where it is malformed
    memory_id: uuid.UUID | None  # None: the body names no memory
    reason: str
    receipt: Any


class Queue(ABC):
    """Every method may raise QueueUnavailable."""

    @abstractmethod
    def enqueue(self, memory_id: uuid.UUID, delay: float = 0) -> None:
        """Ring for this memory, in `delay` seconds. Ringing twice is harmless."""

    @abstractmethod
    def receive(self, wait: float = 0) -> Message | None:
        """The next delivery, hidden from other receivers for a while; None after `wait` seconds without one."""

    def keep(self, message: Message) -> None:  # noqa: B027 (nothing to do where a lease hides the row)
        """Still at work on this delivery: hide it for another while. Cheap to call often."""

    @abstractmethod
    def ack(self, message: Message) -> None:
        """This delivery is dealt with: do not deliver it again."""

    @abstractmethod
    def release(self, message: Message, delay: float = 0) -> None:
        """Deliver it again after `delay` seconds."""

    @abstractmethod
    def dead_letters(self) -> Iterator[DeadMessage]:
        """Messages that the queue itself gave up on. Each stays until `discard`."""

    @abstractmethod
    def discard(self, dead: DeadMessage) -> None:
        """This dead message is recorded elsewhere: delete it here."""

    @abstractmethod
    def depth(self) -> int:
        """How many memories wait. May be an estimate."""

    def reach(self) -> None:
        """Does it answer? With no more rights than it takes to enqueue."""
        self.depth()
