"""What hangs on a memory, on its page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest

from memories.models import Attempt, DeadLetter

LATEST = 25  # rows of one kind; the page links to all of them


class ReadOnlyInline(admin.TabularInline):  # type: ignore[type-arg]
    """The latest rows that hang on a memory."""

    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        assert request.resolver_match  # noqa: S101 (a view always has one)
        memory_id = unquote(request.resolver_match.kwargs["object_id"])
        # As a subquery: Django filters what we return once more, which a slice would not allow.
        return rows.filter(pk__in=rows.filter(memory=memory_id)[:LATEST].values("pk"))


class AttemptInline(ReadOnlyInline):
    model = Attempt
    verbose_name_plural = "latest attempts"
    fields = ["number", "stage", "outcome", "started_at", "seconds", "error_code", "model_used", "cost_usd", "worker"]
    readonly_fields = ["seconds", "model_used"]

    @admin.display(description="seconds")
    def seconds(self, attempt: Attempt) -> str:
        return f"{attempt.seconds:.1f}" if attempt.seconds is not None else ""

    @admin.display(description="model")
    def model_used(self, attempt: Attempt) -> str:
        return attempt.model


class DeadLetterInline(ReadOnlyInline):
    model = DeadLetter
    verbose_name_plural = "latest dead letters"
    fields = ["code", "stage", "created_at", "resolved_at", "resolution"]
