"""Recordings that go straight to the storage: announced here, sent to the addresses that the answer names, then made a
memory by POST memories {"upload": id}."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import User
from django.core.signing import BadSignature, SignatureExpired
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied, UnsupportedMediaType, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from memories import errors, uploads
from memories.api import problems
from memories.api.serializers import StrictSerializer
from memories.models import Upload
from memories.uploads.base import Part, Span, spans
from memories.uploads.local import BLOCK, LocalTarget, check_signature

METHOD = "PUT"
NEVER_STORED = {"Cache-Control": "no-store"}  # an address that is signed is a key
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+( *;[ -~]*)?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

_ID = "0197a3c2-6f0e-4b7c-9d4e-2f1a5b8c7d91"
_SUM = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
_HEADERS = {
    "Content-Type": "audio/mp4",
    "x-amz-checksum-sha256": "X3C/GKCGAHAW6UiwSu07ghA6Nr6kF1W2zd+vEKzjxu8=",
    "x-amz-server-side-encryption": "AES256",
}
_ADDRESS = "https://bucket.s3.us-east-1.amazonaws.com/audio/2026/05/07/…?X-Amz-Signature=…"
_EXPIRES = "2026-05-07T10:30:12Z"


def _part(number: int, size: int, *, received: bool = False, headers: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "number": number,
        "offset": (number - 1) * 16_777_216,
        "size": size,
        "received": received,
        "url": None if received else _ADDRESS,
        "headers": headers or {},
    }


_SINGLE = OpenApiExample(
    "A file that goes in one request",
    {
        "id": _ID,
        "method": METHOD,
        "url": _ADDRESS,
        "headers": _HEADERS,
        "expires_at": _EXPIRES,
        "parts": [_part(1, 61_204, headers=_HEADERS)],
        "memory": None,
    },
    response_only=True,
)
_IN_PARTS = OpenApiExample(
    "A large file, of which one part is there",
    {
        "id": _ID,
        "method": METHOD,
        "url": None,
        "headers": {},
        "expires_at": _EXPIRES,
        "parts": [_part(1, 16_777_216, received=True), _part(2, 16_777_216), _part(3, 45_000_000 - 2 * 16_777_216)],
        "memory": None,
    },
    response_only=True,
)


class NewUpload(StrictSerializer):
    """A recording that is to be sent."""

    filename = serializers.CharField(max_length=255, allow_blank=True, help_text="What a download shall be called.")
    content_type = serializers.CharField(
        max_length=100, help_text="What the PUT will carry; what the recording is, its content says."
    )
    size = serializers.IntegerField(min_value=1, help_text="Bytes.")
    sha256 = serializers.CharField(help_text="Of the whole file, in hexadecimal.")

    def validate_content_type(self, value: str) -> str:
        if not _MEDIA_TYPE.fullmatch(value):
            raise ValidationError("This is not a media type, such as audio/mp4.")
        return value

    def validate_sha256(self, value: str) -> str:
        if not _SHA256.fullmatch(value):
            raise ValidationError("A SHA-256 is 64 hexadecimal digits.")
        return value.lower()


class PartSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="From 1 on.")
    offset = serializers.IntegerField(help_text="Where in the file it begins, in bytes.")
    size = serializers.IntegerField(help_text="Bytes, exactly.")
    received = serializers.BooleanField()
    url = serializers.URLField(allow_null=True, help_text="Where to send it; null once it is there.")
    headers = serializers.DictField(child=serializers.CharField(), help_text="What the request must carry.")


class UploadSerializer(serializers.Serializer[Any]):
    """Where the bytes go. Each part is one request with `method`, its `headers` and no Authorization."""

    id = serializers.UUIDField()
    method = serializers.ChoiceField(choices=[METHOD])
    url = serializers.URLField(allow_null=True, help_text="Where to send the file, where it goes in one request.")
    headers = serializers.DictField(child=serializers.CharField(), help_text="What that request must carry.")
    expires_at = serializers.DateTimeField(help_text="The addresses work until then; a GET gives new ones.")
    parts = PartSerializer(many=True)
    memory = serializers.UUIDField(allow_null=True, help_text="The memory that it has become.")


def _shown(request: Request, upload: Upload) -> dict[str, Any]:
    seconds = 0 if upload.memory_id else uploads.address_seconds(upload)
    parts = [] if upload.memory_id else uploads.target().parts(upload, seconds=seconds)
    shown = [_shown_part(request, part) for part in parts]
    alone = shown[0] if len(shown) == 1 else {"url": None, "headers": {}}
    return {
        "id": upload.pk,
        "method": METHOD,
        "url": alone["url"],
        "headers": alone["headers"],
        "expires_at": timezone.now() + timedelta(seconds=seconds),
        "parts": shown,
        "memory": upload.memory_id,
    }


def _shown_part(request: Request, part: Part) -> dict[str, Any]:
    return {
        "number": part.span.number,
        "offset": part.span.offset,
        "size": part.span.size,
        "received": part.url is None,
        "url": request.build_absolute_uri(part.url) if part.url else None,
        "headers": part.headers,
    }


_NOT_HAD = (errors.StorageFull, errors.StorageUnavailable)


class UploadsView(APIView):
    @extend_schema(
        operation_id="uploads_create",
        summary="Announce a recording",
        request=NewUpload,
        examples=[
            OpenApiExample(
                "A voice memo",
                {"filename": "note.m4a", "content_type": "audio/mp4", "size": 61_204, "sha256": _SUM},
                request_only=True,
            )
        ],
        parameters=[
            OpenApiParameter("Location", str, OpenApiParameter.HEADER, description="The upload.", response=[201])
        ],
        responses={
            201: OpenApiResponse(UploadSerializer, description="Send the bytes there.", examples=[_SINGLE]),
            **problems.responses(
                ParseError,
                ValidationError,
                PermissionDenied,
                UnsupportedMediaType,
                errors.BodyTooLarge,
                errors.TooLarge,
                errors.TooManyUploads,
                errors.QuotaExceeded,
                *_NOT_HAD,
            ),
        },
    )
    def post(self, request: Request) -> Response:
        """The bytes then go straight to the storage, in one request or in parts; POST memories makes it a memory."""
        body = NewUpload(data=request.data)
        body.is_valid(raise_exception=True)
        upload = uploads.announce(owner=cast(User, request.user), **body.validated_data)
        headers = {"Location": reverse("upload", args=[upload.pk]), **NEVER_STORED}
        return Response(UploadSerializer(_shown(request, upload)).data, status=201, headers=headers)


class UploadView(APIView):
    @extend_schema(
        operation_id="uploads_retrieve",
        summary="What is there of it",
        responses={
            200: OpenApiResponse(UploadSerializer, description="As it stands.", examples=[_SINGLE, _IN_PARTS]),
            **problems.responses(NotFound, errors.UploadExpired, errors.StorageUnavailable),
        },
    )
    def get(self, request: Request, pk: UUID) -> Response:
        """Which parts are there, and new addresses for those that are missing: go on with these after a break."""
        upload = self._upload(request, pk)
        return Response(UploadSerializer(_shown(request, upload)).data, headers=NEVER_STORED)

    @extend_schema(
        operation_id="uploads_destroy",
        summary="Give it up",
        responses={
            204: OpenApiResponse(description="Nothing of it is left."),
            **problems.responses(PermissionDenied, NotFound, errors.StorageUnavailable),
        },
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Erases what is there of it. A memory that it has become stays."""
        uploads.abandon(self._upload(request, pk))
        return Response(status=204)

    def _upload(self, request: Request, pk: UUID) -> Upload:
        return get_object_or_404(Upload, pk=pk, owner=cast(User, request.user))


@extend_schema(exclude=True)  # addresses are to be followed as they are, here as at S3
class UploadPartView(APIView):
    """Takes one part on one machine. The signature stands for the person: whoever has the address may send."""

    authentication_classes = []
    permission_classes = []

    def put(self, request: Request, pk: UUID, number: int) -> Response:
        _check_signature(request, pk, number)
        upload = get_object_or_404(Upload, pk=pk)
        target = uploads.target()
        if not isinstance(target, LocalTarget):
            raise NotFound
        if upload.memory_id or upload.expires_at <= timezone.now():
            raise errors.UploadExpired
        span = spans(upload)[number - 1]
        _check_announced(request, upload, span)
        target.receive(upload, span, _blocks(request))
        return Response(headers=NEVER_STORED)


def _check_signature(request: Request, pk: UUID, number: int) -> None:
    try:
        check_signature(request.query_params.get("signature", ""), str(pk), number)
    except SignatureExpired as error:
        raise PermissionDenied("The time of this address is over: read the upload to get a new one.") from error
    except BadSignature as error:
        raise PermissionDenied("The signature of this address is not ours: use it as it was given.") from error


def _check_announced(request: Request, upload: Upload, span: Span) -> None:
    """S3 signs the same. Raises LengthRequired, UploadMismatch."""
    length = request.headers.get("Content-Length")
    if not length:
        raise errors.LengthRequired
    if length != str(span.size):
        raise errors.UploadMismatch(f"This part has {span.size} bytes, and the request says {length[:20]}.")
    if span.size == upload.size and request.headers.get("Content-Type") != upload.content_type:
        raise errors.UploadMismatch("The Content-Type is not the one that was announced.")


def _blocks(request: Request) -> Iterator[bytes]:
    """The body as it comes: none of it is held."""
    while block := request._request.read(BLOCK):
        yield block
