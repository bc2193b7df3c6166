"""Admin actions in two steps: a page that says what will happen, and, once confirmed, the doing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from memories.admin.base import ReadOnlyAdmin, page_of
from memories.errors import MemoriesError

Row = TypeVar("Row", bound=Model)
MOST = 500  # rows in one action: each is a field of the form, and Django takes a thousand
SHOWN = 20  # rows that a page or a message names


class Refused(Exception):
    """Why there is nothing to be done with a row that was selected."""


@dataclass(frozen=True)
class Work(Generic[Row]):
    """`check` and `run` raise Refused, MemoriesError or ObjectDoesNotExist for a row that cannot be worked on."""

    action: str
    title: str
    check: Callable[[Row], None]
    run: Callable[[Row], object]
    consequences: Callable[[list[Row]], list[str]]


def run_confirmed(
    model_admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Row], work: Work[Row]
) -> HttpResponse | None:
    rows = list(queryset[: MOST + 1])
    if len(rows) > MOST:
        model_admin.message_user(request, f"Nothing was done: select at most {MOST} at a time.", messages.WARNING)
        return None
    if "confirmed" in request.POST:
        _do(model_admin, request, rows, work)
        return None
    possible, refused = _attempt(rows, work.check)
    context = {
        **model_admin.admin_site.each_context(request),
        "title": work.title,
        "opts": model_admin.model._meta,
        "action": work.action,
        "checkbox": ACTION_CHECKBOX_NAME,
        "rows": possible,
        "refused": [(page_of(row), reason) for row, reason in refused[:SHOWN]],
        "refused_count": len(refused),
        "consequences": work.consequences(possible),
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/memories/confirm.html", context)


def reason_of(error: Exception) -> str:
    if isinstance(error, MemoriesError):
        return f"{error.detail} {error.next_step}"
    return str(error) if isinstance(error, Refused) else "It was erased in the meantime."


def _attempt(rows: list[Row], step: Callable[[Row], object]) -> tuple[list[Row], list[tuple[Row, str]]]:
    done: list[Row] = []
    refused: list[tuple[Row, str]] = []
    for row in rows:
        try:
            step(row)
            done.append(row)
        except (Refused, MemoriesError, ObjectDoesNotExist) as error:
            refused.append((row, reason_of(error)))
    return done, refused


def _do(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: list[Row], work: Work[Row]) -> None:
    def run(row: Row) -> None:
        work.run(row)
        model_admin.log_change(request, row, work.action.replace("_", " ").capitalize())

    done, refused = _attempt(rows, run)
    if done:
        said = format_html("Queued again: {}. A worker takes them next. {}", len(done), _links(done))
        model_admin.message_user(request, said, messages.SUCCESS)
    for row, reason in refused[:SHOWN]:
        model_admin.message_user(request, format_html("Not done for {}: {}", page_of(row), reason), messages.WARNING)
    if len(refused) > SHOWN:
        model_admin.message_user(request, f"{len(refused) - SHOWN} more were refused.", messages.WARNING)


def _links(rows: list[Any]) -> SafeString:
    shown = format_html_join(", ", "{}", ((page_of(row),) for row in rows[:SHOWN]))
    return format_html("{} and {} more", shown, len(rows) - SHOWN) if len(rows) > SHOWN else shown
