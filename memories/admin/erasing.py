"""Deleting in the admin where it means erasing: audio and all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from memories.admin.base import audit
from memories.admin.confirm import reason_of
from memories.errors import MemoriesError


class ErasingAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Each row is erased and logged by itself: where the storage fails half way, the log tells the truth."""

    def erase(self, obj: Any) -> None:
        """What deleting a row takes. May raise MemoriesError."""
        raise NotImplementedError

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        name, rows = f"{self.opts.model_name} {obj.pk}", [obj]  # an erased object has no key
        with transaction.atomic():
            super().log_deletions(request, rows)  # type: ignore[arg-type]  # the stubs want more than Django
            self.erase(obj)
        audit.info("%s erased %s", request.user.pk, name)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Asked for by Django before anything is erased: delete_model does it."""
        return []

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
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
