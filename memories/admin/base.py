"""What our admin pages share: rows to look at, and nothing to type in."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince

audit = logging.getLogger("memories.audit")


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Rows to look at. What can be done with them are actions, with a permission of their own."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Named by the actions: whoever may change memories may set them going again."""
        return bool(request.user.has_perm("memories.change_memory"))

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what we filter by: Django allows any field, and `?title__startswith=A` would tell what is hidden."""
        ours = {"memory", *map(_parameter_of, self.list_filter)}
        return lookup.split("__")[0] in ours and super().lookup_allowed(lookup, value, request)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> HttpResponse | None:
        try:
            return super().response_action(request, queryset, *args)
        except ValidationError:  # Django passes on what was selected as it came
            return HttpResponseBadRequest("What was selected is not an id.")


def _parameter_of(list_filter: Any) -> str:
    name = list_filter[0] if isinstance(list_filter, tuple) else list_filter
    return name if isinstance(name, str) else name.parameter_name


def age(moment: Any) -> str:
    return timesince(moment, timezone.now(), depth=1)


def page_of(row: Model) -> SafeString:
    """A link to the page of a row."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, row)


def short(memory_id: Any) -> str:
    """Enough of an id to tell rows of one list apart."""
    return str(memory_id)[:8]


def memory_link(memory_id: Any) -> SafeString | str:
    if memory_id is None:
        return "none"
    address = reverse("admin:memories_memory_change", args=[memory_id])
    return format_html('<a href="{}" title="{}">{}</a>', address, memory_id, short(memory_id))
