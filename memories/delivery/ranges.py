"""Bytes of a file over HTTP, whole or in part (RFC 9110, section 14)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse

from memories.errors import RangeNotSatisfiable

BLOCK = 64 * 1024
_ONE_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


def respond(request: HttpRequest, file: IO[bytes], *, size: int, content_type: str, etag: str) -> HttpResponseBase:
    """The part that `Range` asks for, or all of it. Takes over the file and closes it. Raises RangeNotSatisfiable."""
    headers = {"ETag": etag, "Accept-Ranges": "bytes"}
    part = _asked_for(request, size, etag)
    if part is None:
        status, part = 200, range(size)
    elif part:
        status = 206
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    else:
        file.close()
        raise RangeNotSatisfiable(length=size)
    headers["Content-Length"] = str(len(part))
    file.seek(part.start)
    blocks = _Blocks(file, len(part))
    return StreamingHttpResponse(blocks, status=status, content_type=content_type, headers=headers)


def _asked_for(request: HttpRequest, size: int, etag: str) -> range | None:
    """None: the whole. An empty range cannot be satisfied. Several ranges at once get the whole, as the RFC allows."""
    asked = _ONE_RANGE.fullmatch(request.headers.get("Range", "").strip())
    if not asked or request.headers.get("If-Range", etag) != etag:
        return None
    first, last = asked.groups()
    if first:
        if last and int(last) < int(first):
            return None  # not a range at all
        return range(int(first), min(int(last) + 1, size) if last else size)
    return range(max(0, size - int(last)), size) if last else None


class _Blocks:
    """So many bytes of a file in blocks; whoever sends them calls `close`, however it ends."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self.file, self.left = file, length

    def __iter__(self) -> Iterator[bytes]:
        while self.left > 0 and (block := self.file.read(min(BLOCK, self.left))):
            self.left -= len(block)
            yield block

    def close(self) -> None:
        self.file.close()
