"""Accept a recording: check, store, write the row, ring.

The order makes a crash between any two steps lose nothing. Object without row: the client got no answer and sends
again, and the sweep deletes the object. Row without ring: the sweep rings.
"""

from __future__ import annotations

import hashlib
import json
import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from pathlib import PurePath
from typing import BinaryIO, cast

from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import DatabaseError, transaction
from django.utils import timezone

from memories import allowance, doorbell, events, search, uploads
from memories import audio as sound
from memories.database import AWAY, drop_lost_connection
from memories.errors import (
    AudioError,
    DatabaseUnavailable,
    EmptyUpload,
    IdempotencyConflict,
    StorageFull,
    StorageUnavailable,
    UploadExpired,
    UploadIncomplete,
    UploadMismatch,
)
from memories.models import Memory, Upload, audio_key
from memories.storage import storage_errors

MAX_FILENAME, MAX_SUFFIX = 255, 16

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """What the person says about a recording."""

    recorded_at: datetime | None
    language: str
    title: str


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
    said = Said(recorded_at, language, title)
    digest = _request_digest(sha256, said)
    if earlier := _accepted_before(owner, idempotency_key, digest):
        return Accepted(earlier, created=False)
    allowance.check(owner, audio.size)
    probed = sound.probe(cast(BinaryIO, audio.file))
    memory = _memory(owner, said, idempotency_key, digest)
    _describe(memory, probed, filename=audio.name or "", size=audio.size, sha256=sha256)
    memory.audio.name = _store(audio, audio_key(memory, f"audio.{probed.extension}"))
    return _write_row(memory)


def accept_upload(
    *,
    owner: User,
    upload_id: uuid.UUID,
    recorded_at: datetime | None = None,
    language: str = "",
    title: str = "",
    idempotency_key: str | None = None,
) -> Accepted:
    """The same for a recording that was announced and sent to the storage. Again and again, it gives the same memory.

    Raises besides: Upload.DoesNotExist, UploadIncomplete, UploadMismatch, UploadExpired. What is not accepted for good
    (it is not what was announced, or not audio) is erased.
    """
    upload = Upload.objects.select_related("memory").get(pk=upload_id, owner=owner)
    if upload.memory:
        return Accepted(upload.memory, created=False)
    said = Said(recorded_at, language, title)
    digest = _request_digest(upload.sha256, said)
    if earlier := _accepted_before(owner, idempotency_key, digest):
        return Accepted(earlier, created=False)
    if upload.expires_at <= timezone.now():
        raise UploadExpired
    allowance.check(owner, upload.size, announced=upload)
    uploads.target().collect(upload)
    with storage_errors():
        probed = _verified(upload)
    memory = _memory(owner, said, idempotency_key, digest)
    memory.pk = upload.pk  # of two that accept it at the same time, one can write its row
    memory.audio.name = upload.key
    _describe(memory, probed, filename=upload.filename, size=upload.size, sha256=upload.sha256)
    return _write_row(memory, upload)


def _memory(owner: User, said: Said, idempotency_key: str | None, digest: str) -> Memory:
    now = timezone.now()
    return Memory(
        owner=owner,
        created_at=now,
        recorded_at=said.recorded_at or now,
        recorded_offset=_minutes_east(said.recorded_at),
        language=said.language,
        title=said.title,
        edited_fields=["title"] if said.title else [],
        idempotency_key=idempotency_key,
        idempotency_digest=digest if idempotency_key else "",
    )


def _minutes_east(moment: datetime | None) -> int:
    """By how much the clock there is ahead of UTC: "tomorrow" begins with it."""
    offset = moment.utcoffset() if moment else None
    return round(offset.total_seconds() / 60) if offset else 0


def _describe(memory: Memory, probed: sound.Probe, *, filename: str, size: int, sha256: str) -> None:
    memory.audio_filename = harmless_filename(filename)
    memory.audio_content_type = probed.content_type  # by its content: what the client declares counts for nothing
    memory.audio_size = size
    memory.audio_sha256 = sha256


def harmless_filename(name: str) -> str:
    """The last part of a path, without what cannot be seen or turns the writing direction; 255 characters at most."""
    name = name.replace("\\", "/").rsplit("/", 1)[-1]
    name = "".join(char for char in name if char.isprintable()).strip()
    suffix = PurePath(name).suffix
    if len(suffix) > MAX_SUFFIX:
        suffix = ""
    return name if len(name) <= MAX_FILENAME else name[: MAX_FILENAME - len(suffix)] + suffix


def _request_digest(sha256: str, said: Said) -> str:
    content = [sha256, said.recorded_at.timestamp() if said.recorded_at else None, said.language, said.title]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _accepted_before(owner: User, key: str | None, digest: str) -> Memory | None:
    memory = Memory.objects.filter(owner=owner, idempotency_key=key).first() if key else None
    if memory and memory.idempotency_digest != digest:
        raise IdempotencyConflict
    return memory


def _store(audio: UploadedFile[bytes], key: str) -> str:
    try:
        with storage_errors():
            audio.seek(0)
            return default_storage.save(key, audio)
    except (StorageFull, StorageUnavailable):
        _discard(key)  # what was written before the disk was full
        raise


def _verified(upload: Upload) -> sound.Probe:
    """What the bytes in the storage are, once they are those that were announced; others are not kept."""
    try:
        if default_storage.size(upload.key) != upload.size:
            raise UploadMismatch
        with default_storage.open(upload.key) as file:
            content = cast(BufferedReader, file.file)
            if hashlib.file_digest(content, "sha256").hexdigest() != upload.sha256:
                raise UploadMismatch
            content.seek(0)
            return sound.probe(content)
    except FileNotFoundError as error:  # somebody abandons it right now
        raise UploadIncomplete from error
    except (UploadMismatch, AudioError):
        with suppress(StorageUnavailable):  # then the sweep goes on with it
            uploads.abandon(upload)
        raise


def _write_row(memory: Memory, upload: Upload | None = None) -> Accepted:
    """The row, and the ring for it once it is committed. Of two identical requests at the same time, one writes it.

    Where that fails, the object is deleted, unless it came as an upload: that can be sent for acceptance again.
    """
    try:
        with transaction.atomic():
            memory.save(force_insert=True)
            if memory.title:  # all there is to find it by, until it is transcribed
                search.index(memory)
            if upload and not _closed(upload, memory):
                raise UploadExpired
            events.announce(memory.pk)
            transaction.on_commit(lambda: doorbell.ring(memory.pk), robust=True)
    except AWAY as error:
        if not upload and not _may_be_written(memory):
            _discard(str(memory.audio))
        raise DatabaseUnavailable from error
    except DatabaseError:
        if not upload:
            _discard(str(memory.audio))
        winner = _winner(memory)
        if winner is None:
            raise
        return Accepted(winner, created=False)
    logger.info("Accepted %s: %d bytes", memory.pk, memory.audio_size)
    return Accepted(memory, created=True)


def _closed(upload: Upload, memory: Memory) -> int:
    """Ties the upload to its memory, unless somebody has abandoned it meanwhile."""
    return Upload.objects.filter(pk=upload.pk, expires_at=upload.expires_at).update(memory=memory)


def _winner(memory: Memory) -> Memory | None:
    """The memory that an identical request has written a moment ago."""
    same = Memory.objects.filter(pk=memory.pk).first()
    return same or _accepted_before(memory.owner, memory.idempotency_key, memory.idempotency_digest)


def _may_be_written(memory: Memory) -> bool:
    """A connection that broke leaves open whether the database had written the row: never delete its audio then.

    Where even this cannot be asked, the sweep finds out later.
    """
    drop_lost_connection()
    try:
        return Memory.objects.filter(pk=memory.pk).exists()
    except AWAY:
        return True


def _discard(key: str) -> None:
    try:
        default_storage.delete(key)
    except OSError as error:
        logger.warning("Left an object to the sweep: %s", error.strerror)
