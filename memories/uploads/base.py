"""The port: where the bytes of an announced recording go before it is a memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings

from memories.models import Upload

MEGABYTE = 1024 * 1024
MOST_PARTS = 10_000  # that S3 takes


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the file that is sent in one request."""

    number: int  # from 1 on
    offset: int  # bytes
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    span: Span
    url: str | None  # where to PUT it; None: it is there. A path, where it is one of our own
    headers: Mapping[str, str] = field(default_factory=dict)  # what the PUT must carry, exactly


def part_size(size: int) -> int:
    """Bytes of each part but the last of a file; a file of moderate size goes in one."""
    if size <= settings.MEMORIES_UPLOAD_SINGLE_MB * MEGABYTE:
        return size
    return max(settings.MEMORIES_UPLOAD_PART_MB * MEGABYTE, math.ceil(size / MOST_PARTS))


def spans(upload: Upload) -> list[Span]:
    step = upload.part_size
    return [
        Span(number, offset, min(step, upload.size - offset))
        for number, offset in enumerate(range(0, upload.size, step), start=1)
    ]


class UploadTarget(ABC):
    """Every method raises StorageUnavailable, or StorageFull where it writes."""

    @abstractmethod
    def begin(self, upload: Upload) -> None:
        """Make ready for the bytes. May fill in `multipart_id`; the row is written afterwards."""

    @abstractmethod
    def parts(self, upload: Upload, *, seconds: int) -> list[Part]:
        """All parts in order, those that are missing with addresses that live for so long.

        Raises UploadExpired where the storage has given the upload up.
        """

    @abstractmethod
    def collect(self, upload: Upload) -> None:
        """Bring all of it under `upload.key`, where it then can no longer be changed. Harmless to repeat.

        Raises UploadIncomplete. Whether the bytes are those that were announced is for the caller to look at.
        """

    @abstractmethod
    def discard(self, upload: Upload) -> None:
        """Delete whatever is there of it. Harmless to repeat."""

    @abstractmethod
    def tidy(self, before: datetime) -> int:
        """Delete what was begun before that moment and never came to its end, known to a row or not; say how many."""
