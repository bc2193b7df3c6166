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
        location = Path(self.location)
        above = [folder.parent for folder in (location, *location.parents) if not folder.exists()]
        saved: str = super()._save(name, content)  # type: ignore[misc]
        path = Path(self.path(saved))
        write_through(path)  # the bytes
        # And each name on the way to them: a folder that is there may have been made a moment ago, by somebody else.
        for folder in (*(folder for folder in path.parents if folder.is_relative_to(location)), *above):
            write_through(folder)
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
