"""For load balancers and people on call: is this process alive, and can it reach what it stands on?"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import connection
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from memories import migrated, ports
from memories.errors import MemoriesError

if TYPE_CHECKING:
    from memories.storage.s3 import PrivateS3Storage

CHOICES = ["ok", "failed"]
NEVER_STORED = {"Cache-Control": "no-store"}

logger = logging.getLogger(__name__)


class AliveSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["ok"])
    release = serializers.CharField(help_text="The commit that is running; empty where nobody said it.")


class ReadySerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=CHOICES)
    database = serializers.ChoiceField(choices=CHOICES)
    storage = serializers.ChoiceField(choices=CHOICES)
    queue = serializers.ChoiceField(choices=CHOICES)


class _Open(APIView):
    """For anybody, as often as they like: it says nothing that is secret."""

    authentication_classes = []
    permission_classes = []
    throttle_classes = []


class AliveView(_Open):
    @extend_schema(operation_id="healthz", summary="Alive?", responses=AliveSerializer)
    def get(self, request: Request) -> Response:
        """This process answers. Touches nothing else."""
        return Response({"status": "ok", "release": settings.MEMORIES_RELEASE}, headers=NEVER_STORED)


class ReadyView(_Open):
    @extend_schema(
        operation_id="readyz",
        summary="Ready?",
        responses={200: ReadySerializer, 503: OpenApiResponse(ReadySerializer, description="Something has failed.")},
    )
    def get(self, request: Request) -> Response:
        """Database, storage and queue can be reached."""
        parts = {name: _state(name, reach) for name, reach in PARTS.items()}
        status = "failed" if "failed" in parts.values() else "ok"
        return Response({"status": status, **parts}, status=200 if status == "ok" else 503, headers=NEVER_STORED)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    migrated.check()


def _storage() -> None:
    if isinstance(default_storage, FileSystemStorage):
        folder = Path(default_storage.location)
        nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())  # the first upload makes it
        if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
            raise NotADirectoryError
    else:
        cast("PrivateS3Storage", default_storage).reach()


def _queue() -> None:
    ports.queue().reach()


PARTS: dict[str, Callable[[], None]] = {"database": _database, "storage": _storage, "queue": _queue}


def _state(name: str, reach: Callable[[], None]) -> str:
    try:
        reach()
    except Exception as error:  # whatever it is, the answer is that it failed
        reason = error.detail if isinstance(error, MemoriesError) else type(error).__name__
        logger.warning("Not ready: %s failed with %s", name, reason)
        return "failed"
    return "ok"
