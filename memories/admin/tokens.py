"""Devices that are signed in. Deleting a token revokes it; neither it nor its hash is shown."""

from __future__ import annotations

from django.contrib import admin

from memories.admin.base import ReadOnlyAdmin
from memories.models import DeviceToken


@admin.register(DeviceToken)
class DeviceTokenAdmin(ReadOnlyAdmin):
    list_display = ["user", "device", "created", "expiry"]
    list_display_links = None  # a page of its own would show no more, and its address is the hash
    list_filter = ["created", "expiry"]
    list_select_related = ["user"]
    search_fields = ["user__username", "device"]
    fields = ["user", "device", "created", "expiry"]
