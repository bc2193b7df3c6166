"""Jobs in tests: make a recording, process it, let its pause be over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from memories.models import Memory
from memories.processing import Disposition, process_memory

Recorded = Callable[..., Memory]
"""The `recorded` fixture: (sound=two seconds, **fields of the memory) -> a queued memory."""


def process(memory: Memory, **kwargs: Any) -> Disposition:
    disposition = process_memory(memory.pk, worker="test", **kwargs)
    memory.refresh_from_db()
    return disposition


def wait_over(memory: Memory) -> None:
    Memory.objects.filter(pk=memory.pk).update(next_attempt_at=timezone.now())
