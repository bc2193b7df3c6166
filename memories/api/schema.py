"""What the schema says about the calls on memories (memories/api/views.py), apart from what they do."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied, UnsupportedMediaType, ValidationError

from memories import errors, exports
from memories.api.problems import responses
from memories.api.serializers import (
    DownloadQuery,
    MemoryEdit,
    MemorySerializer,
    PageSerializer,
    ReprocessRequest,
    TimelineQuery,
    TranscriptQuery,
    WaitQuery,
)

_BODY_ERRORS = (ParseError, ValidationError, UnsupportedMediaType, errors.BodyTooLarge, PermissionDenied)
_ID = "0197a3c2-6f0e-4b7c-9d4e-2f1a5b8c7d90"

MEMORY: dict[str, Any] = {
    "id": _ID,
    "status": "READY",
    "status_detail": "Done.",
    "progress": 100,
    "title": "Garden plans",
    "summary": "Maria wants to plant roses; call her on Tuesday.",
    "tags": [{"name": "garden", "evidence": {"segment_ids": [0], "quote": "the garden"}}],
    "people": [{"name": "Maria", "evidence": {"segment_ids": [1], "quote": "Call Maria"}}],
    "places": [],
    "mood": {"label": "positive", "evidence": {"segment_ids": [0], "quote": "I love the garden"}},
    "action_items": [
        {
            "text": "Call Maria next Tuesday",
            "due": "2026-05-12",
            "due_quote": "next Tuesday",
            "evidence": {"segment_ids": [1], "quote": "Call Maria next Tuesday"},
        }
    ],
    "language": "en",
    "duration_seconds": 7.4,
    "recorded_at": "2026-05-07T09:30:00Z",
    "created_at": "2026-05-07T09:30:12Z",
    "updated_at": "2026-05-07T09:30:15Z",
    "audio": {
        "url": f"https://memories.example/api/v1/memories/{_ID}/audio",
        "content_type": "audio/mp4",
        "size": 61_204,
        "filename": "note.m4a",
        "damage": None,
        "expires_at": "2026-08-05T09:30:12Z",
    },
    "error": None,
    "edited_fields": [],
}
TRANSCRIPT: dict[str, Any] = {
    "text": "I love the garden. Call Maria next Tuesday about the roses.",
    "language": "en",
    "model": "whisper-base",
    "segments": [
        {"id": 0, "text": "I love the garden.", "start": 0.0, "end": 2.1, "speaker": None, "confidence": 0.94},
        {
            "id": 1,
            "text": "Call Maria next Tuesday about the roses.",
            "start": 2.6,
            "end": 6.8,
            "speaker": None,
            "confidence": 0.91,
        },
    ],
}
MATCH = {"text": "Call Maria next Tuesday about the roses.", "highlights": [[34, 39]], "segment_id": 1, "start": 2.6}

_READY = OpenApiExample("A finished memory", {**MEMORY, "transcript": TRANSCRIPT}, response_only=True)
_QUEUED = OpenApiExample(
    "Back in the queue",
    {**MEMORY, "status": "QUEUED", "status_detail": "Waiting for a worker.", "progress": 0, "transcript": TRANSCRIPT},
    response_only=True,
)
_PAGE = OpenApiExample(
    "The hits of q=roses",
    {"results": [{**MEMORY, "match": MATCH}], "next": "https://memories.example/api/v1/memories?q=roses&cursor=MTc3O…"},
    response_only=True,
)
_ETAG = OpenApiParameter(
    "ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, description="This version of the memory.", response=[200, 202]
)


def _header(name: str, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description)


MEMORIES = {
    "list": extend_schema(
        operation_id="memories_list",
        summary="List, filter and search",
        description="Newest recording first, without the transcripts. With `q`, each hit that was said carries a "
        "`match`: the words around it, and the second at which they were said. Follow `next` until it is null.",
        parameters=[TimelineQuery],
        responses={
            200: OpenApiResponse(PageSerializer, description="A page.", examples=[_PAGE]),
            **responses(ValidationError, errors.BadCursor),
        },
    ),
    "retrieve": extend_schema(
        operation_id="memories_retrieve",
        summary="Read, or wait for",
        description="Poll with `wait`, rather than often: the answer comes as soon as the status changes.",
        parameters=[WaitQuery, _header("If-None-Match", "A version that you have: 304 while it is still this."), _ETAG],
        responses={
            200: OpenApiResponse(MemorySerializer, description="The memory.", examples=[_READY]),
            304: OpenApiResponse(description="It is what `If-None-Match` names."),
            **responses(ValidationError, NotFound),
        },
    ),
    "partial_update": extend_schema(
        operation_id="memories_update",
        summary="Correct",
        description="Only what is sent changes. Each field that changes is listed in `edited_fields`, and no later "
        "processing touches it. Findings whose quote is no longer in the transcript fall.",
        parameters=[_header("If-Match", "The version that you changed: 412 where it is no longer this."), _ETAG],
        request=MemoryEdit,
        examples=[
            OpenApiExample("Title and tags", {"title": "Roses", "tags": ["garden", "Maria"]}, request_only=True),
            OpenApiExample(
                "One segment", {"transcript": {"segments": [{"id": 1, "text": "Call Mary."}]}}, request_only=True
            ),
        ],
        responses={
            200: OpenApiResponse(MemorySerializer, description="The memory as it is now.", examples=[_READY]),
            **responses(*_BODY_ERRORS, NotFound, errors.StaleVersion, errors.UnknownSegment, errors.TranscriptNotReady),
        },
    ),
    "destroy": extend_schema(
        operation_id="memories_destroy",
        summary="Erase",
        description="Audio, transcript, findings, history: all of it, at once and for good, even in mid-process.",
        responses={
            204: OpenApiResponse(description="Nothing of it is left."),
            **responses(PermissionDenied, NotFound, errors.StorageUnavailable),
        },
    ),
    "audio": extend_schema(
        operation_id="memories_audio",
        summary="Hear",
        description="The recording as it was sent. One range at a time; several get the whole.",
        parameters=[
            DownloadQuery,
            _header("Range", "bytes=FIRST-LAST"),
            _header("If-Range", "The ETag of what you have the rest of."),
            _header("If-None-Match", "The ETag of what you have."),
        ],
        responses={
            (200, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The whole recording."),
            (206, "audio/*"): OpenApiResponse(OpenApiTypes.BINARY, description="The part that `Range` names."),
            302: OpenApiResponse(description="The recording lies elsewhere: follow the signed `Location`."),
            304: OpenApiResponse(description="It is what `If-None-Match` names."),
            **responses(
                ValidationError,
                NotFound,
                errors.AudioExpired,
                errors.AudioMissing,
                errors.RangeNotSatisfiable,
                errors.StorageUnavailable,
            ),
        },
    ),
    "transcript": extend_schema(
        operation_id="memories_transcript",
        summary="Take the transcript away",
        description="In a format that people or other programs read: text, Markdown, subtitles, JSON.",
        parameters=[TranscriptQuery],
        responses={
            **{
                (200, content_type.partition(";")[0]): OpenApiResponse(
                    OpenApiTypes.OBJECT if "json" in content_type else OpenApiTypes.STR, description="The transcript."
                )
                for content_type in exports.CONTENT_TYPES.values()
            },
            **responses(ValidationError, NotFound, errors.TranscriptNotReady),
        },
    ),
    "reprocess": extend_schema(
        operation_id="memories_reprocess",
        summary="Process again",
        description="What the memory holds stays until it is replaced; what a person changed stays for good.",
        parameters=[_ETAG],
        request=ReprocessRequest,
        examples=[OpenApiExample("The analysis only", {"from": "analysis"}, request_only=True)],
        responses={
            202: OpenApiResponse(MemorySerializer, description="Back in the queue.", examples=[_QUEUED]),
            **responses(*_BODY_ERRORS, NotFound, errors.MemoryBusy, errors.AudioExpired, errors.NothingToAnalyze),
        },
    ),
}
