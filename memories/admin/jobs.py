"""Attempts and dead letters."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from memories import recovery, workload
from memories.admin.base import ReadOnlyAdmin, age, memory_link
from memories.admin.confirm import Refused, Work, run_confirmed
from memories.models import Attempt, DeadLetter, Stage


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = [
        "started_at",
        "memory_shown",
        "stage",
        "number",
        "outcome",
        "error_code",
        "took",
        "model",
        "cost_usd",
    ]
    list_filter = ["outcome", "stage", ("error_code", admin.AllValuesFieldListFilter), "started_at"]
    search_fields = ["memory__id", "memory__owner__username", "worker"]
    search_help_text = "By the id of a memory, the user name of its owner, or a worker."
    exclude = ["memory", "lease_token"]
    readonly_fields = ["memory_shown", "took"]

    def has_delete_permission(self, request: HttpRequest, obj: Attempt | None = None) -> bool:
        return False  # the record of what was paid

    @admin.display(description="memory")
    def memory_shown(self, attempt: Attempt) -> SafeString | str:
        return memory_link(attempt.memory_id)

    @admin.display(description="seconds")
    def took(self, attempt: Attempt) -> str:
        return f"{attempt.seconds:.1f}" if attempt.seconds is not None else ""


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("resolved", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
        if self.value() is None:
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    list_display = ["id", "code", "memory_shown", "stage", "age", "resolved_at", "resolution"]
    list_filter = [OpenFilter, ("code", admin.AllValuesFieldListFilter), "stage", "created_at"]
    list_select_related = ["memory"]
    search_fields = ["memory__id", "memory__owner__username", "code"]
    search_help_text = "By the id of a memory, the user name of its owner, or a code."
    exclude = ["memory"]
    readonly_fields = ["memory_shown", "next_step"]
    actions = ["requeue", "mark_as_resolved"]
    change_form_template = "admin/memories/dead_letter_form.html"

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_requeue": self.has_requeue_permission(request)}
        return super().change_view(request, object_id, form_url, context)

    @admin.action(description="Requeue", permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        work = Work("requeue", "Requeue these dead letters?", _check, _requeue, _consequences)
        return run_confirmed(self, request, _with_memories(queryset), work)

    @admin.action(description="Mark as resolved", permissions=["requeue"])
    def mark_as_resolved(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> None:
        """Somebody looked, and there is nothing to try again; the memories stay as they are."""
        marked = 0
        for letter in queryset.filter(resolved_at=None):
            if DeadLetter.objects.filter(pk=letter.pk).resolve(DeadLetter.Resolution.DISMISSED):
                self.log_change(request, letter, "Mark as resolved")
                marked += 1
        self.message_user(request, f"Marked as resolved: {marked}.", messages.SUCCESS if marked else messages.WARNING)

    @admin.display(description="memory")
    def memory_shown(self, letter: DeadLetter) -> SafeString | str:
        return memory_link(letter.memory_id)

    @admin.display(ordering="created_at")
    def age(self, letter: DeadLetter) -> str:
        return age(letter.created_at)


def _with_memories(letters: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
    return letters.select_related("memory").annotate(has_words=recovery.has_words("memory"))


def _check(letter: Any) -> None:
    if letter.resolved_at:
        raise Refused("It is resolved already.")
    if letter.memory is None:
        raise Refused("There is no memory to work on: the message named none, or it was erased.")
    recovery.check_reprocessable(letter.memory, Stage(letter.memory.stage), words=letter.has_words)


def _requeue(letter: DeadLetter) -> None:
    _check(_with_memories(DeadLetter.objects.all()).get(pk=letter.pk))  # somebody else may have been faster
    recovery.requeue(letter.pk)


def _consequences(letters: list[DeadLetter]) -> list[str]:
    memories = {letter.memory.pk: letter.memory for letter in letters if letter.memory}.values()
    unheard = [memory.duration_seconds for memory in memories if memory.stage == Stage.TRANSCRIPTION]
    return [
        "Each memory goes on from where it failed; what was transcribed already is not transcribed again.",
        f"At most: {workload.sound(unheard)}",
        "What people changed stays for good. The dead letters are marked as resolved.",
    ]
