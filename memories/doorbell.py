"""Ringing the queue for a memory, and the note in its row that it was rung."""

from __future__ import annotations

import logging
import uuid

from django.utils import timezone

from memories import ports
from memories.errors import MemoriesError
from memories.models import Memory

logger = logging.getLogger(__name__)


def ring(memory_id: uuid.UUID) -> bool:
    """Ring; a queue that is away fails nobody, since the sweep rings again for rows that say they were not rung for."""
    try:
        ports.queue().enqueue(memory_id)
    except MemoriesError as error:
        logger.warning("The queue was not rung for %s: %s", memory_id, error.code)
        return False
    Memory.objects.filter(pk=memory_id).update(enqueued_at=timezone.now())
    return True
