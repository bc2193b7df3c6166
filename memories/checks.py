"""System checks: a setting that cannot work is an error at start, not at 3 a.m. `manage.py check` shows them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 (Django's name)
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import FileSystemStorage, storages
from django.utils import timezone

from memories import events, ports
from memories.types import TranscriptResult

ENVIRONMENTS = ("development", "production")
LEAST = {
    "AUDIO_RETENTION_DAYS": 1,
    "MAX_UPLOAD_MB": 1,
    "MEMORIES_UPLOADS_PER_HOUR": 1,
    "MEMORIES_UPLOAD_MINUTES": 1,
    "MEMORIES_TOKEN_DAYS": 1,
    "MEMORIES_LEASE_SECONDS": 5,  # some steps report no progress for that long
    "MEMORIES_MAX_WAITERS": 0,
    "MEMORIES_PROXIES": 0,
    "MEMORIES_DAILY_BUDGET_USD": 0,
    "MEMORIES_DAILY_BUDGET_USD_PER_USER": 0,
}
POSITIVE = ("MEMORIES_MAX_AUDIO_HOURS", "MEMORIES_QUOTA_GB", "MEMORIES_RETRY_SECONDS")
RATES = {"user": "MEMORIES_API_RATE", "login": "MEMORIES_LOGIN_RATE"}
# The throttles look at the first letter of the period alone: 10/month would be ten a minute.
_RATE = re.compile(r"[1-9][0-9]*/(s|sec|second|m|min|minute|h|hour|d|day)")
Configs = Sequence[AppConfig] | None


@register
def check_environment(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E001, E002: where we run, and that production is told everything."""
    if settings.MEMORIES_ENV not in ENVIRONMENTS:
        yield Error(
            f"MEMORIES_ENV is {settings.MEMORIES_ENV!r}.",
            hint=f"Use one of {', '.join(ENVIRONMENTS)}.",
            id="memories.E001",
        )
    if settings.PRODUCTION:
        for name in settings.FALLBACKS:
            yield Error(
                f"{name} is not set, and in production nothing falls back to a default.",
                hint=f"Set {name} (.env.example says what it is), or leave MEMORIES_ENV at development.",
                id="memories.E002",
            )
        if settings.DEBUG:
            yield Error("DJANGO_DEBUG is on in production.", hint="Remove DJANGO_DEBUG.", id="memories.E003")
    elif settings.SECRET_KEY == settings.INSECURE_KEY and set(settings.ALLOWED_HOSTS) - {
        "localhost",
        "127.0.0.1",
        "[::1]",
    }:
        yield Warning(
            "Others can reach this server, and its secret key is the one that everybody knows.",
            hint="Set DJANGO_SECRET_KEY; script/setup writes one into .env.",
            id="memories.W001",
        )


@register
def check_limits(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E004, E005: numbers that nothing could pass."""
    for name, least in LEAST.items():
        if getattr(settings, name) < least:
            yield Error(f"{name} is {getattr(settings, name)}.", hint=f"Use {least} or more.", id="memories.E004")
    for name in POSITIVE:
        if getattr(settings, name) <= 0:
            yield Error(f"{name} is {getattr(settings, name)}.", hint="Use more than 0.", id="memories.E005")


@register
def check_rates(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E009: a rate of calls that cannot be read, and would fail each of them."""
    for scope, rate in settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"].items():
        if not _RATE.fullmatch(rate):
            yield Error(
                f"{RATES[scope]} is {rate!r}.",
                hint="Use a whole number, a slash and second, minute, hour or day, such as 10/minute.",
                id="memories.E009",
            )


@register
def check_logs(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E010: a level of logs that does not exist."""
    if settings.MEMORIES_LOG_LEVEL not in settings.LOG_LEVELS:
        yield Error(
            f"MEMORIES_LOG_LEVEL is {settings.MEMORIES_LOG_LEVEL!r}.",
            hint="Use DEBUG, INFO, WARNING, ERROR or CRITICAL.",
            id="memories.E010",
        )


@register
def check_ports(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E006: a queue, transcriber or analyzer that cannot work as it is configured."""
    try:
        ports.queue()
        troubles = [*ports.transcriber().check(), *ports.analyzer().check()]
    except ImproperlyConfigured as error:
        troubles = [str(error)]
    for trouble in troubles:
        yield Error(
            trouble, hint="Mend the setting; docs/operations.md and .env.example say what it takes.", id="memories.E006"
        )


@register
def check_models(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """W002, W003: a model that closes before long, and one whose price no budget can count."""
    try:
        transcriber, analyzer = ports.transcriber(), ports.analyzer()
    except ImproperlyConfigured:
        return  # E006 says so
    today = timezone.now().date()
    for warning in [*transcriber.warnings(today), *analyzer.warnings(today)]:
        yield Warning(
            warning,
            hint="Set OPENAI_TRANSCRIPTION_MODEL or OPENAI_ANALYSIS_MODEL to another, unless a server of yours has it.",
            id="memories.W002",
        )
    if settings.MEMORIES_DAILY_BUDGET_USD or settings.MEMORIES_DAILY_BUDGET_USD_PER_USER:
        priceless = {
            "transcription": transcriber.paid and not transcriber.estimate(60.0),
            "analysis": analyzer.paid and not analyzer.estimate(TranscriptResult("Hello.", None, (), "")),
        }
        for stage in (stage for stage, is_so in priceless.items() if is_so):
            yield Warning(
                f"There is a daily budget, and the price of the model for {stage} is not known: it counts as nothing.",
                hint="Use a model whose price memories/openai_api.py knows, or add it there.",
                id="memories.W003",
            )


@register
def check_storage(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E007, E011: a folder for audio that cannot be written, a storage for it that cannot be made."""
    folders = [Path(settings.FILE_UPLOAD_TEMP_DIR)]
    try:
        storage = storages["default"]
    except (ImproperlyConfigured, TypeError) as error:  # TypeError: an option that it does not have
        hint = "Mend AWS_STORAGE_BUCKET_NAME, or STORAGES in config/settings.py."
        yield Error(f"The storage for audio cannot be made: {error}", hint=hint, id="memories.E011")
    else:
        folders += [Path(storage.location)] if isinstance(storage, FileSystemStorage) else []
    for folder in folders:
        nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not (nearest.is_dir() and os.access(nearest, os.W_OK)):
            yield Error(
                f"{folder} cannot be written.",
                hint="Give this user the right to write there, or set MEMORIES_DATA_DIR to another folder.",
                id="memories.E007",
            )


@register
def check_events(app_configs: Configs, **kwargs: Any) -> Iterator[CheckMessage]:
    """E008: live events are wanted, and REDIS_URL leads nowhere."""
    if settings.REDIS_ENABLED and not events.is_address(settings.REDIS_URL):
        yield Error(
            "REDIS_ENABLED is on, and REDIS_URL is not the address of a Redis server.",
            hint="Use redis://[USER:PASSWORD@]HOST:6379/0, or rediss:// for TLS; or set REDIS_ENABLED=false.",
            id="memories.E008",
        )
