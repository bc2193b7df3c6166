"""The implementations that the settings chose, by dotted path, as in Django's STORAGES."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from memories.analyzers.base import Analyzer
from memories.queues.base import Queue
from memories.transcribers.base import Transcriber

Port = TypeVar("Port")


def build(setting: str, base: type[Port]) -> Port:
    """A new instance of what the setting names; ImproperlyConfigured says what is wrong with it."""
    config: dict[str, Any] = getattr(settings, setting)
    path, options = config["BACKEND"], config.get("OPTIONS", {})
    try:
        implementation = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"{setting}: {path} cannot be imported: {error}") from error
    if not (isinstance(implementation, type) and issubclass(implementation, base)):
        raise ImproperlyConfigured(f"{setting}: {path} is not a {base.__name__}.")
    try:
        return implementation(**options)
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"{setting}: {path} does not take these OPTIONS: {error}") from error


@cache
def queue() -> Queue:
    return build("MEMORIES_QUEUE", Queue)  # type: ignore[type-abstract]


@cache
def transcriber() -> Transcriber:
    return build("MEMORIES_TRANSCRIBER", Transcriber)  # type: ignore[type-abstract]


@cache
def analyzer() -> Analyzer:
    return build("MEMORIES_ANALYZER", Analyzer)  # type: ignore[type-abstract]


def _forget(*, setting: str, **kwargs: Any) -> None:
    """Tests override settings: build anew then."""
    ports = {"MEMORIES_QUEUE": queue, "MEMORIES_TRANSCRIBER": transcriber, "MEMORIES_ANALYZER": analyzer}
    if setting in ports:
        ports[setting].cache_clear()


setting_changed.connect(_forget)
