"""People: as in any Django admin, but whoever is deleted takes their recordings along."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from memories import uploads
from memories.admin.erasing import ErasingAdmin, erase_memory, log_erased
from memories.models import Memory, Upload

admin.site.unregister(User)  # registered by the import of Django's own


@admin.register(User)
class UserAdmin(ErasingAdmin, DjangoUserAdmin):  # type: ignore[type-arg]  # not generic at run time
    """Django's own deletion would name tags, which are content, and leave the audio behind."""

    show_full_result_count = False

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[Any, int], set[str], list[str]]:
        users = list(objs)
        owners = Memory.objects.filter(owner__in=users).order_by().values_list("owner", flat=True)
        memories = Counter(owners)
        lines = [
            f"User {user}, with {memories[user.pk]} memories (audio, words, findings and attempts), uploads and devices"
            for user in users
        ]
        needed = set() if self.has_delete_permission(request) else {"user"}
        if memories and not request.user.has_perm("memories.delete_memory"):
            needed.add("memory")
        return lines, {"users": len(users), "memories": memories.total()}, needed, []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        for upload in Upload.objects.filter(owner=obj, memory=None):
            uploads.abandon(upload)
        for memory in Memory.objects.filter(owner=obj):
            erase_memory(request, memory)
        with transaction.atomic():
            log_erased(request, obj)
            obj.delete()
