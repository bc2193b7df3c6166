"""Accept a recording: check, store, write the row, ring.

The order makes a crash between any two steps lose nothing. Object without row: the client got no answer and sends
again, and the sweep deletes the object. Row without ring: the sweep rings.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from memories import audio as sound
from memories import doorbell
from memories.errors import (
    DatabaseUnavailable,
    EmptyUpload,
    IdempotencyConflict,
    QuotaExceeded,
    StorageFull,
    StorageUnavailable,
    TooManyUploads,
)
from memories.models import Memory, audio_key
from memories.storage import is_disk_full

GIGABYTE = 1024**3
MAX_FILENAME, MAX_SUFFIX = 255, 16
HOUR = timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    memory: Memory
    created: bool  # False: the same request was accepted before


def accept(
    *,
    owner: User,
    audio: UploadedFile[bytes],
    sha256: str,
    recorded_at: datetime | None = None,
    language: str = "",
    title: str = "",
    idempotency_key: str | None = None,
) -> Accepted:
    """Once this returns, the recording is kept and will be processed. `sha256` is that of the audio.

    Raises an AudioError, a RequestError, StorageFull, StorageUnavailable or DatabaseUnavailable: nothing is kept then.
    """
    if not audio.size:
        raise EmptyUpload
    digest = _request_digest(sha256, recorded_at, language, title)
    if earlier := _accepted_before(owner, idempotency_key, digest):
        return Accepted(earlier, created=False)
    _check_allowance(owner, audio.size)
    probed = sound.probe(cast(BinaryIO, audio.file))
    now = timezone.now()
    memory = Memory(
        owner=owner,
        created_at=now,
        recorded_at=recorded_at or now,
        language=language,
        title=title,
        edited_fields=["title"] if title else [],
        idempotency_key=idempotency_key,
        idempotency_digest=digest if idempotency_key else "",
        audio_sha256=sha256,
        **_description(audio, probed),
    )
    memory.audio.name = _store(audio, audio_key(memory, f"audio.{probed.extension}"))
    accepted = _write_row(memory)
    if accepted.created:
        logger.info("Accepted %s: %d bytes, %s s", memory.pk, memory.audio_size, probed.seconds)
    return accepted


def _description(audio: UploadedFile[bytes], probed: sound.Probe) -> dict[str, Any]:
    return {
        "audio_filename": harmless_filename(audio.name or ""),
        "audio_content_type": probed.content_type,  # by its content: what the client declares counts for nothing
        "audio_size": audio.size,
    }


def harmless_filename(name: str) -> str:
    """The last part of a path, without what cannot be seen or turns the writing direction; 255 characters at most."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in name if char.isprintable()).strip()
    suffix = PurePath(name).suffix
    if len(suffix) > MAX_SUFFIX:
        suffix = ""
    return name if len(name) <= MAX_FILENAME else name[: MAX_FILENAME - len(suffix)] + suffix


def _request_digest(sha256: str, recorded_at: datetime | None, language: str, title: str) -> str:
    content = [sha256, recorded_at.timestamp() if recorded_at else None, language, title]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _accepted_before(owner: User, key: str | None, digest: str) -> Memory | None:
    memory = Memory.objects.filter(owner=owner, idempotency_key=key).first() if key else None
    if memory and memory.idempotency_digest != digest:
        raise IdempotencyConflict
    return memory


def _check_allowance(owner: User, size: int) -> None:
    """Rate and quota, from the rows themselves: the same for all processes, and there after a restart.

    Uploads at the same moment do not see each other, so a burst may go over by as many as are under way.
    """
    since = timezone.now() - HOUR
    recent = Q(created_at__gt=since)
    used = Memory.objects.filter(owner=owner).aggregate(
        bytes=Sum("audio_size", filter=~Q(audio=""), default=0),
        uploads=Count("pk", filter=recent),
        oldest=Min("created_at", filter=recent),
    )
    if used["uploads"] >= settings.MEMORIES_UPLOADS_PER_HOUR:
        raise TooManyUploads(retry_after=max(1, math.ceil((used["oldest"] - since).total_seconds())))
    if used["bytes"] + size > settings.MEMORIES_QUOTA_GB * GIGABYTE:
        raise QuotaExceeded


def _store(audio: UploadedFile[bytes], key: str) -> str:
    try:
        audio.seek(0)
        return default_storage.save(key, audio)
    except OSError as error:
        _discard(key)  # what was written before the disk was full
        raise (StorageFull if is_disk_full(error) else StorageUnavailable) from error


def _write_row(memory: Memory) -> Accepted:
    """The row, and the ring for it once it is committed. Of two identical requests at the same time, one writes it."""
    try:
        with transaction.atomic():
            memory.save(force_insert=True)
            transaction.on_commit(lambda: doorbell.ring(memory.pk), robust=True)
    except (OperationalError, InterfaceError) as error:
        if not _may_be_written(memory):
            _discard(str(memory.audio))
        raise DatabaseUnavailable from error
    except DatabaseError:
        _discard(str(memory.audio))
        winner = _accepted_before(memory.owner, memory.idempotency_key, memory.idempotency_digest)
        if winner is None:
            raise
        return Accepted(winner, created=False)
    return Accepted(memory, created=True)


def _may_be_written(memory: Memory) -> bool:
    """A connection that broke leaves open whether the database had written the row: never delete its audio then.

    Where even this cannot be asked, the sweep finds out later.
    """
    connection.close_if_unusable_or_obsolete()
    try:
        return Memory.objects.filter(pk=memory.pk).exists()
    except (OperationalError, InterfaceError):
        return True


def _discard(key: str) -> None:
    try:
        default_storage.delete(key)
    except OSError as error:
        logger.warning("Left an object to the sweep: %s", error.strerror)
