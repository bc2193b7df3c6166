"""Both images at work: PostgreSQL, S3, SQS and OpenAI are played on this machine, the containers are compose.yaml's."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import requests

from deploy.images.containers import Container, ContainerFunction, Ship
from deploy.images.engine import LOCAL, Engine
from deploy.images.relay import relay
from memories.tests.aws import AWS, moto_server
from memories.tests.aws_shape import PRODUCTION, Door, Gunicorn
from memories.tests.lambda_events import SCHEDULED, EventSource, http_event
from memories.tests.openai_stub import OpenAIStub
from memories.tests.processes import postgres, wait_for
from memories.tests.server import MAKE_TOKEN

RECORDING = Path("memories/tests/samples/tts_en.mp3")
UNDER_WAY = ("QUEUED", "TRANSCRIBING", "ANALYZING")
ACCOUNT = "123456789012"  # moto's
COLD = """
import os, sys
from importlib import import_module
sys.path.insert(0, os.getcwd())
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
for name in sys.argv[1:]:
    import_module(name)
loaded = [module.__spec__ for module in list(sys.modules.values()) if getattr(module, "__spec__", None)]
print(*(spec.name for spec in loaded if spec.cached and not os.path.exists(spec.cached)))
"""


class Report:
    """Says what holds; the first thing that does not ends the test."""

    def line(self, what: str, detail: object = "") -> None:
        print(f"  {what}{f': {detail}' if detail != '' else ''}", flush=True)

    def holds(self, what: str, found: bool, detail: object = "") -> None:
        if not found:
            raise SystemExit(f"NOT SO: {what} {detail}")
        self.line(f"ok  {what}", detail)


def api_of(container: Container, port: int) -> Gunicorn:
    token = container.exec("python", "manage.py", "shell", "--no-imports", "-c", MAKE_TOKEN)
    return Gunicorn(f"http://127.0.0.1:{port}", token.strip())


@contextmanager
def surroundings(folder: Path) -> Iterator[tuple[AWS, dict[str, str]]]:
    """What the service stands on, and the environment that leads there."""
    with moto_server() as aws, OpenAIStub() as stub, postgres(folder / "postgres") as database:
        path = f"{parse_qs(urlsplit(database).query)['host'][0]}/.s.PGSQL.5432"
        with relay(path) as port:
            queue = f"{aws.endpoint_url}/{ACCOUNT}/memories"
            yield (
                aws,
                PRODUCTION
                | aws.env
                | stub.env
                | {
                    "DATABASE_URL": f"postgres://postgres@127.0.0.1:{port}/postgres",
                    "AWS_STORAGE_BUCKET_NAME": "memories-audio",
                    "SQS_QUEUE_URL": queue,
                    "SQS_DLQ_URL": f"{queue}-dlq",
                },
            )


def locked_up(report: Report, container: Container, user: str) -> None:
    report.holds(f"runs as {user}", container.exec("id", "-u") == user)
    report.holds("has no capability", int(container.status("CapEff"), 16) == 0 == int(container.status("CapBnd"), 16))
    report.holds("can gain no privilege", container.status("NoNewPrivs") == "1")
    report.holds("writes nothing to its root", container.fails("touch", "/app/x") and container.fails("touch", "/x"))


def compiled(report: Report, container: Container, *modules: str) -> None:
    cold = container.exec("python", "-c", COLD, *modules)
    report.holds("compiles nothing when it starts", cold == "", cold)


def try_api(report: Report, ship: Ship) -> None:
    port = free_port()
    container = ship.start("api", PORT=str(port))
    try:
        seconds = awaited(f"http://127.0.0.1:{port}/healthz")
        report.line("start to healthz", f"{seconds:.1f} s")
        ready = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=30)
        report.holds("readyz is 200", ready.status_code == 200, ready.text)
        alive = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=30)
        report.line("says its release", alive.json()["release"] or "none was built in")
        report.holds("its own health check passes", container.health())
        locked_up(report, container, "10001")
        compiled(report, container, "gunicorn.app.wsgiapp", "config.wsgi", "config.urls", "boto3", "av", "openai")
        report.line("resident, idle", f"{container.resident():.0f} MB")
        api = api_of(container, port)
        style = served_style(api)
        report.holds("serves the pages' files", api.call("GET", style).status == 200, style)
        memory = api.send(RECORDING.read_bytes())
        report.holds("takes an upload", api.memory(memory)["status"] == "QUEUED", memory)
        report.line("resident, after it", f"{container.resident():.0f} MB")
        work(report, ship, api)
        ended(report, container)
    except BaseException:
        print(container.log()[-4000:], file=sys.stderr)
        raise


def work(report: Report, ship: Ship, api: Door) -> None:
    """The same image as a worker."""
    worker = ship.start("worker")
    wait_for(lambda: listed(api)[0]["status"] not in UNDER_WAY, seconds=120)
    status = listed(api)[0]["status"]
    report.holds("a worker of the same image makes a memory", status == "READY", status)
    locked_up(report, worker, "10001")
    report.line("resident, a worker after it", f"{worker.resident():.0f} MB")
    ended(report, worker)


def listed(api: Door) -> list[dict[str, str]]:
    found: list[dict[str, str]] = api.call("GET", "/api/v1/memories").json()["results"]
    return found


def ended(report: Report, container: Container) -> None:
    seconds, code = container.stop()
    report.holds("ends when asked", code == 0 and seconds < container.service.grace, f"exit {code}, {seconds:.1f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def awaited(address: str) -> float:
    """The seconds until it answers with 200."""
    began = time.monotonic()

    def answers() -> bool:
        try:
            return requests.get(address, timeout=5).ok
        except requests.RequestException:
            return False

    wait_for(answers, seconds=90)
    return time.monotonic() - began


def served_style(api: Door) -> str:
    """The address of a style sheet, as the admin's page has it."""
    page = api.call("GET", "/admin/login/").body.decode()
    return page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]


def try_lambda(report: Report, ship: Ship, aws: AWS, folder: Path) -> None:
    function = ContainerFunction(ship, folder / "lambda.log")
    try:
        report.line("start to the first next", f"{function.start():.2f} s")
        report.line("resident, idle", f"{function.container.resident():.0f} MB")
        locked_up(report, function.container, "993")
        compiled(report, function.container, "awslambdaric.bootstrap", "config.lambda_handler")
        report.holds("migrates", "applied" in function.invoke({"manage": "migrate"}))
        message(report, ship, aws, function)
        counts = function.invoke(SCHEDULED)
        report.holds("keeps house", isinstance(counts, dict), counts)
        answer = function.invoke(http_event("GET", "/readyz"))
        report.holds("answers HTTP", answer["statusCode"] == 200, answer["body"])
        report.line("resident, after all that", f"{function.container.resident():.0f} MB")
    except BaseException:
        print(function.log.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        function.kill()


def message(report: Report, ship: Ship, aws: AWS, function: ContainerFunction) -> None:
    """What an upload through the API rings for is done by the function."""
    port = free_port()
    container = ship.start("api", PORT=str(port))
    awaited(f"http://127.0.0.1:{port}/healthz")
    api = api_of(container, port)
    memory = api.send(RECORDING.read_bytes())
    source = EventSource(aws.client("sqs"), ship.environment["SQS_QUEUE_URL"], function)
    while source.pump(wait=1):
        pass
    found = api.memory(memory)
    report.holds("makes a memory of an upload", found["status"] == "READY", found["status_detail"])
    container.stop()
    ship.engine.call("rm", container.name)


def try_local(report: Report, ship: Ship) -> None:
    """As on a developer's machine: nothing is set, and Whisper listens."""
    port = free_port()
    container = ship.start("api", PORT=str(port))
    awaited(f"http://127.0.0.1:{port}/healthz")
    report.holds("its own health check passes", container.health())
    api = api_of(container, port)
    report.holds("serves the pages' files", api.call("GET", served_style(api)).status == 200)
    api.send(RECORDING.read_bytes())
    work(report, ship, api)
    ended(report, container)


def run(engine: Engine, images: list[str]) -> None:
    """SystemExit says what does not hold."""
    report, prefix = Report(), f"memories-smoke-{os.getpid()}"
    with TemporaryDirectory(prefix="memories-smoke-") as name, surroundings(Path(name)) as (aws, environment):
        for image in images:
            local = image == LOCAL
            given = {"DATABASE_URL": environment["DATABASE_URL"]} if local else environment
            ship = Ship(engine, prefix, given, LOCAL if local else "api")
            print(f"memories:{image}", flush=True)
            try:
                if not local:
                    ship.do("aws-setup")
                ship.do("migrate")
                if image == "lambda":
                    try_lambda(report, ship, aws, Path(name))
                elif local:
                    try_local(report, ship)
                else:
                    try_api(report, ship)
            finally:
                ship.clear()
