"""What may come in from the command line and the environment, looked at before anything is done with it."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import boto3

APP_NAME = re.compile(r"[a-z](?!.*--)[a-z0-9-]{1,20}[a-z0-9]")
COMMIT = re.compile(r"[0-9a-f]{7,40}")
ADDRESS = re.compile(r"((?:https://[A-Za-z0-9][A-Za-z0-9.-]*|http://(?:localhost|127\.0\.0\.1))(?::[0-9]{1,5})?)/?")
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
# As GitHub signs it: since 2026-07-15 with the numbers of owner and repository, OWNER@1234/NAME@5678.
REPOSITORY = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9-]{0,38}(?:/[A-Za-z0-9._-]{1,100}|@[1-9][0-9]*/[A-Za-z0-9._-]{1,100}@[1-9][0-9]*)"
)


def form(pattern: re.Pattern[str], what: str) -> Callable[[str], str]:
    """A type for argparse."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise argparse.ArgumentTypeError(f"{value!r} is not {what}")
        return value

    return check


def region(value: str) -> str:
    if value not in boto3.session.Session().get_available_regions("lambda"):
        raise argparse.ArgumentTypeError(f"{value!r} is not a region of AWS such as us-east-1")
    return value


def repository(value: str) -> str:
    form(REPOSITORY, "OWNER/REPOSITORY, or OWNER@1234/REPOSITORY@5678, at GitHub")(value)
    if re.fullmatch(r"OWNER(@1234)?/(NAME|REPOSITORY)(@5678)?", value):
        raise argparse.ArgumentTypeError(f"{value!r} is the example: name your own repository, with its own numbers")
    return value


def seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]+)?", value):
        raise argparse.ArgumentTypeError(f"{value!r} is not a number of seconds")
    return float(value)


def address(value: str) -> str:
    """https://HOST, without a slash at the end; http only to this machine."""
    found = ADDRESS.fullmatch(value)
    if not found:
        raise argparse.ArgumentTypeError(f"{value!r} is not an address such as https://memories.example.org")
    return found[1]


class Parser(argparse.ArgumentParser):
    """Each setting is an argument, or a variable of the environment. 2 is its end where one is missing or wrong."""

    def __init__(self, program: str, description: str) -> None:
        super().__init__(prog=f"script/{program}", description=description, allow_abbrev=False)
        self.needed: dict[str, argparse.Action] = {}  # settings that must be there, by variable

    # argparse's own has a form for namespaces, which nobody needs here.
    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        given = super().parse_args(args, namespace)
        named = {variable: action for variable, action in self.needed.items() if getattr(given, action.dest) is None}
        if named:
            missing = [f"{variable} (or {action.option_strings[0]})" for variable, action in named.items()]
            self.fail(
                f"Not set: {', '.join(missing)}.",
                "set it; in GitHub, APP_NAME, AWS_REGION and TF_STATE_BUCKET are variables of the repository.",
            )
        return given

    def error(self, message: str) -> NoReturn:
        for variable, action in self.needed.items():
            message = message.replace(
                f"argument {action.option_strings[0]}:", f"{variable} ({action.option_strings[0]}):"
            )
        self.fail(message, f"{self.prog} --help tells what it takes.")

    def fail(self, message: str, next_step: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(2, f"\nFAILED: {message}\nNext: {next_step}\n")

    def setting(
        self, flag: str, variable: str, check: Callable[[str], object], what: str, *, required: bool = True
    ) -> None:
        given = os.environ.get(variable) or None  # argparse checks a default that is a string like an argument
        action = self.add_argument(flag, type=check, default=given, help=f"{what} ({variable})")
        if required:
            self.needed[variable] = action

    def app_name(self) -> None:
        self.setting(
            "--app-name",
            "APP_NAME",
            form(APP_NAME, "a name of 3 to 22 small letters, digits and single hyphens, with a letter first"),
            "prefix of every name",
        )

    def region(self) -> None:
        self.setting("--region", "AWS_REGION", region, "region of AWS")

    def tag(self) -> None:
        self.setting("--tag", "IMAGE_TAG", form(COMMIT, "a commit of 7 to 40 hexadecimal digits"), "commit to release")

    def state_bucket(self, *, default: str = "") -> None:
        """`default` says what it is where nobody sets it; without, it must be set."""
        what = f"bucket of Terraform's state{f'; else {default}' if default else ''}"
        check = form(BUCKET, "the name of a bucket")
        self.setting("--state-bucket", "TF_STATE_BUCKET", check, what, required=not default)

    def dry_run(self) -> None:
        self.add_argument("--dry-run", action="store_true", help="say what would be done; only look")
