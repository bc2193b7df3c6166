"""The product on what Terraform made: its own names, parameters and roles; only the database and OpenAI are others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memories.tests.aws import REGION
from memories.tests.aws_shape import Door, FunctionUrl, Gunicorn, query
from memories.tests.deployed.account import Credentials
from memories.tests.deployed.deployment import HOST, Deployment
from memories.tests.lambda_events import EventSource
from memories.tests.lambda_runtime import Function, function
from memories.tests.openai_stub import OpenAIStub
from memories.tests.processes import ROOT, House, postgres
from memories.tests.server import MAKE_TOKEN, gunicorn

FUNCTIONS = ("worker", "clock", "api")
CODE = ("config", "memories", "manage.py", "gunicorn.conf.py")


@dataclass(frozen=True)
class Product:
    deployment: Deployment
    database: str
    stub: OpenAIStub
    credentials: Mapping[str, Credentials]  # of each role
    functions: Mapping[str, Function]
    host: House
    port: int
    token: str
    migrated: Any  # what the clock answered

    @property
    def source(self) -> EventSource:
        """AWS takes from the queue with the rights of the function."""
        sqs = self.credentials["worker"].client(self.deployment.account, "sqs")
        return EventSource(sqs, self.deployment.outputs["queue_url"], self.functions["worker"])

    def drain(self) -> None:
        while self.source.pump(wait=1):
            pass

    def door(self, name: str) -> Door:
        if name == "function url":
            return FunctionUrl(self.token, self.functions["api"])
        return Gunicorn(f"http://127.0.0.1:{self.port}", self.token, HOST)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return query(self.database, sql, *values)


@contextmanager
def running(deployment: Deployment, folder: Path) -> Iterator[Product]:
    """Each process with the credentials of its role, in an account where IAM is on."""
    with ExitStack() as stack:
        stub = stack.enter_context(OpenAIStub())
        database = stack.enter_context(postgres(folder / "postgres"))
        deployment.write_secret("DATABASE_URL", database)
        rest_mappings(deployment)
        credentials = {name: deployment.account.assume(deployment.role(name)) for name in (*FUNCTIONS, "host")}
        code = copy_code(folder / "code")
        around = surroundings(deployment, stub)
        functions = {
            name: stack.enter_context(
                function(
                    around(deployment.function_environment(name), credentials[name], folder / name),
                    folder / f"{name}.log",
                    code=code,
                )
            )
            for name in FUNCTIONS
        }
        host = House(folder / "host", around(deployment.api_environment(), credentials["host"], folder / "host"), code)
        stack.enter_context(deployment.account.guarded())
        migrated = functions["clock"].invoke({"manage": "migrate"})
        _, port = stack.enter_context(gunicorn(host))
        token = host.python(MAKE_TOKEN).strip()
        yield Product(deployment, database, stub, credentials, functions, host, port, token, migrated)


def rest_mappings(deployment: Deployment) -> None:
    """What Lambda does with the queue is done by `Product.source`: moto would run the function in Docker."""
    functions = deployment.account.client("lambda")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)


def copy_code(folder: Path) -> Path:
    """As images have it: no .env, no tests."""
    folder.mkdir()
    for name in CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def surroundings(deployment: Deployment, stub: OpenAIStub) -> Any:
    """What a process has beside what Terraform says: where AWS and OpenAI are here, its role, a place to write."""

    def around(said: Mapping[str, str], role: Credentials, folder: Path) -> dict[str, str]:
        folder.mkdir()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        here = {"OPENAI_BASE_URL": stub.url, "MEMORIES_DATA_DIR": str(folder), "AWS_DEFAULT_REGION": REGION}
        return {**kept, **deployment.account.env, **said, **here, **role.env}

    return around
