"""Ringing the queue for a memory, and the note in its row that it was rung."""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.utils import timezone

from memories import ports
from memories.errors import MemoriesError
from memories.models import Memory

logger = logging.getLogger(__name__)


LONG = 900.0  # seconds, the longest delay that SQS takes: later than that the sweep rings, since the row says when


def ring(memory_id: uuid.UUID, delay: float = 0) -> bool:
    """Ring in `delay` seconds; whether that can be relied on.

    A queue that is away fails nobody: the sweep rings again for rows that say they were not rung for.
    """
    if delay > LONG:
        return True
    try:
        ports.queue().enqueue(memory_id, delay)
    except MemoriesError as error:
        logger.warning("The queue was not rung for %s: %s", memory_id, error.detail)
        return False
    Memory.objects.filter(pk=memory_id).update(enqueued_at=timezone.now() + timedelta(seconds=delay))
    return True
