"""GET events: what happens to the memories of whoever listens, as Server-Sent Events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from time import monotonic
from typing import cast

from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIRequest
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from memories.api.problems import responses
from memories.api.views import AlwaysJSON
from memories.errors import EventsUnavailable
from memories.events import Event, Listener
from memories.waiting import leave_database, seats

SHARE = 0.5  # of all seats: those who wait come and go, those who listen stay
EACH = 4  # streams of one person
RETRY_MILLISECONDS = 3000  # until a client whose stream has ended comes again
LOOK_SECONDS = 1.0  # between two looks at whether to end

_EXAMPLE = """\
retry: 3000

id: 1778142600000-0
event: reset
data: {}

id: 1778142612345-0
event: memory
data: {"id": "0197a3c2-6f0e-4b7c-9d4e-2f1a5b8c7d90", "status": "TRANSCRIBING", "progress": 40, "version": 5}

"""


class EventsView(APIView):
    http_method_names = ["get", "options"]
    content_negotiation_class = AlwaysJSON  # for problems: clients ask for text/event-stream

    @extend_schema(
        operation_id="events_list",
        summary="Listen",
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="The `id` of the last event that you saw: the stream goes on after it.",
            )
        ],
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                description="Events, until the stream ends.",
                examples=[OpenApiExample("The beginning of a stream", _EXAMPLE, response_only=True)],
            ),
            **responses(NotFound, EventsUnavailable),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """What happens to your memories, while it happens; 404 where this is switched off. `memory`: one has changed,
        and this is how it stands; ignore a `version` that is not above the one you have. `erased`: one is gone.
        `reset`: you may have missed something, so read your memories once. A comment comes every 15 seconds. The
        stream ends after some minutes: come again with `Last-Event-ID`, as browsers do by themselves."""
        if not settings.REDIS_ENABLED or not isinstance(request._request, WSGIRequest):
            # Django collects this kind of body to its end on an ASGI server, as Mangum does in a Lambda.
            raise NotFound("There are no live events here: poll.")
        stream = EventStream(cast(User, request.user).pk, request.headers.get("Last-Event-ID", ""))
        return StreamingHttpResponse(
            stream,
            content_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},  # the second: nginx keeps nothing back
        )


class EventStream:
    """The body of an answer. It holds a seat and a connection to Redis until it is closed, and none to the database."""

    def __init__(self, owner_id: int, last_event_id: str) -> None:
        """Raises EventsUnavailable."""
        self._owner_id = owner_id
        if not seats.take(owner_id, share=SHARE, each=EACH):
            raise EventsUnavailable("Too many listen already.")
        try:
            self._listener = Listener(owner_id, last_event_id=last_event_id)
        except BaseException:
            seats.leave(owner_id)
            raise
        self._chunks = self._listen()

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._listener.close()
        seats.leave(self._owner_id)

    def _listen(self) -> Iterator[bytes]:
        leave_database()
        yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
        yield from map(as_bytes, self._listener.first())
        # Two comments in a row: where the client has gone, the first is answered with a reset, which the second meets.
        pauses = cycle((settings.MEMORIES_HEARTBEAT_SECONDS, LOOK_SECONDS))
        ends_at, beats_at = monotonic() + settings.MEMORIES_STREAM_SECONDS, monotonic() + next(pauses)
        with suppress(EventsUnavailable):  # the client comes again, and is told then
            while monotonic() < ends_at and not seats.server_stops():
                yield from map(as_bytes, self._listener.wait(LOOK_SECONDS))
                if monotonic() >= beats_at:
                    beats_at = monotonic() + next(pauses)
                    yield b":\n"


def as_bytes(event: Event) -> bytes:
    return f"id: {event.id}\nevent: {event.name}\ndata: {event.data}\n\n".encode()
