"""How much one person may send: rate and quota, from the rows themselves. The same for all processes, and there after a
restart."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Min, Q, Sum
from django.utils import timezone

from memories.errors import QuotaExceeded, TooLarge, TooManyUploads
from memories.models import Memory, Upload

GIGABYTE = 1024**3
MEGABYTE = 1024**2
HOUR = timedelta(hours=1)


def check(owner: User, size: int, *, announced: Upload | None = None) -> None:
    """Whether a recording of so many bytes may come; `announced` is its own upload, where it has one.

    What is announced and not yet a memory counts as if it were there. Requests at the same moment do not see each
    other, so a burst may go over by as many as are under way. Raises TooLarge, TooManyUploads, QuotaExceeded.
    """
    if size > settings.MAX_UPLOAD_MB * MEGABYTE:
        raise TooLarge(f"The file is larger than the {settings.MAX_UPLOAD_MB} MB that this service takes.")
    now = timezone.now()
    recent = Q(created_at__gt=now - HOUR)
    kept = Memory.objects.filter(owner=owner).aggregate(
        bytes=Sum("audio_size", filter=~Q(audio=""), default=0),
        count=Count("pk", filter=recent),
        oldest=Min("created_at", filter=recent),
    )
    coming = (
        Upload.objects.filter(owner=owner, memory=None, expires_at__gt=now)
        .exclude(pk__in=[announced.pk] if announced else [])
        .aggregate(
            bytes=Sum("size", default=0), count=Count("pk", filter=recent), oldest=Min("created_at", filter=recent)
        )
    )
    if kept["count"] + coming["count"] >= settings.MEMORIES_UPLOADS_PER_HOUR:
        raise TooManyUploads(retry_after=_seconds_until_room(now, kept["oldest"], coming["oldest"]))
    if kept["bytes"] + coming["bytes"] + size > settings.MEMORIES_QUOTA_GB * GIGABYTE:
        raise QuotaExceeded


def _seconds_until_room(now: datetime, *oldest: datetime | None) -> int:
    first = min(moment for moment in oldest if moment)
    return max(1, math.ceil((first + HOUR - now).total_seconds()))
