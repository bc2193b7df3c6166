"""Finding memories again: the queries that the API and the pages share."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Prefetch, Q
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

from memories import search
from memories.errors import BadCursor
from memories.models import Memory, MemoryQuerySet, Tag, Tagging, Transcript

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is looked for; an empty one lets everything through."""

    q: str = ""
    status: frozenset[str] = frozenset()
    tag: str = ""
    person: str = ""
    place: str = ""
    recorded_after: datetime | None = None  # inclusive
    recorded_before: datetime | None = None  # exclusive


@dataclass(frozen=True, slots=True)
class Page:
    memories: list[Memory]
    next: str | None  # the cursor of the page that follows


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the timeline: between this memory and the next older one."""

    recorded_at: datetime
    id: uuid.UUID

    def encode(self) -> str:
        microseconds = (self.recorded_at - _EPOCH) // _MICROSECOND
        return urlsafe_base64_encode(f"{microseconds}.{self.id.hex}".encode())

    @classmethod
    def decode(cls, cursor: str) -> Position:
        try:
            microseconds, _, hexadecimal = urlsafe_base64_decode(cursor).decode().partition(".")
            return cls(_EPOCH + int(microseconds) * _MICROSECOND, uuid.UUID(hex=hexadecimal))
        except (ValueError, OverflowError) as error:
            raise BadCursor from error


def findings() -> Prefetch[str]:
    """For prefetch_related: tags, people and places, and where they were said, in one query."""
    return Prefetch("taggings", Tagging.objects.select_related("tag").order_by("pk"))


def owned_by(owner: AbstractBaseUser | AnonymousUser) -> MemoryQuerySet:
    """The memories of one person, each with its transcript in the same query."""
    return Memory.objects.filter(owner=owner.pk).select_related("transcript")


def timeline(owner: AbstractBaseUser | AnonymousUser, filters: Filters) -> MemoryQuerySet:
    """What matches, newest first, without the words that were said."""
    memories = owned_by(owner).defer("transcript__text", "transcript__segments")
    if filters.status:
        memories = memories.filter(status__in=filters.status)
    if filters.recorded_after:
        memories = memories.filter(recorded_at__gte=filters.recorded_after)
    if filters.recorded_before:
        memories = memories.filter(recorded_at__lt=filters.recorded_before)
    names = {Tag.Kind.TAG: filters.tag, Tag.Kind.PERSON: filters.person, Tag.Kind.PLACE: filters.place}
    for kind, name in names.items():
        if name:
            tagged = Tagging.objects.filter(tag__owner=owner.pk, tag__kind=kind, tag__folded=Tag.fold(name))
            memories = memories.filter(pk__in=tagged.values("memory"))
    return search.matching(memories.prefetch_related(findings()).order_by("-recorded_at", "-pk"), filters.q)


def page(memories: MemoryQuerySet, *, cursor: str = "", limit: int) -> Page:
    """A page of a timeline by keyset: what is added or erased meanwhile shifts nothing. Raises BadCursor."""
    if cursor:
        after = Position.decode(cursor)
        # The first condition says less than the second, but it is what the index can jump to.
        memories = memories.filter(recorded_at__lte=after.recorded_at).filter(
            Q(recorded_at__lt=after.recorded_at) | Q(pk__lt=after.id)
        )
    found = list(memories[: limit + 1])
    if len(found) <= limit:
        return Page(found, next=None)
    last = found[limit - 1]
    return Page(found[:limit], next=Position(last.recorded_at, last.pk).encode())


def excerpts(memories: Iterable[Memory], query: str) -> dict[uuid.UUID, search.Excerpt]:
    """Where the words of the query were said, for those memories in which they were said: one query."""
    if not query.strip():
        return {}
    ids: Sequence[uuid.UUID] = [memory.pk for memory in memories]
    spoken = Transcript.objects.filter(pk__in=ids).values_list("pk", "segments")
    found = ((pk, search.excerpt(segments, query)) for pk, segments in spoken)
    return {pk: excerpt for pk, excerpt in found if excerpt}
