"""What Django leaves to us about a connection that may be lost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import InterfaceError, InternalError, OperationalError, connection

AWAY = (OperationalError, InterfaceError, InternalError)  # the last: a database that is read-only, as in a failover

logger = logging.getLogger(__name__)


@contextmanager
def can_do_without(consequence: str) -> Iterator[None]:
    """What is written here can be missed: a database that is away is noted in the log, with what follows from it. In a
    transaction it is raised all the same."""
    try:
        yield
    except AWAY:
        if connection.in_atomic_block:
            raise
        logger.warning("The database is away: %s", consequence)
        connection.close()


def drop_lost_connection() -> None:
    """Have the next query open a new one where this one is lost. Not in a transaction: that is for its owner to end."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
