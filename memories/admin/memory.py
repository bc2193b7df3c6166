"""Memories: the job for all staff, the content for those who may see it, and each look at it in the log."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from memories import recovery, workload
from memories.admin.base import ReadOnlyAdmin, age, audit, short
from memories.admin.confirm import Work, reason_of, run_confirmed
from memories.admin.erasing import ErasingAdmin, erase_memory
from memories.admin.inlines import AttemptInline, DeadLetterInline
from memories.delivery.media import audio_response
from memories.errors import MemoriesError, RangeNotSatisfiable
from memories.models import Attempt, DeadLetter, Memory, Stage, Tag, Transcript

VIEW_CONTENT = "memories.view_content"
HIDDEN = "Hidden: it needs the permission “Can see the words and hear the sound of people's memories”."


class OpenDeadLetterFilter(admin.SimpleListFilter):
    title = "open dead letter"
    parameter_name = "dead"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Yes"), ("no", "No")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Memory]) -> QuerySet[Memory]:
        if self.value() is None:
            return queryset
        is_open = Exists(DeadLetter.objects.unresolved().filter(memory=OuterRef("pk")))
        return queryset.filter(is_open if self.value() == "yes" else ~is_open)


@admin.register(Memory)
class MemoryAdmin(ErasingAdmin, ReadOnlyAdmin):
    list_display = [
        "short_id",
        "owner",
        "status",
        "age",
        "error_code",
        "minutes",
        "cost",
        "dead_letter",
    ]
    list_filter = [
        "status",
        "stage",
        ("error_code", admin.AllValuesFieldListFilter),
        OpenDeadLetterFilter,
        "created_at",
    ]
    list_select_related = ["owner"]
    search_fields = ["id", "owner__username"]
    search_help_text = "By id, or by the user name of the owner."
    ordering = ["-created_at"]
    actions = ["reprocess_from_transcription", "reprocess_from_analysis"]
    change_form_template = "admin/memories/memory_form.html"
    inlines = [AttemptInline, DeadLetterInline]
    job_fields = [
        "id",
        "owner",
        ("status", "stage", "progress_shown"),
        "status_detail",
        ("error_code", "error_detail", "next_step"),
        ("attempts", "next_attempt_at", "enqueued_at", "lease_expires_at"),
        ("recorded_at", "created_at", "updated_at"),
        ("language_shown", "analysis_model", "findings_dropped"),
        "records",
    ]
    recording_fields = [
        ("audio_content_type", "audio_size", "duration_seconds"),
        ("audio_sha256", "expires"),
        "audio_damage",
    ]
    content_fields = [
        "title",
        "summary",
        "tags_shown",
        "mood_shown",
        "action_items_shown",
        "transcript_shown",
        "audio_filename",
        "audio_link",
        "edited_fields",
    ]
    readonly_fields = [
        "progress_shown",
        "status_detail",
        "next_step",
        "language_shown",
        "records",
        "expires",
        "tags_shown",
        "mood_shown",
        "action_items_shown",
        "transcript_shown",
        "audio_link",
        "hidden",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Memory]:
        memories: QuerySet[Memory] = super().get_queryset(request)
        unresolved = DeadLetter.objects.unresolved().filter(memory=OuterRef("pk"))
        paid = Attempt.objects.filter(memory=OuterRef("pk")).order_by().values("memory")
        spent = Subquery(paid.annotate(spent=Sum("cost_usd")).values("spent"))
        return memories.annotate(spent=spent, has_dead_letter=Exists(unresolved))

    def get_fieldsets(self, request: HttpRequest, obj: Memory | None = None) -> Any:
        content = self.content_fields if may_see_content(request.user) else ["hidden"]
        return [
            ("Job", {"fields": self.job_fields}),
            ("Recording", {"fields": self.recording_fields}),
            ("Content", {"fields": content}),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "may_requeue": self.has_requeue_permission(request)}
        return super().change_view(request, object_id, form_url, context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if may_see_content(request.user):
            audit.info("%s looked at the content of %s", request.user.pk, context["original"].pk)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        listen = path("<uuid:pk>/audio/", self.admin_site.admin_view(self.listen), name="memories_memory_audio")
        return [listen, *super().get_urls()]

    def listen(self, request: HttpRequest, pk: Any) -> HttpResponseBase:
        """The sound, to those who may hear it."""
        if not (self.has_view_permission(request) and may_see_content(request.user)):
            raise PermissionDenied
        memory = get_object_or_404(Memory, pk=pk)
        try:
            response = audio_response(request, memory, download=False)
        except RangeNotSatisfiable as error:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{error.length}"})
        except MemoriesError as error:
            return HttpResponse(reason_of(error), status=404 if error.permanent else 503, content_type="text/plain")
        audit.info("%s listened to %s", request.user.pk, memory.pk)
        return response

    # --- what can be done -------------------------------------------------------------------------------------------

    @admin.action(description="Reprocess from transcription", permissions=["requeue"])
    def reprocess_from_transcription(self, request: HttpRequest, queryset: QuerySet[Memory]) -> HttpResponse | None:
        return self._reprocess(request, queryset, Stage.TRANSCRIPTION)

    @admin.action(description="Reprocess from analysis", permissions=["requeue"])
    def reprocess_from_analysis(self, request: HttpRequest, queryset: QuerySet[Memory]) -> HttpResponse | None:
        return self._reprocess(request, queryset, Stage.ANALYSIS)

    def _reprocess(self, request: HttpRequest, queryset: QuerySet[Memory], stage: Stage) -> HttpResponse | None:
        def consequences(memories: list[Memory]) -> list[str]:
            durations = [memory.duration_seconds for memory in memories]
            again = stage is Stage.TRANSCRIPTION
            return [
                workload.sound(durations) if again else "Nothing is transcribed again: the words are there.",
                workload.price(durations, stage),
                "What they hold now stays until it is replaced; what people changed stays for good.",
            ]

        def check(memory: Any) -> None:
            recovery.check_reprocessable(memory, stage, words=memory.has_words)

        work = Work(
            action=f"reprocess_from_{stage.value}",
            title=f"Reprocess from {stage.value}?",
            check=check,
            run=lambda memory: recovery.reprocess(memory.pk, stage=stage),
            consequences=consequences,
        )
        return run_confirmed(self, request, queryset.annotate(has_words=recovery.has_words()), work)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[str]]:
        """Erasing takes everything that hangs on a memory along: one line each says it, and shows no content."""
        memories = [f"Memory {memory.pk}, with its audio, words, findings and attempts" for memory in objs]
        needed = set() if self.has_delete_permission(request) else {"memory"}
        return memories, {"memories": len(memories)}, needed, []

    def delete_model(self, request: HttpRequest, obj: Memory) -> None:
        erase_memory(request, obj)

    # --- what is shown ----------------------------------------------------------------------------------------------

    @admin.display(description="id")
    def short_id(self, memory: Memory) -> str:
        return short(memory.pk)

    @admin.display(description="everything on it")
    def records(self, memory: Memory) -> SafeString:
        lists = [("attempt", "All attempts"), ("deadletter", "All dead letters")]
        query = f"?memory__id__exact={memory.pk}"
        links = ((reverse(f"admin:memories_{name}_changelist"), query, label) for name, label in lists)
        return format_html_join(" · ", '<a href="{}{}">{}</a>', links)

    @admin.display(description="progress (percent)")
    def progress_shown(self, memory: Memory) -> int:
        return memory.percent

    @admin.display(description="language")
    def language_shown(self, memory: Memory) -> str:
        """As the API shows it: what the person says it is, else what was detected."""
        detected = Transcript.objects.filter(memory=memory).values_list("language", flat=True).first()
        return memory.language or detected or ""

    @admin.display(description="audio expires")
    def expires(self, memory: Memory) -> str:
        return date_format(memory.audio_expires_at)

    @admin.display(ordering="created_at")
    def age(self, memory: Memory) -> str:
        return age(memory.created_at)

    @admin.display(ordering="duration_seconds")
    def minutes(self, memory: Memory) -> str:
        return "" if memory.duration_seconds is None else f"{memory.duration_seconds / 60:.1f}"

    @admin.display(description="cost (USD)", ordering="spent")
    def cost(self, memory: Any) -> str:
        return "" if memory.spent is None else f"{memory.spent:.4f}"

    @admin.display(ordering="has_dead_letter")
    def dead_letter(self, memory: Any) -> str:
        return "open" if memory.has_dead_letter else ""

    @admin.display(description="words and sound")
    def hidden(self, memory: Memory) -> str:
        return HIDDEN

    @admin.display(description="tags, people, places")
    def tags_shown(self, memory: Memory) -> SafeString:
        tags = Tag.objects.filter(memories=memory).order_by("kind", "name")
        return format_html_join(", ", "{} ({})", ((tag.name, tag.kind) for tag in tags))

    @admin.display(description="mood")
    def mood_shown(self, memory: Memory) -> SafeString:
        return _as_text(memory.mood)

    @admin.display(description="action items")
    def action_items_shown(self, memory: Memory) -> SafeString:
        return _as_text(memory.action_items)

    @admin.display(description="transcript")
    def transcript_shown(self, memory: Memory) -> str:
        return Transcript.objects.filter(memory=memory).values_list("text", flat=True).first() or ""

    @admin.display(description="audio")
    def audio_link(self, memory: Memory) -> SafeString | str:
        if not memory.audio:
            return "Deleted at the end of its retention."
        url = reverse("admin:memories_memory_audio", args=[memory.pk])
        return format_html('<audio controls preload="none" src="{}"></audio>', url)


def may_see_content(user: AbstractBaseUser | AnonymousUser) -> bool:
    return bool(user.has_perm(VIEW_CONTENT))  # type: ignore[union-attr]


def _as_text(data: Any) -> SafeString:
    return format_html("<pre>{}</pre>", json.dumps(data, ensure_ascii=False, indent=1)) if data else SafeString("")
