"""Erasing what a person wants erased."""

from __future__ import annotations

from django.db import transaction

from memories import events, insights
from memories.errors import StorageUnavailable
from memories.models import Memory


def erase(memory: Memory) -> None:
    """The audio, the row and everything that hangs on it. Erasing twice is harmless. Raises StorageUnavailable.

    The audio goes first: whatever stops us in between, the row is still there to be erased again, and no sound is left
    behind that nothing points to.
    """
    if memory.audio.name:
        try:
            memory.audio.storage.delete(memory.audio.name)
        except OSError as error:
            raise StorageUnavailable from error
    with transaction.atomic():
        # The lock keeps a worker from adding rows to what is being deleted: it waits, then finds nothing.
        Memory.objects.select_for_update().filter(pk=memory.pk).first()
        Memory.objects.filter(pk=memory.pk).delete()
        insights.forget_unused_tags(memory.owner_id)
        events.announce_erased(memory)
