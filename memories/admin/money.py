"""Paid work: the breaker that stops it for all, and what the days cost."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from memories import spending
from memories.admin.base import ReadOnlyAdmin, audit
from memories.models import Breaker, DailySpending, Memory, Stage, Status


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    """A row says that paid work at a stage waits for somebody who mends the account."""

    list_display = ["stage", "code", "detail", "next_step", "opened_at", "probe_at", "waiting"]
    readonly_fields = ["next_step"]
    actions = ["try_now"]

    def has_delete_permission(self, request: HttpRequest, obj: Breaker | None = None) -> bool:
        return False  # it closes by itself with the first call that works

    def get_queryset(self, request: HttpRequest) -> QuerySet[Breaker]:
        breakers: QuerySet[Breaker] = super().get_queryset(request)
        queued = Memory.objects.filter(status=Status.QUEUED, stage=OuterRef("stage"), error_code=OuterRef("code"))
        count = queued.order_by().values("stage").annotate(count=Count("pk")).values("count")
        return breakers.annotate(waiting_count=Coalesce(Subquery(count), 0))

    @admin.display(description="memories waiting")
    def waiting(self, breaker: Any) -> int:
        count: int = breaker.waiting_count
        return count

    @admin.action(description="Try now", permissions=["requeue"])
    def try_now(self, request: HttpRequest, queryset: QuerySet[Breaker]) -> None:
        for breaker in queryset:
            spending.probe_now(Stage(breaker.stage))
            audit.info("%s asked for a probe of %s", request.user.pk, breaker.stage)
        self.message_user(request, "One memory tries now; if that works, all go on.", messages.SUCCESS)


@admin.register(DailySpending)
class DailySpendingAdmin(ReadOnlyAdmin):
    list_display = ["day", "who", "usd"]
    list_filter = ["day"]
    list_select_related = ["owner"]
    ordering = ["-day", "-usd"]

    def has_delete_permission(self, request: HttpRequest, obj: DailySpending | None = None) -> bool:
        return False  # the budget counts by it

    @admin.display(description="of", ordering="owner__username")
    def who(self, row: DailySpending) -> str:
        return str(row.owner) if row.owner else "everybody"
