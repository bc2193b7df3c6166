"""What a memory is made of, as files: the sound, and the transcript in the formats of other programs."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header

from memories import exports
from memories.delivery import etags, ranges
from memories.errors import AudioExpired, AudioMissing, StorageUnavailable, TranscriptNotReady
from memories.models import Memory, Transcript


def audio_response(request: HttpRequest, memory: Memory, *, download: bool) -> HttpResponseBase:
    """The bytes where they lie in a folder; else where to fetch them, signed."""
    if not memory.audio.name or memory.audio_expires_at <= timezone.now():
        raise AudioExpired
    name = PurePath(memory.audio_filename)
    headers = {
        "Content-Type": memory.audio_content_type or "application/octet-stream",
        "Content-Disposition": _disposition(name.stem, name.suffix, download),
    }
    try:
        if isinstance(memory.audio.storage, FileSystemStorage):
            return _bytes(request, memory, headers)
        return _address(request, memory, headers)
    except FileNotFoundError as error:
        raise AudioMissing from error
    except OSError as error:
        raise StorageUnavailable from error


def _bytes(request: HttpRequest, memory: Memory, headers: dict[str, str]) -> HttpResponseBase:
    etag = f'"{memory.audio_sha256 or memory.pk}"'
    if etags.names(request.headers.get("If-None-Match", ""), etag):
        return HttpResponse(status=304, headers={"ETag": etag})
    file, size = memory.audio.storage.open(str(memory.audio)), memory.audio.size
    response = ranges.respond(request, file, size=size, content_type=headers["Content-Type"], etag=etag)
    response.headers["Content-Disposition"] = headers["Content-Disposition"]
    return response


def _address(request: HttpRequest, memory: Memory, headers: dict[str, str]) -> HttpResponse:
    """Of an object in S3, which answers ranges itself. Whoever has the address may listen: nobody is to keep it."""
    storage: Any = memory.audio.storage
    storage.size(str(memory.audio))  # to say here what is missing or away, rather than there in XML
    answers = {f"Response{name.replace('-', '')}": value for name, value in headers.items()}
    url = storage.url(
        str(memory.audio),
        parameters={**answers, "ResponseCacheControl": "private, no-cache"},
        http_method="HEAD" if request.method == "HEAD" else "GET",
    )
    return HttpResponse(status=302, headers={"Location": url, "Cache-Control": "no-store"})


def transcript_response(memory: Memory, transcript: Transcript | None, format_: str, *, download: bool) -> HttpResponse:
    if transcript is None:
        raise TranscriptNotReady
    text = exports.render(transcript.as_result(), format_, title=memory.title)
    disposition = _disposition(memory.title, f".{format_}", download)
    return HttpResponse(text, content_type=exports.CONTENT_TYPES[format_], headers={"Content-Disposition": disposition})


def _disposition(name: str, suffix: str, download: bool) -> str:
    """A header that no title can break out of."""
    harmless = "".join(char for char in name if char.isalnum() or char in " -_.,")[:100].strip(" .") or "memory"
    suffix = "".join(char for char in suffix if char.isalnum() or char == ".")[:10]
    return content_disposition_header(download, harmless + suffix) or "inline"
