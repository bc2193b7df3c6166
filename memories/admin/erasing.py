"""Deleting in the admin where it means erasing: audio and all."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from memories import privacy
from memories.admin.base import audit
from memories.admin.confirm import reason_of
from memories.errors import MemoriesError
from memories.models import Memory


def erase_memory(request: HttpRequest, memory: Memory) -> None:
    """Raises StorageUnavailable."""
    privacy.erase(memory)
    log_erased(request, memory)


def log_erased(request: HttpRequest, obj: Model) -> None:
    """Log it by its number: what is erased has no name any more, in older entries neither."""
    model, name = ContentType.objects.get_for_model(obj), f"{obj._meta.model_name} {obj.pk}"
    LogEntry.objects.filter(content_type=model, object_id=str(obj.pk)).update(object_repr=name)
    entry = LogEntry(content_type=model, object_id=str(obj.pk), object_repr=name, action_flag=DELETION)
    entry.user_id = cast(int, request.user.pk)
    entry.save()
    audit.info("%s erased %s", request.user.pk, name)


class ErasingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Each row is erased and logged by itself: where the storage fails half way, the log tells the truth.

    So `delete_model` stands in no transaction, for none brings a file back. It may raise MemoriesError.
    """

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Asked for by Django before anything is erased: `log_erased` does it."""
        return []

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        view: Any = self._delete_view  # type: ignore[attr-defined]  # Django's own, without its transaction
        try:
            return cast(HttpResponse, view(request, object_id, extra_context))
        except MemoriesError as error:
            return self._not_erased(request, error)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, *args)
        except MemoriesError as error:
            return self._not_erased(request, error)

    def _not_erased(self, request: HttpRequest, error: MemoriesError) -> HttpResponse:
        self.message_user(request, f"Not all was erased: {reason_of(error)}", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())
