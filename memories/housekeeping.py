"""The sweep of what lies about: objects without a row, audio past its time, broken-off uploads, tokens that expired."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from posixpath import join

from django.conf import settings
from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from memories.models import FINISHED, DeviceToken, Memory
from memories.transcription import WORKSPACE

ORPHAN_AGE = timedelta(hours=1)  # younger objects may belong to a capture that has not written its row yet
LEFTOVER_AGE = 3600.0  # seconds
FEW_ORPHANS = 10  # so many may be deleted whatever else there is
BATCH = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HousekeepingReport:
    orphans: int  # objects that no row knows
    expired_audio: int  # recordings past AUDIO_RETENTION_DAYS
    leftovers: int  # temporary files of processes that were killed
    expired_tokens: int


def tidy() -> HousekeepingReport:
    """Delete what nobody can reach any more. Walks the storage: once an hour is plenty."""
    return HousekeepingReport(
        delete_orphans(default_storage), expire_audio(), delete_leftovers(), delete_expired_tokens()
    )


def delete_orphans(storage: Storage) -> int:
    """Objects under audio/ that no memory names: a crash between storing and writing the row leaves one.

    Where most objects are unknown, that was no crash but another database on the same folder: nothing is deleted.
    """
    before = timezone.now() - ORPHAN_AGE
    orphans: list[str] = []
    known = 0
    for names in _batches(_walk(storage, "audio")):
        found = set(Memory.objects.filter(audio__in=names).values_list("audio", flat=True))
        known += len(found)
        orphans += [name for name in names if name not in found and storage.get_modified_time(name) < before]
    if len(orphans) > max(FEW_ORPHANS, known):
        logger.error("%d of %d objects have no row: is this their database?", len(orphans), len(orphans) + known)
        return 0
    for name in orphans:
        storage.delete(name)
    if orphans:
        logger.warning("Deleted %d objects that no memory names.", len(orphans))
    return len(orphans)


def _batches(names: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(names, BATCH)):
        yield batch


def _walk(storage: Storage, folder: str) -> Iterator[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (join(folder, name) for name in files)
    for name in folders:
        yield from _walk(storage, join(folder, name))


def expire_audio() -> int:
    """Delete recordings past their retention; the memory stays and its audio answers 410."""
    before = timezone.now() - timedelta(days=settings.AUDIO_RETENTION_DAYS)
    expired = Memory.objects.filter(created_at__lt=before, status__in=FINISHED).exclude(audio="")
    count = 0
    for memory in expired.only("audio").iterator():
        memory.audio.storage.delete(str(memory.audio))
        count += Memory.objects.filter(pk=memory.pk, audio=memory.audio.name).touch(audio="")
    return count


def delete_leftovers() -> int:
    """What a killed process left: temporary files of an upload, the workspace of a job."""
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    left = [path for path in (*folder.glob("*.upload*"), *folder.glob(f"{WORKSPACE}*")) if _is_left(path)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return len(left)


def _is_left(path: Path) -> bool:
    """Whoever is at work writes into it far more often than that."""
    newest = max((p.stat().st_mtime for p in (path, *path.glob("*")) if p.exists()), default=time.time())
    return newest < time.time() - LEFTOVER_AGE


def delete_expired_tokens() -> int:
    deleted: int = DeviceToken.objects.filter(expiry__lt=timezone.now()).delete()[0]
    return deleted
