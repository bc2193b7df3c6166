"""Conditional requests."""

from __future__ import annotations

from django.utils.http import parse_etags


def names(header: str, etag: str) -> bool:
    """Whether If-Match or If-None-Match names this version.

    A weak tag counts like a strong one, for If-Match too: proxies that compress make ours weak, and a version names
    the content exactly.
    """
    tags = parse_etags(header)
    return "*" in tags or etag in (tag.removeprefix("W/") for tag in tags)
