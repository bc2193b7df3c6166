"""Conditional requests."""

from __future__ import annotations

from django.utils.http import parse_etags

from memories.models import Memory


def names(header: str, etag: str) -> bool:
    """Whether If-Match or If-None-Match names this version.

    A weak tag counts like a strong one, for If-Match too: proxies that compress make ours weak, and a version names
    the content exactly.
    """
    tags = parse_etags(header)
    return "*" in tags or etag in (tag.removeprefix("W/") for tag in tags)


def names_edition(header: str, memory: Memory) -> bool:
    """Whether If-Match names what there is to edit now: that it is being processed meanwhile is no conflict."""
    pk, _, edition = memory.etag.strip('"').split(".")
    tags = (tag.removeprefix("W/").strip('"').split(".") for tag in parse_etags(header))
    return any(tag == ["*"] or (tag[0] == pk and tag[-1] == edition) for tag in tags)
