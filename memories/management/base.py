"""What our commands share: an example in --help, and data as JSON for scripts."""

from __future__ import annotations

import json
from argparse import RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter


class _HelpFormatter(DjangoHelpFormatter, RawDescriptionHelpFormatter):
    """Django's order of options, and the line breaks of our examples."""


class ExampleCommand(BaseCommand):
    """A command whose --help ends with `examples`. Exit codes: 0 done, 1 failed, 2 wrong usage."""

    examples = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=_HelpFormatter, epilog=f"Examples:\n{self.examples}", **kwargs
        )

    def print_json(self, data: Any) -> None:
        self.stdout.write(json.dumps(data, indent=2, default=str, ensure_ascii=False))
