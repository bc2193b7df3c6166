"""What our admin pages share: nothing is typed in here, and each action says first what it will do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.timesince import timesince

from memories.errors import MemoriesError
from memories.models import Memory

Row = TypeVar("Row", bound=Model)
SHOWN = 50  # refused ones that a page names


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Rows to look at. What can be done with them are actions, with a permission of their own."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, *args)
        except ValidationError as error:  # Django passes on what was selected as it came
            raise BadRequest("What was selected is not an id.") from error

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Named by the actions: whoever may change memories may set them going again."""
        return bool(request.user.has_perm("memories.change_memory"))


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def age(moment: Any) -> str:
    return timesince(moment, timezone.now(), depth=1)


def refusal(error: Exception) -> str:
    if isinstance(error, MemoriesError):
        return f"{error.detail} {error.next_step}"
    return "There is no memory to work on: the message named none, or it was erased."


def run_confirmed(
    model_admin: ReadOnlyAdmin,
    request: HttpRequest,
    queryset: QuerySet[Row],
    *,
    action: str,
    title: str,
    check: Callable[[Row], None],
    run: Callable[[Row], Any],
    consequences: Callable[[list[Row]], list[str]],
) -> HttpResponse | None:
    """An admin action in two steps: a page that says what will happen, and, once confirmed, the doing.

    `check` and `run` raise MemoriesError or Memory.DoesNotExist for a row that cannot be worked on.
    """
    possible: list[Row] = []
    refused: list[tuple[Row, str]] = []
    confirmed = "confirmed" in request.POST
    for row in queryset:
        try:
            (run if confirmed else check)(row)
            possible.append(row)
        except (MemoriesError, Memory.DoesNotExist) as error:
            refused.append((row, refusal(error)))
    if confirmed:
        _report(model_admin, request, len(possible), refused)
        return None
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "opts": model_admin.model._meta,
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
        "rows": possible,
        "refused": refused[:SHOWN],
        "refused_count": len(refused),
        "consequences": consequences(possible),
        "media": model_admin.media,
    }
    return TemplateResponse(request, "admin/memories/confirm.html", context)


def _report(model_admin: ReadOnlyAdmin, request: HttpRequest, done: int, refused: list[tuple[Row, str]]) -> None:
    if done:
        model_admin.message_user(request, f"Queued again: {done}. A worker takes them next.", messages.SUCCESS)
    for row, reason in refused[:SHOWN]:
        model_admin.message_user(request, f"Not done for {row}: {reason}", messages.WARNING)
    if len(refused) > SHOWN:
        model_admin.message_user(request, f"{len(refused) - SHOWN} more were refused.", messages.WARNING)
