from __future__ import annotations

import logging
import os
import signal
import socket
import time
from types import FrameType
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import DatabaseError, InterfaceError, close_old_connections

from memories import housekeeping, migrated, ports, processing, recovery
from memories.errors import DatabaseUnavailable, MemoriesError
from memories.management.base import ExampleCommand

SWEEP_EVERY = 60.0  # seconds
TIDY_EVERY = 3600.0
WAIT = 5.0  # for one message
PAUSE = 5.0  # when what we stand on is away

logger = logging.getLogger(__name__)


class Command(ExampleCommand):
    help = "Process queued memories until told to stop. Several workers may run on one database."
    examples = """\
  manage.py run_worker           work until SIGTERM or Ctrl-C; what is under way then is handed back
  manage.py run_worker --burst   work until nothing is due, then end
  manage.py run_worker --once    take one message, then end"""

    def add_arguments(self, parser: CommandParser) -> None:
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--once", action="store_true", help="End after one message, or at once when there is none.")
        how.add_argument("--burst", action="store_true", help="End when nothing is due.")

    def handle(self, *args: Any, once: bool, burst: bool, **options: Any) -> None:
        self.stopping = False
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        self.require_tables()
        logger.info("Worker %s is ready.", self.worker)
        self.due: dict[str, float] = {"sweep": 0.0, "tidy": 0.0}
        while not self.stopping:
            found = self.step(wait=0 if once or burst else WAIT)
            if once or (burst and found is False):
                break
        logger.info("Worker %s has ended.", self.worker)

    def require_tables(self) -> None:
        """A database that is away comes back; one without our tables waits for somebody to make them."""
        try:
            migrated.check()
        except DatabaseUnavailable as error:
            raise CommandError(error.detail) from error
        except (DatabaseError, InterfaceError):
            pass

    def stop(self, signum: int, frame: FrameType | None) -> None:
        self.stopping = True

    def step(self, *, wait: float) -> bool | None:
        """One turn of the loop: whether there was work, None when the database, the queue or the storage is away."""
        try:
            self.sweep_when_due()
            return processing.process_next(
                ports.queue(), worker=self.worker, should_stop=lambda: self.stopping, wait=wait
            )
        except (DatabaseError, InterfaceError, MemoriesError, OSError) as error:
            logger.warning("Waiting %.0f s: %s", PAUSE, error)
            self.pause()
            return None
        finally:
            close_old_connections()

    def pause(self) -> None:
        until = time.monotonic() + PAUSE
        while not self.stopping and time.monotonic() < until:
            time.sleep(0.1)

    def sweep_when_due(self) -> None:
        for name, every, job in (("sweep", SWEEP_EVERY, recovery.sweep), ("tidy", TIDY_EVERY, housekeeping.tidy)):
            if time.monotonic() >= self.due[name]:
                self.due[name] = time.monotonic() + every
                job()
