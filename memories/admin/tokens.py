"""Devices that are signed in. Neither a token nor its hash is shown, and the hash is the key: so there are no pages."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.crypto import salted_hmac
from django.utils.html import format_html
from django.utils.safestring import SafeString

from memories.admin.base import ReadOnlyAdmin, audit
from memories.models import DeviceToken


@admin.register(DeviceToken)
class DeviceTokenAdmin(ReadOnlyAdmin):
    list_display = ["user", "device", "created", "expiry"]
    list_display_links = None
    list_filter = ["created", "expiry"]
    list_select_related = ["user"]
    search_fields = ["user__username", "device"]
    search_help_text = "By user name, or by the name of a device."
    ordering = ["-created"]
    actions = None  # their checkboxes would carry the hash

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [*self.list_display, "revoke"] if _may_revoke(request) else self.list_display

    def has_view_permission(self, request: HttpRequest, obj: DeviceToken | None = None) -> bool:
        return obj is None and super().has_view_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: DeviceToken | None = None) -> bool:
        return False  # Django's way names the hash; ours is revoke_view

    def get_urls(self) -> list[URLPattern]:
        revoke = path("revoke/<str:handle>/", self.admin_site.admin_view(self.revoke_view), name="revoke_device")
        return [revoke, *super().get_urls()]

    @admin.display(description="")
    def revoke(self, token: DeviceToken) -> SafeString:
        return format_html('<a href="{}">Revoke</a>', reverse("admin:revoke_device", args=[handle_of(token)]))

    def revoke_view(self, request: HttpRequest, handle: str) -> HttpResponse:
        if not _may_revoke(request):
            raise PermissionDenied
        tokens = DeviceToken.objects.select_related("user")
        token = next((token for token in tokens.iterator() if handle_of(token) == handle), None)
        if token is None:
            raise Http404
        if request.method == "POST":
            token.delete()
            audit.info("%s revoked a device of %s", request.user.pk, token.user_id)
            self.message_user(request, "Revoked: the device has to sign in again.", messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:memories_devicetoken_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Revoke this device?",
            "opts": self.opts,
            "token": token,
        }
        return TemplateResponse(request, "admin/memories/revoke.html", context)


def handle_of(token: DeviceToken) -> str:
    """A name for a token that tells nothing of it."""
    return salted_hmac("memories.admin.tokens", token.digest, algorithm="sha256").hexdigest()


def _may_revoke(request: HttpRequest) -> bool:
    return bool(request.user.has_perm("memories.delete_devicetoken"))
