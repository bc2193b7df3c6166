"""What Django leaves to us about a connection that may be lost."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError, connection

AWAY = (OperationalError, InterfaceError, InternalError)  # the last: a database that is read-only, as in a failover


def drop_lost_connection() -> None:
    """Have the next query open a new one where this one is lost. Not in a transaction: that is for its owner to end."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
