from __future__ import annotations

import uuid
from argparse import ArgumentTypeError
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Q, QuerySet

from memories import recovery, workload
from memories.errors import MemoriesError
from memories.management.base import ExampleCommand
from memories.models import Memory, Stage, Status


@dataclass
class Report:
    """How many memories were queued again, and which were not, by id, with the reason."""

    queued: int
    refused: dict[str, str]


class Command(ExampleCommand):
    help = "Process memories again, from the recording or from the transcript. Says first what it will do."
    examples = """\
  manage.py reprocess 0b0e6f6e-6f3c-4f0e-9d3e-0f4f8f1d2c3b
  manage.py reprocess --status FAILED --yes
  manage.py reprocess --after 2026-11-01 --before 2026-12-01 --from analysis --yes --json"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", type=uuid.UUID, metavar="ID", help="These memories.")
        parser.add_argument("--status", action="append", choices=Status.values, help="All of this status; repeatable.")
        parser.add_argument("--after", type=_day, help="Recorded on this day (UTC) or later.")
        parser.add_argument("--before", type=_day, help="Recorded before this day (UTC).")
        parser.add_argument(
            "--from", dest="stage", choices=Stage.values, default=Stage.TRANSCRIPTION, help="Where to begin."
        )
        parser.add_argument("--yes", action="store_true", help="Do not ask.")
        parser.add_argument("--json", action="store_true", help="Print the result as JSON.")

    def handle(self, *args: Any, ids: list[uuid.UUID], yes: bool, json: bool, **options: Any) -> None:
        stage = Stage(options["stage"])
        memories = self.select(ids, options["status"], options["after"], options["before"])
        if not memories.exists():
            raise CommandError("No memory fits; nothing was done.")
        self.announce(memories, stage)
        if not yes:
            self.ask()
        report = self.reprocess(memories, stage)
        if json:
            self.print_json(asdict(report))
        else:
            self.stdout.write(f"Queued again: {report.queued}. Refused: {len(report.refused)}.")
        for memory_id, reason in report.refused.items():
            self.stderr.write(f"{memory_id}: {reason}")
        if report.refused:
            raise SystemExit(1)

    def select(
        self, ids: list[uuid.UUID], statuses: list[str] | None, after: date | None, before: date | None
    ) -> QuerySet[Memory]:
        if not (ids or statuses or after or before):
            raise CommandError("Name memories by id, --status, --after or --before.", returncode=2)
        chosen = Q()
        if ids:
            chosen &= Q(pk__in=ids)
        if statuses:
            chosen &= Q(status__in=statuses)
        if after:
            chosen &= Q(recorded_at__gte=datetime.combine(after, time.min, UTC))
        if before:
            chosen &= Q(recorded_at__lt=datetime.combine(before, time.min, UTC))
        return Memory.objects.filter(chosen)

    def announce(self, memories: QuerySet[Memory], stage: Stage) -> None:
        durations = list(memories.values_list("duration_seconds", flat=True))
        count = "1 memory" if len(durations) == 1 else f"{len(durations)} memories"
        again = stage is Stage.TRANSCRIPTION
        sound = workload.sound(durations) if again else "Nothing is transcribed again: the words are there."
        self.stderr.write(
            f"{count} will be processed again from {stage.value}. {sound} "
            f"What people changed stays as it is. {workload.price(durations, stage)}"
        )

    def ask(self) -> None:
        try:
            answer = input("Go on? [y/N] ")
        except EOFError:
            raise CommandError("Nothing was done: say --yes where nobody can answer.") from None
        if answer.strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was done.")

    def reprocess(self, memories: QuerySet[Memory], stage: Stage) -> Report:
        report = Report(0, {})
        for memory_id in list(memories.values_list("pk", flat=True)):
            try:
                recovery.reprocess(memory_id, stage=stage)
                report.queued += 1
            except MemoriesError as error:
                report.refused[str(memory_id)] = f"{error.detail} {error.next_step}"
            except Memory.DoesNotExist:
                report.refused[str(memory_id)] = "It was erased meanwhile."
        return report


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a day; use YYYY-MM-DD.") from None
