"""script/deploy-smoke [URL …]: does the service answer as it should, to anybody on the internet, with this release?"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from deploy import arguments, console, outputs
from deploy.console import DeployError, say

PATIENCE = 180.0  # seconds: a machine and a certificate that are new
ANSWERS_WITHIN = 20.0


@dataclass(frozen=True)
class Verdict:
    check: str
    fault: str  # "" when all is well


@dataclass(frozen=True)
class Reply:
    status: int
    kind: str
    body: bytes

    def json(self) -> dict[str, Any]:
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def get(address: str) -> Reply:
    request = Request(address, headers={"User-Agent": "deploy-smoke"})  # noqa: S310 (arguments.address bounds the scheme)
    try:
        with build_opener(_NoRedirects).open(request, timeout=ANSWERS_WITHIN) as answer:
            return _reply(answer.status, answer.headers, answer.read())
    except HTTPError as error:
        with error:
            return _reply(error.code, error.headers, error.read())


def _reply(status: int, headers: Message, body: bytes) -> Reply:
    return Reply(status, headers.get_content_type(), body)


def tls(url: str, release: str) -> str:
    if urlsplit(url).scheme == "https":
        get(f"{url}/healthz")  # urllib refuses what is not valid for this host, now
    return ""


def healthz(url: str, release: str) -> str:
    reply = get(f"{url}/healthz")
    if reply.status != 200:
        return f"answers {reply.status}"
    found = reply.json().get("release")
    return "" if found == release else f"says release {found!r}"


def readyz(url: str, release: str) -> str:
    reply = get(f"{url}/readyz")
    parts = reply.json()
    failed = [name for name, state in parts.items() if state != "ok"]
    if reply.status == 200 and parts and not failed:
        return ""
    return f"answers {reply.status}; failed: {', '.join(failed) or 'it does not say what'}"


def schema(url: str, release: str) -> str:
    reply = get(f"{url}/api/schema")
    return "" if reply.status == 200 else f"answers {reply.status}"


def closed(url: str, release: str) -> str:
    reply = get(f"{url}/api/v1/memories")
    if (reply.status, reply.kind) == (401, "application/problem+json"):
        return ""
    return f"answers {reply.status} with {reply.kind}"


CHECKS: dict[str, Callable[[str, str], str]] = {
    "TLS is valid": tls,
    "/healthz says the release": healthz,
    "/readyz: every part is ok": readyz,
    "/api/schema answers 200": schema,
    "/api/v1/memories asks who you are (401, problem+json)": closed,
}


def look(url: str, release: str) -> list[Verdict]:
    return [Verdict(name, _fault(check, url, release)) for name, check in CHECKS.items()]


def _fault(check: Callable[[str, str], str], url: str, release: str) -> str:
    try:
        return check(url, release)
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return f"the certificate: {reason.verify_message}"
        return f"no answer: {reason}"


def check(url: str, release: str, patience: float = PATIENCE) -> None:
    """Looks again until all is well, for so many seconds; DeployError when it never is."""
    until = time.monotonic() + patience
    verdicts = look(url, release)
    while any(verdict.fault for verdict in verdicts) and time.monotonic() < until:
        time.sleep(min(2.0, patience / 4))
        verdicts = look(url, release)
    for verdict in verdicts:
        say(f"    FAILED {verdict.check}: {verdict.fault}" if verdict.fault else f"    ok     {verdict.check}")
    faults = [verdict for verdict in verdicts if verdict.fault]
    if faults:
        raise DeployError(f"{url} does not answer as it should.", _next_step(url, faults))


def _next_step(url: str, faults: Sequence[Verdict]) -> str:
    if all("no answer" in verdict.fault or "certificate" in verdict.fault for verdict in faults):
        return f"does {urlsplit(url).hostname} lead to the API (DNS), and what do the logs say (…/host)?"
    return "the logs (…/host, /aws/lambda/…-api) say why; script/deploy-smoke looks again."


def main() -> None:
    parser = arguments.Parser("deploy-smoke", "Does the service answer as it should, with this release?")
    parser.add_argument("url", nargs="*", type=arguments.address, help="default: the addresses that Terraform made")
    parser.setting("--release", "IMAGE_TAG", arguments.form(arguments.COMMIT, "a commit"), "commit that should serve")
    parser.add_argument("--outputs", type=Path, help="a file with what `terraform output -json` prints")
    parser.add_argument("--patience", type=arguments.seconds, default=PATIENCE, help="seconds")
    parser.dry_run()
    given = parser.parse_args()
    for url in given.url or outputs.read(given.outputs).addresses:
        if given.dry_run:
            say(f"Would look at {url}: {'; '.join(CHECKS)}.")
        else:
            with console.step(f"Looking at {url}"):
                check(url, given.release, given.patience)


if __name__ == "__main__":
    console.run(main)
