"""Every error that a client is told, as a problem document (RFC 9457) with a stable `code`.

PROBLEMS is the one table of what can go wrong and which status it gets. `type` is the address of its entry on the page
that `catalogue` serves.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.html import format_html, format_html_join
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from rest_framework import exceptions, serializers
from rest_framework.views import set_rollback

from memories import errors
from memories.database import AWAY
from memories.storage import is_disk_full

CATALOGUE_PATH = "/api/docs/problems"
MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 30  # seconds, where nobody knows better

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    status: int
    code: str
    detail: str
    next_step: str

    @property
    def type(self) -> str:
        return f"{CATALOGUE_PATH}#{self.code}"

    @property
    def title(self) -> str:
        return self.code.replace("_", " ").capitalize()


STATUSES: dict[type[errors.MemoriesError], int] = {
    errors.EmptyUpload: 400,
    errors.NotAudio: 415,
    errors.NoSound: 415,
    errors.TooLong: 413,
    errors.TooLarge: 413,
    errors.TooCostly: 413,
    errors.AudioMissing: 404,
    errors.AudioExpired: 410,
    errors.BadCredentials: 401,
    errors.IdempotencyConflict: 409,
    errors.QuotaExceeded: 403,  # not 507: clients try a 5xx again by themselves, and only the person can help this
    errors.TooManyUploads: 429,
    errors.StaleVersion: 412,
    errors.RangeNotSatisfiable: 416,
    errors.BadCursor: 400,
    errors.UnknownSegment: 400,
    errors.TranscriptNotReady: 409,
    errors.MemoryBusy: 409,
    errors.NothingToAnalyze: 409,
    errors.UploadIncomplete: 409,
    errors.UploadMismatch: 409,
    errors.UploadExpired: 410,
    errors.LengthRequired: 411,
    errors.BodyTooLarge: 413,
    errors.StorageFull: 507,
    errors.StorageUnavailable: 503,
    errors.DatabaseUnavailable: 503,
    errors.QueueUnavailable: 503,
    errors.EventsUnavailable: 503,
}

INTERNAL = Problem(500, errors.MemoriesError.code, errors.MemoriesError.detail, errors.MemoriesError.next_step)

_READ_SCHEMA = "Compare the request with what /api/docs says about this call."
PROBLEMS: dict[type[Exception], Problem] = {
    **{cls: Problem(status, cls.code, cls.detail, cls.next_step) for cls, status in STATUSES.items()},
    exceptions.ParseError: Problem(400, "malformed_request", "The request cannot be read.", _READ_SCHEMA),
    exceptions.ValidationError: Problem(
        400, "validation_failed", "Some of what was sent is not right.", "Mend what `errors` names, and send it again."
    ),
    exceptions.NotAuthenticated: Problem(
        401,
        "not_authenticated",
        "The request does not say who you are.",
        "Get a token with POST /api/v1/auth/token and send it as `Authorization: Bearer <token>`.",
    ),
    exceptions.AuthenticationFailed: Problem(
        401,
        "authentication_failed",
        "The token is not valid: it is unknown, has expired or was revoked.",
        "Log in again with POST /api/v1/auth/token.",
    ),
    exceptions.PermissionDenied: Problem(
        403,
        "permission_denied",
        "You may not do this.",
        "Ask the people who run this service; a page with a session must send its CSRF token too.",
    ),
    exceptions.NotFound: Problem(404, "not_found", "There is nothing here.", "Look at the address, and at /api/docs."),
    exceptions.MethodNotAllowed: Problem(
        405, "method_not_allowed", "This address does not take that method.", "Use one of those that `Allow` names."
    ),
    exceptions.NotAcceptable: Problem(
        406, "not_acceptable", "None of the formats in `Accept` can be had here.", "Ask for application/json."
    ),
    exceptions.UnsupportedMediaType: Problem(
        415,
        "unsupported_media_type",
        "This call does not take that Content-Type.",
        "Send recordings as multipart/form-data with a part named `audio`, and all else as application/json.",
    ),
    exceptions.Throttled: Problem(
        429, "too_many_requests", "Too many requests.", "Wait for the seconds in Retry-After, then try again."
    ),
}


def problem_response(exc: Exception, context: dict[str, Any]) -> HttpResponse:
    """What DRF answers to an exception in a view (EXCEPTION_HANDLER)."""
    set_rollback()
    exc = _in_our_words(exc)
    problem = _problem_of(exc)
    if problem is INTERNAL:
        logger.error("Unexpected %s", type(exc).__name__, exc_info=exc)
    elif problem.status >= 500:
        logger.error("%s", problem.code, exc_info=exc.__cause__)
    return _response(problem, context.get("request"), exc)


def _in_our_words(exc: Exception) -> Exception:
    """The exceptions of Django and of the system, as those that the table knows."""
    ours: Exception
    match exc:
        case _ if isinstance(exc, AWAY):
            ours = errors.DatabaseUnavailable()
        case Http404():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
        case UnreadablePostError():
            ours = exceptions.ParseError("The connection broke off before the whole request was here.")
        case RequestDataTooBig():
            ours = errors.BodyTooLarge()
        case TooManyFieldsSent() | TooManyFilesSent():
            ours = exceptions.ParseError("The form has too many parts.")
        case MultiPartParserError() | SuspiciousOperation():
            ours = exceptions.ParseError()
        case OSError() if is_disk_full(exc):
            ours = errors.StorageFull()
        case _:
            return exc
    ours.__cause__ = exc
    return ours


def _problem_of(exc: Exception) -> Problem:
    return next((PROBLEMS[cls] for cls in type(exc).__mro__ if cls in PROBLEMS), INTERNAL)


def _response(problem: Problem, request: Any, exc: Exception | None = None) -> HttpResponse:
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": _detail(problem, exc),
        "next_step": problem.next_step,
    }
    if request is not None:
        body["instance"] = request.path
    if isinstance(exc, exceptions.ValidationError):
        body["errors"] = dict(_messages(exc.detail))
    return JsonResponse(body, status=problem.status, content_type=MEDIA_TYPE, headers=_headers(problem, exc))


def _detail(problem: Problem, exc: Exception | None) -> str:
    match exc:
        case errors.MemoriesError() if problem is not INTERNAL:
            return exc.detail
        case exceptions.ValidationError():
            return problem.detail
        case exceptions.APIException() if problem is not INTERNAL and str(exc.detail) != str(exc.default_detail):
            return str(exc.detail)
    return problem.detail


def _headers(problem: Problem, exc: Exception | None) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    wait = getattr(exc, "retry_after", None) or getattr(exc, "wait", None)
    if wait or problem.status in (429, 503):
        headers["Retry-After"] = str(math.ceil(wait or RETRY_AFTER))
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, errors.RangeNotSatisfiable):
        headers["Content-Range"] = f"bytes */{exc.length}"
    return headers


def _messages(detail: Any, path: str = "") -> Iterator[tuple[str, list[str]]]:
    """DRF's nested details as {"transcript.segments.0.text": ["…"]}."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from _messages(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(detail, list) and any(isinstance(inner, dict | list) for inner in detail):
        for index, inner in enumerate(detail):
            yield from _messages(inner, f"{path}.{index}" if path else str(index))
    elif detail:
        yield path or "non_field_errors", [str(message) for message in detail]


# --- outside of DRF's views: an address below /api/ answers with problems whatever happens ----------------------------


@csrf_exempt  # nothing happens here, and "forgery" would be a strange answer to a typing mistake
def unknown_address(request: HttpRequest) -> HttpResponse:
    """The view behind all other addresses below /api/."""
    return _response(PROBLEMS[exceptions.NotFound], request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400."""
    return _below_api(request, PROBLEMS[exceptions.ParseError]) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403."""
    return _below_api(request, PROBLEMS[exceptions.PermissionDenied]) or defaults.permission_denied(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500."""
    return _below_api(request, INTERNAL) or defaults.server_error(request)


def _below_api(request: HttpRequest, problem: Problem) -> HttpResponse | None:
    return _response(problem, request) if request.path.startswith("/api/") else None


def catalogue(request: HttpRequest) -> HttpResponse:
    """The page that each problem's `type` leads to."""
    problems = sorted({*PROBLEMS.values(), INTERNAL}, key=lambda problem: problem.code)
    entries = format_html_join(
        "\n",
        '<dt id="{0}"><code>{0}</code> ({1})</dt><dd>{2} {3}</dd>',
        ((problem.code, problem.status, problem.detail, problem.next_step) for problem in problems),
    )
    return HttpResponse(
        format_html(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Problems</title><h1>Problems</h1><dl>{}</dl>',
            entries,
        )
    )


# --- in the schema -------------------------------------------------------------------------------------------------


class ProblemSerializer(serializers.Serializer[Any]):
    """A problem document (RFC 9457)."""

    type = serializers.CharField(help_text="The address of what the documentation says about this code.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable: decide by this one.")
    detail = serializers.CharField(help_text="One sentence for people.")
    next_step = serializers.CharField(help_text="What can be done about it.")
    instance = serializers.CharField(required=False, help_text="The path that was asked for.")
    errors = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()),
        required=False,
        help_text="What is wrong with which field, where fields are wrong.",
    )


EVERYWHERE: tuple[type[Exception], ...] = (
    exceptions.NotAuthenticated,
    exceptions.AuthenticationFailed,
    exceptions.Throttled,
    errors.DatabaseUnavailable,
)


def responses(*causes: type[Exception]) -> dict[tuple[int, str], OpenApiResponse]:
    """For extend_schema: what an operation answers to these exceptions, and to those that can happen everywhere."""
    problems = {PROBLEMS[cause] for cause in (*causes, *EVERYWHERE)} | {INTERNAL}
    by_status: dict[int, list[Problem]] = {}
    for problem in sorted(problems, key=lambda problem: (problem.status, problem.code)):
        by_status.setdefault(problem.status, []).append(problem)
    return {
        (status, MEDIA_TYPE): OpenApiResponse(
            ProblemSerializer,
            description=", ".join(f"`{problem.code}`" for problem in same),
            examples=[_example(problem) for problem in same],
        )
        for status, same in by_status.items()
    }


def _example(problem: Problem) -> OpenApiExample:
    value = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        "next_step": problem.next_step,
    }
    return OpenApiExample(problem.code, value, response_only=True, status_codes=[str(problem.status)])
