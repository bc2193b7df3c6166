"""The calls on memories."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import prefetch_related_objects
from django.http import Http404, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema_view
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.urls import replace_query_param

from memories import editing, privacy, recall, recovery
from memories.api import schema
from memories.api.create import CreateMemory
from memories.api.serializers import (
    DownloadQuery,
    MemoryEdit,
    MemoryListItemSerializer,
    MemorySerializer,
    ReprocessRequest,
    TimelineQuery,
    TranscriptQuery,
    WaitQuery,
    transcript_of,
)
from memories.delivery import etags
from memories.delivery.media import audio_response, transcript_response
from memories.errors import StaleVersion
from memories.models import UNFINISHED, Memory, MemoryQuerySet, Stage
from memories.waiting import watcher


class AlwaysJSON(DefaultContentNegotiation):
    """An <audio> element asks for audio/*, and its problems come as JSON all the same."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


@extend_schema_view(**schema.MEMORIES)
class MemoryViewSet(CreateMemory):
    """Everything here is about the memories of whoever asks: those of others do not exist."""

    serializer_class = MemorySerializer
    content_negotiation_class = AlwaysJSON

    def get_queryset(self) -> MemoryQuerySet:
        return recall.owned_by(self.request.user)

    def list(self, request: Request) -> Response:
        query = _validated(TimelineQuery(data=request.query_params))
        limit, cursor = query.pop("limit"), query.pop("cursor", "")
        filters = recall.Filters(**query)
        page = recall.page(recall.timeline(request.user, filters), cursor=cursor, limit=limit)
        context = {**self.get_serializer_context(), "excerpts": recall.excerpts(page.memories, filters.q)}
        results = [MemoryListItemSerializer(memory, context=context).data for memory in page.memories]
        next_ = replace_query_param(request.build_absolute_uri(), "cursor", page.next) if page.next else None
        return Response({"results": results, "next": next_})

    def retrieve(self, request: Request, pk: str) -> Response:
        seconds = _validated(WaitQuery(data=request.query_params))["wait"]
        memory = self.get_object()
        known = request.headers.get("If-None-Match")
        if seconds and memory.status in UNFINISHED and (known is None or etags.names(known, memory.etag)):
            watcher.wait(memory.pk, seen=memory.status, seconds=seconds)
            memory = self.get_object()
        if known is not None and etags.names(known, memory.etag):
            return Response(status=304, headers={"ETag": memory.etag})
        return self.answer(memory)

    def partial_update(self, request: Request, pk: str) -> Response:
        body = _validated(MemoryEdit(data=request.data))
        memory = self.get_object()
        known = request.headers.get("If-Match", "*")
        if not etags.names_edition(known, memory):
            raise StaleVersion
        segments = body.pop("transcript", {}).get("segments")
        texts = {segment["id"]: segment["text"] for segment in segments} if segments else None
        changes = editing.Changes(**body, segments=texts)
        editing.edit(memory, changes, edition=None if known == "*" else memory.edition)
        return self.answer(self.get_object())

    def destroy(self, request: Request, pk: str) -> Response:
        privacy.erase(self.get_object())
        return Response(status=204)

    @action(detail=True)
    def audio(self, request: Request, pk: str) -> HttpResponseBase:
        query = _validated(DownloadQuery(data=request.query_params))
        return audio_response(request._request, self.get_object(), download=query["download"])

    @action(detail=True)
    def transcript(self, request: Request, pk: str) -> HttpResponse:
        query = _validated(TranscriptQuery(data=request.query_params))
        memory = self.get_object()
        return transcript_response(memory, transcript_of(memory), query["format"], download=query["download"])

    @action(detail=True, methods=["post"])
    def reprocess(self, request: Request, pk: str) -> Response:
        body = _validated(ReprocessRequest(data=request.data))
        recovery.reprocess(self.get_object().pk, stage=Stage(body["from"]))
        return self.answer(self.get_object(), status=202)

    def answer(self, memory: Memory, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
        """A memory as it is now, with the ETag of this version."""
        prefetch_related_objects([memory], recall.findings())
        return Response(
            self.get_serializer(memory).data, status=status, headers={"ETag": memory.etag, **(headers or {})}
        )

    def handle_exception(self, exc: Exception) -> Response:
        """A memory that is erased while somebody works with it is as if it had never been."""
        return super().handle_exception(Http404() if isinstance(exc, Memory.DoesNotExist) else exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response.headers.setdefault("Cache-Control", "private, no-cache")  # to be kept, but asked about each time
        return super().finalize_response(request, response, *args, **kwargs)


def _validated(serializer: BaseSerializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    data: dict[str, Any] = serializer.validated_data
    return data
