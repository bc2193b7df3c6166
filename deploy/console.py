"""What the person at the console sees: steps with their seconds, and failures with what to do about them."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TextIO

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

ENDING = (signal.SIGINT, signal.SIGTERM)


class DeployError(Exception):
    """Why it does not go on, and what a person can do about it."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class Interrupted(BaseException):
    """Asked to end (Ctrl-C, or a workflow that is cancelled)."""


def say(text: str, *, stream: TextIO | None = None) -> None:
    print(text, file=stream, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    began = time.monotonic()
    say(f"==> {title}")
    yield
    say(f"    {time.monotonic() - began:.1f} s")


def agrees(question: str) -> bool:
    """Whether a person says yes; nobody is there where standard input has come to its end."""
    try:
        return input(f"{question} Only `yes` does: ") == "yes"
    except EOFError:
        return False


def end_of(text: str, lines: int = 40) -> str:
    return "\n".join(f"    | {line}" for line in text.strip().splitlines()[-lines:])


def client(service: str, region: str, *, attempts: int = 3, **config: object) -> boto3.client:
    """With few and short retries; AWS_ENDPOINT_URL and credentials are boto3's own affair."""
    from botocore.config import Config

    retries = {"mode": "standard", "total_max_attempts": attempts}
    return boto3.client(service, region_name=region, config=Config(retries=retries, **config))


@contextmanager
def undisturbed() -> Iterator[None]:
    """For what must come to its end: whoever cancels a workflow sends SIGINT, seconds later SIGTERM, and then kills."""
    were = {number: signal.signal(number, signal.SIG_IGN) for number in ENDING}
    try:
        yield
    finally:
        for number, was in were.items():
            signal.signal(number, was)


def run(main: Callable[[], None]) -> None:
    """Run it as a program: 0 when it returns, 1 when it fails, 130 when it was interrupted."""
    for number in ENDING:
        signal.signal(number, _interrupt)
    try:
        main()
    except DeployError as error:
        _fail(str(error), error.next_step)
    except NoCredentialsError:
        _fail("There are no credentials for AWS.", "`aws sso login`, or AWS_PROFILE; in GitHub, the role to assume.")
    except (BotoCoreError, ClientError) as error:
        _fail(f"AWS said: {error}", _next_step(error))
    except Interrupted:
        say("Interrupted. It may be run again.")
        sys.exit(130)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def _fail(message: str, next_step: str) -> None:
    say(f"\nFAILED: {message}", stream=sys.stderr)
    if next_step:
        say(f"Next: {next_step}", stream=sys.stderr)
    sys.exit(1)


def _next_step(error: Exception) -> str:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code.startswith(("ExpiredToken", "InvalidClientTokenId", "UnrecognizedClient", "SignatureDoesNotMatch")):
        return "the credentials are wrong or have expired: sign in again."
    if code.startswith(("AccessDenied", "Unauthorized")):
        return (
            "these credentials lack that right: take the deploy role, or run script/deploy-bootstrap again to renew it."
        )
    return "run it again; if it stays so, look at this error in AWS's documentation of the service."
