"""Recordings that clients announce and send straight to the storage.

An upload is announced, its bytes come, and `capture.accept_upload` makes it a memory. One that never gets there is
swept when its time is over. The row goes last: whatever stops us, it is still there to be gone through again.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone

from memories import allowance
from memories.errors import UploadExpired
from memories.models import Memory, Upload, audio_key
from memories.uploads.base import UploadTarget, part_size
from memories.uploads.local import LocalTarget

LIFE = timedelta(days=1)  # of an upload; its addresses live shorter, and can be had anew
GRACE = timedelta(hours=1)  # what was accepted in time may still be at work on it
FORGOTTEN = timedelta(days=2)  # nothing that was begun so long ago can come to an end


def target() -> UploadTarget:
    """Where uploads go to: follows from the storage that is configured."""
    if isinstance(default_storage, FileSystemStorage):
        return LocalTarget(default_storage)
    from memories.storage.s3 import PrivateS3Storage
    from memories.uploads.s3 import S3Target

    return S3Target(cast(PrivateS3Storage, default_storage))


def announce(*, owner: User, filename: str, content_type: str, size: int, sha256: str) -> Upload:
    """Make room for a recording. `sha256` is that of the whole file, in hexadecimal.

    Raises TooLarge, TooManyUploads, QuotaExceeded, StorageFull, StorageUnavailable.
    """
    allowance.check(owner, size)
    now = timezone.now()
    upload = Upload(
        owner=owner,
        filename=filename,
        content_type=content_type,
        size=size,
        sha256=sha256,
        part_size=part_size(size),
        created_at=now,
        expires_at=now + LIFE,
    )
    upload.key = audio_key(Memory(pk=upload.pk, created_at=now), "")  # no suffix: its content is not known yet
    target().begin(upload)
    upload.save(force_insert=True)
    return upload


def address_seconds(upload: Upload) -> int:
    """How long an address that is given now shall live. Raises UploadExpired."""
    left = upload.expires_at - timezone.now()
    if left <= timedelta(0):
        raise UploadExpired
    return int(min(left, timedelta(minutes=settings.MEMORIES_UPLOAD_MINUTES)).total_seconds()) or 1


def abandon(upload: Upload) -> None:
    """Erase it and its bytes, unless it has become a memory. Raises StorageUnavailable: the sweep goes on then."""
    # From here on nobody accepts it any more, and the sweep finds it.
    over = timezone.now() - GRACE
    if Upload.objects.filter(pk=upload.pk, memory=None).update(expires_at=over):
        target().discard(upload)
        upload.delete()


def sweep() -> int:
    """Erase uploads whose time is over, and what lies about in the storage of those that no row knows."""
    now, count = timezone.now(), 0
    for upload in Upload.objects.filter(memory=None, expires_at__lte=now - GRACE).iterator():
        target().discard(upload)
        upload.delete()
        count += 1
    return count + target().tidy(now - FORGOTTEN)
