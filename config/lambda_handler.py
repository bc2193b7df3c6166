"""What AWS Lambda calls (`config.lambda_handler.handler`): one handler for messages, dead ones, the clock, HTTP
and the two commands that a deployment needs."""

from __future__ import annotations

import gc

gc.disable()  # what is imported from here on stays for good: looking for garbage in it only makes the start longer

import logging
import os
import secrets
import time
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("MEMORIES_DATA_DIR", "/tmp/memories")  # noqa: S108 (a Lambda can write nowhere else)
# The same apps, but the pages of staff are imported with the first request (see api), not with each message.
LATER = {"django.contrib.admin": "django.contrib.admin.apps.SimpleAdminConfig"}
settings.INSTALLED_APPS = [LATER.get(app, app) for app in settings.INSTALLED_APPS]
django.setup()

from django.db import connection, connections

from memories import housekeeping, leases, logs, migrated, processing, recovery
from memories.queues.sqs import dead_message, memory_id_in
from memories.transcription import StopSign

if TYPE_CHECKING:
    from mangum import Mangum
    from mangum.types import ASGI, LambdaContext

SAVING = sum(leases.PAUSES) + 5.0  # seconds, enough to save what a call brought even while the database restarts
TIDY_EVERY = 3600.0  # seconds
MIGRATING = 5_202_611  # the number of a lock in PostgreSQL that nothing else asks for; it ends with the connection

logger = logging.getLogger(__name__)

gc.freeze()
gc.enable()


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    with logs.request(context.aws_request_id):
        start_clean()
        try:
            return _answer(event, context)
        finally:
            # Until the next event we are frozen: a connection would be dead by then, and is one too few for others.
            connections.close_all()


@cache
def start_clean() -> None:
    """After a kill at the deadline AWS starts us anew, and leaves /tmp as it was: what lies there now is nobody's."""
    housekeeping.delete_leftovers(older_than=0)


def _answer(event: dict[str, Any], context: LambdaContext) -> Any:
    match event:
        case {"Records": [*records]} if all(record.get("eventSource") == "aws:sqs" for record in records):
            return deliver(records, context)
        case {"detail-type": "Scheduled Event"}:
            return keep_house()
        case {"requestContext": {"http": _}}:
            return api()(event, context)
        case {"manage": "migrate"}:
            return migrate()
        case {"manage": "createsuperuser", "username": str(username)}:
            return create_superuser(username)
    raise ValueError(
        f"Neither messages of SQS, nor a scheduled event, nor an HTTP request, nor a command: {event.keys()}"
    )


def deliver(records: list[dict[str, Any]], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """The records that are to stay in their queue, in the form of ReportBatchItemFailures."""
    should_stop = stop_sign(context)
    failed = [record["messageId"] for record in records if not _is_dealt_with(record, context, should_stop)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def stop_sign(context: LambdaContext) -> StopSign:
    """Says to stop when a paid call could not end, and be saved, before the deadline.

    A function whose whole time is shorter than that works in the first half of it, rather than never.
    """
    left: int = context.get_remaining_time_in_millis()
    reserve = min((settings.OPENAI_TIMEOUT + SAVING) * 1000, left / 2)
    return lambda: context.get_remaining_time_in_millis() < reserve


def _is_dealt_with(record: dict[str, Any], context: LambdaContext, should_stop: StopSign) -> bool:
    """Whether the message may be deleted. One that fails here fails none of the others in its batch."""
    try:
        if _queue_name(record["eventSourceARN"], ":") == _queue_name(settings.SQS_DLQ_URL, "/"):
            recovery.record_dead_letter(dead_message(record["body"]))
            return True
        memory_id = memory_id_in(record["body"])
        if memory_id is None:
            logger.warning("Message %s is not one of ours: left to the dead-letter queue.", record["messageId"])
            return False
        worker = f"lambda:{context.aws_request_id}"
        disposition = processing.process_memory(memory_id, worker=worker, should_stop=should_stop)
        return processing.dealt_with(memory_id, disposition)
    except Exception:
        logger.exception("Message %s will be delivered again.", record["messageId"])
        return False


def _queue_name(address: str, separator: str) -> str:
    return address.rpartition(separator)[2]


def keep_house() -> dict[str, int]:
    """The sweep of jobs, and once an hour (of this environment's life) that of the storage: what each did."""
    counts = asdict(recovery.sweep())
    if time.time() >= _due["tidy"]:
        _due["tidy"] = time.time() + TIDY_EVERY
        counts |= asdict(housekeeping.tidy())
    return counts


_due = {"tidy": 0.0}


def migrate() -> dict[str, list[str]]:
    """What a release asks for before its code is called by anybody else: the migrations that this applied."""
    from django.core.management import call_command

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # A release that was killed left its migration at work, and is run again: one after the other.
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])
            # Who waits for a table keeps waiting whoever comes after it. Giving up costs a release, and is tried again.
            cursor.execute("SET lock_timeout = '5s'")
    applied = [str(migration) for migration in migrated.missing()]
    call_command("migrate", interactive=False, verbosity=0)
    return {"applied": applied}


def create_superuser(username: str) -> dict[str, str]:
    """The first account, where there is no shell to make it from; this answer alone has its password."""
    from django.contrib.auth.models import User

    password = secrets.token_urlsafe(15)
    user = User(username=username, is_staff=True, is_superuser=True)
    user.set_password(password)
    user.full_clean()
    user.save()
    return {"username": username, "password": password}


@cache
def api() -> Mangum:
    """What gunicorn serves elsewhere, imported at the first request that comes this way."""
    from django.contrib import admin
    from mangum import Mangum
    from mangum.adapter import DEFAULT_TEXT_MIME_TYPES

    from config.asgi import application

    admin.autodiscover()
    texts = [*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"]
    return Mangum(cast("ASGI", application), lifespan="off", text_mime_types=texts)
