"""The sweep of what lies about: objects without a row, audio past its time, uploads broken off, expired tokens."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from posixpath import join

from django.conf import settings
from django.core.files.storage import Storage, default_storage
from django.utils import timezone

from memories import uploads
from memories.errors import MemoriesError
from memories.models import FINISHED, DeviceToken, Memory, Upload
from memories.transcription import WORKSPACE

ORPHAN_AGE = timedelta(days=7)  # a capture writes its row at once, but a restored database is older than the audio
LEFTOVER_AGE = 3600.0  # seconds
FEW_ORPHANS = 10  # so many may be deleted whatever else there is
BATCH = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HousekeepingReport:
    uploads: int  # announced, and never made a memory
    orphans: int  # objects that no row knows
    expired_audio: int  # recordings past AUDIO_RETENTION_DAYS
    leftovers: int  # temporary files of processes that were killed
    expired_tokens: int


def tidy() -> HousekeepingReport:
    """Delete what nobody can reach any more. Walks the storage: once an hour is plenty."""
    return HousekeepingReport(
        uploads=_count(uploads.sweep),
        orphans=_count(lambda: delete_orphans(default_storage)),
        expired_audio=_count(expire_audio),
        leftovers=_count(delete_leftovers),
        expired_tokens=_count(delete_expired_tokens),
    )


def _count(job: Callable[[], int]) -> int:
    """A storage that is away keeps nobody from the rest."""
    try:
        return job()
    except (OSError, MemoriesError) as error:
        logger.warning("Left to the next time: %s", error)
        return 0


def delete_orphans(storage: Storage) -> int:
    """Objects under audio/ that no row names: a crash between storing and writing the row leaves one.

    Where most objects are unknown, that was no crash but another database on the same folder: nothing is deleted.
    """
    before = timezone.now() - ORPHAN_AGE
    orphans: list[str] = []
    known = 0
    everything: Callable[[str], Iterator[str]] = getattr(storage, "names", partial(_walk, storage))
    for names in _batches(everything("audio")):
        # Uploads first: one that becomes a memory in between is in either.
        found = set(Upload.objects.filter(memory=None, key__in=names).values_list("key", flat=True))
        found |= set(Memory.objects.filter(audio__in=names).values_list("audio", flat=True))
        known += len(found)
        orphans += [name for name in names if name not in found and _was_there(storage, name, before)]
    if len(orphans) > max(FEW_ORPHANS, known):
        logger.error("%d of %d objects have no row: is this their database?", len(orphans), len(orphans) + known)
        return 0
    for name in orphans:
        storage.delete(name)
    if orphans:
        logger.warning("Deleted %d objects that no memory names.", len(orphans))
    return len(orphans)


def _was_there(storage: Storage, name: str, before: datetime) -> bool:
    try:
        return storage.get_modified_time(name) < before
    except FileNotFoundError:  # somebody erased it meanwhile
        return False


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
        try:
            memory.audio.storage.delete(str(memory.audio))
        except OSError as error:  # one that cannot be deleted keeps none of the others
            logger.warning("The audio of %s could not be deleted: %s", memory.pk, error)
            continue
        count += Memory.objects.filter(pk=memory.pk, audio=memory.audio.name).touch(audio="")
    return count


def delete_leftovers(*, older_than: float = LEFTOVER_AGE) -> int:
    """What a killed process left: temporary files of an upload, the workspace of a job. Age in seconds."""
    folder = Path(settings.FILE_UPLOAD_TEMP_DIR)
    left = [path for path in (*folder.glob("*.upload*"), *folder.glob(f"{WORKSPACE}*")) if _idle(path) > older_than]
    for path in left:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return len(left)


def _idle(path: Path) -> float:
    """Seconds since somebody wrote into it; whoever is at work does so all along."""
    now = time.time()
    return now - max((p.stat().st_mtime for p in (path, *path.glob("*")) if p.exists()), default=now)


def delete_expired_tokens() -> int:
    deleted: int = DeviceToken.objects.filter(expiry__lt=timezone.now()).delete()[0]
    return deleted
