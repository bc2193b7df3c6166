"""What a memory is made of, as files: the sound, and the transcript in the formats of other programs."""

from __future__ import annotations

from pathlib import PurePath

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
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
    try:
        memory.audio.path  # noqa: B018 (Storage.path: for those who can say where a file lies on this machine)
    except NotImplementedError:
        return HttpResponseRedirect(memory.audio.url)
    etag = f'"{memory.audio_sha256 or memory.pk}"'
    if etags.names(request.headers.get("If-None-Match", ""), etag):
        return HttpResponse(status=304, headers={"ETag": etag})
    try:
        file, size = memory.audio.storage.open(memory.audio.name), memory.audio.size
    except FileNotFoundError as error:
        raise AudioMissing from error
    except OSError as error:
        raise StorageUnavailable from error
    content_type = memory.audio_content_type or "application/octet-stream"
    response = ranges.respond(request, file, size=size, content_type=content_type, etag=etag)
    name = PurePath(memory.audio_filename)
    response.headers["Content-Disposition"] = _disposition(name.stem, name.suffix, download)
    return response


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
