from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from memories import housekeeping, recovery
from memories.management.base import ExampleCommand


class Command(ExampleCommand):
    help = "Find jobs that would wait for ever, and what lies about in the storage. run_worker does it by itself."
    examples = """\
  manage.py sweep           jobs and storage
  manage.py sweep --jobs    jobs only: cheap enough for each minute
  manage.py sweep --json"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--jobs", action="store_true", help="Do not walk the storage.")
        parser.add_argument("--json", action="store_true", help="Print the counts as JSON.")

    def handle(self, *args: Any, jobs: bool, json: bool, **options: Any) -> None:
        counts = asdict(recovery.sweep())
        if not jobs:
            counts |= asdict(housekeeping.tidy())
        if json:
            self.print_json(counts)
            return
        for name, count in counts.items():
            self.stdout.write(f"{name.replace('_', ' '):>15}: {count}")
