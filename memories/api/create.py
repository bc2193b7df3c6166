"""POST memories: a recording comes in."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied, UnsupportedMediaType, ValidationError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.viewsets import GenericViewSet

from memories import capture, errors, languages
from memories.api import problems
from memories.api.schema import MEMORY
from memories.api.serializers import MemorySerializer, StrictSerializer, TitleField
from memories.api.uploadhandlers import RecordingParser, RecordingUpload
from memories.models import Memory, Upload

POLL_AFTER = 2  # seconds until the first look at a new memory is worth it
CLOCK_SKEW = timedelta(minutes=5)
_VISIBLE_ASCII = re.compile(r"[!-~]{1,255}")

_NOTHING_YET: dict[str, Any] = {
    "status": "QUEUED",
    "status_detail": "Waiting for a worker.",
    "progress": 0,
    "duration_seconds": None,
    "language": None,
    "title": "",
    "summary": "",
    "mood": None,
    "transcript": None,
    "tags": [],
    "people": [],
    "places": [],
    "action_items": [],
}
_FROM_UPLOAD = OpenApiExample(
    "An upload that is complete",
    {"upload": "0197a3c2-6f0e-4b7c-9d4e-2f1a5b8c7d91", "recorded_at": "2026-05-07T09:30:00Z", "language": "en"},
    request_only=True,
    media_type="application/json",
)
_ACCEPTED = OpenApiExample("An accepted recording", {**MEMORY, **_NOTHING_YET}, response_only=True)


class RecordedAtField(serializers.DateTimeField):
    """A moment that was: RFC 3339 with its zone, since only the client knows in which one it was recorded."""

    default_error_messages = {
        "zone": "Say in which time zone: end with Z or an offset such as +02:00.",
        "future": "This is in the future. Look at the clock of the device.",
        "past": "No recording is that old.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("zone")
        if value.year < 1900:
            self.fail("past")
        if value > timezone.now() + CLOCK_SKEW:
            self.fail("future")
        return value  # in its own zone: Django keeps the moment, capture keeps the offset


@extend_schema_field(OpenApiTypes.BINARY)
class RecordingField(serializers.FileField):
    pass


class _Said(StrictSerializer):
    """What the person says about a recording."""

    recorded_at = RecordedAtField(required=False, help_text="RFC 3339 with a zone; the time of arrival if left out.")
    language = serializers.CharField(required=False, help_text="ISO 639-1, such as en or es; detected if left out.")
    title = TitleField(required=False, help_text="Found if left out.")

    def validate_language(self, value: str) -> str:
        if value not in languages.ISO_639_1:
            raise ValidationError(languages.UNKNOWN)
        return value


class NewMemory(_Said):
    """A recording, and what the person says about it."""

    audio = RecordingField(allow_empty_file=True, help_text="The recording, in any common format.")


class UploadedMemory(_Said):
    """A recording that was sent to the storage (POST uploads), and what the person says about it."""

    upload = serializers.UUIDField(help_text="The id of the upload.")


class CreateMemory(GenericViewSet[Memory]):
    """The part of the viewset that takes recordings; `answer` is the viewset's."""

    def get_parsers(self) -> list[BaseParser]:
        creates = self.request is not None and self.action_map.get((self.request.method or "").lower()) == "create"
        return [RecordingParser(), *super().get_parsers()] if creates else super().get_parsers()

    @extend_schema(
        operation_id="memories_create",
        summary="Send a recording",
        request={"multipart/form-data": NewMemory, "application/json": UploadedMemory},
        examples=[_FROM_UPLOAD],
        parameters=[
            OpenApiParameter(
                "Idempotency-Key",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="1 to 255 visible ASCII characters, new for each recording. The same key with the same "
                "content gives the same memory, however often it is sent.",
            ),
            *(
                OpenApiParameter(name, type_, OpenApiParameter.HEADER, description=text, response=[202])
                for name, type_, text in (
                    ("Location", OpenApiTypes.URI_REF, "Where to poll the memory."),
                    ("Retry-After", OpenApiTypes.INT, "Seconds until the first poll is worth it."),
                    ("ETag", OpenApiTypes.STR, "The version of the memory."),
                )
            ),
        ],
        responses={
            202: OpenApiResponse(
                MemorySerializer, description="Accepted: it is kept, and will be processed.", examples=[_ACCEPTED]
            ),
            **problems.responses(
                ParseError,
                ValidationError,
                PermissionDenied,
                NotFound,
                UnsupportedMediaType,
                errors.LengthRequired,
                errors.BodyTooLarge,
                errors.EmptyUpload,
                errors.NotAudio,
                errors.NoSound,
                errors.TooLarge,
                errors.TooManyUploads,
                errors.QuotaExceeded,
                errors.IdempotencyConflict,
                errors.UploadIncomplete,
                errors.UploadMismatch,
                errors.UploadExpired,
                errors.StorageFull,
                errors.StorageUnavailable,
            ),
        },
    )
    def create(self, request: Request) -> Response:
        """A recording, as multipart/form-data, or the id of one that was sent to the storage before, as JSON.

        It is accepted at once and processed later: poll `Location`. The same upload gives the same memory again.
        """
        if "Transfer-Encoding" in request.headers and not request.headers.get("Content-Length"):
            raise errors.LengthRequired
        accepted = self._accept(request, idempotency_key=_idempotency_key(request))
        headers = {"Location": reverse("memory-detail", args=[accepted.memory.pk]), "Retry-After": str(POLL_AFTER)}
        return self.answer(accepted.memory, status=202, headers=headers)

    def _accept(self, request: Request, *, idempotency_key: str | None) -> capture.Accepted:
        uploaded = (request.content_type or "").startswith(JSONParser.media_type)
        form: StrictSerializer = UploadedMemory(data=request.data) if uploaded else NewMemory(data=request.data)
        form.is_valid(raise_exception=True)
        fields: dict[str, Any] = {"owner": request.user, "idempotency_key": idempotency_key, **form.validated_data}
        if uploaded:
            try:
                return capture.accept_upload(upload_id=fields.pop("upload"), **fields)
            except Upload.DoesNotExist as error:
                raise NotFound("There is no such upload.") from error
        recording: RecordingUpload = fields["audio"]
        return capture.accept(sha256=recording.sha256, **fields)

    def answer(self, memory: Memory, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        raise NotImplementedError


def _idempotency_key(request: Request) -> str | None:
    key: str | None = request.headers.get("Idempotency-Key")
    if key is not None and not _VISIBLE_ASCII.fullmatch(key):
        raise ParseError("Idempotency-Key takes 1 to 255 visible ASCII characters.")
    return key
