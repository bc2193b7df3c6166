"""Whether the database has the tables that this code works with."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from django.db import connection

from memories.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from django.db.migrations import Migration


def check() -> None:
    """Raise DatabaseUnavailable where a migration is missing. Cheap: once all are there, nothing is asked again."""
    if not _all_applied():
        _all_applied.cache_clear()
        raise DatabaseUnavailable("The database is not up to date: run `manage.py migrate`.")


def missing() -> list[Migration]:
    """The migrations that are still to be applied, in their order."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    return [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


@cache
def _all_applied() -> bool:
    return not missing()
