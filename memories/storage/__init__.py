"""Where audio lies: in a folder on one machine (here), or in S3 (s3.py, which is imported only where it is used)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage

from memories.errors import StorageFull, StorageUnavailable


class DurableFileSystemStorage(FileSystemStorage):
    """A folder whose files survive a power cut once `save` has returned: an accepted recording is never lost."""

    def _save(self, name: str, content: Any) -> str:
        saved: str = super()._save(name, content)  # type: ignore[misc]
        path = Path(self.path(saved))
        write_through(path)  # the bytes
        write_through(path.parent)  # and the name by which they are found
        return saved


def write_through(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_disk_full(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def storage_errors() -> Iterator[None]:
    """An OSError of any storage as the error that people are told."""
    try:
        yield
    except OSError as error:
        raise (StorageFull if is_disk_full(error) else StorageUnavailable) from error
