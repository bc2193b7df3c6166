"""Which memory, attempt and invocation a log line is about, without a word of what was said."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_job: ContextVar[tuple[str, int] | None] = ContextVar("job", default=None)
_request: ContextVar[str | None] = ContextVar("request", default=None)


@contextmanager
def job(memory_id: object, attempt: int) -> Iterator[None]:
    """Log lines inside carry this memory id and attempt number."""
    token = _job.set((str(memory_id), attempt))
    try:
        yield
    finally:
        _job.reset(token)


@contextmanager
def request(request_id: str) -> Iterator[None]:
    """Log lines inside carry this id of an invocation."""
    token = _request.set(request_id)
    try:
        yield
    finally:
        _request.reset(token)


class JobFilter(logging.Filter):
    """Adds `memory_id`, `attempt` and `request_id` for the JSON form, and `job` for the readable one."""

    def filter(self, record: logging.LogRecord) -> bool:
        current = _job.get()
        record.memory_id, record.attempt = current or (None, None)
        record.request_id = _request.get()
        record.job = f" [{current[0]} attempt {current[1]}]" if current else ""
        return True
