"""The whole service as on AWS, over the wire: gunicorn and Lambda, S3, SQS and OpenAI's stand-ins, real PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from memories.tests.aws import AWS, Queues
from memories.tests.lambda_events import EventSource, http_event
from memories.tests.lambda_runtime import Function, function
from memories.tests.openai_stub import OpenAIStub
from memories.tests.processes import House, postgres
from memories.tests.server import BOUNDARY, FILE_HEAD, FILE_TAIL, Server, serve

PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "MEMORIES_ENV": "production",
    "DJANGO_SECRET_KEY": "a key of tests, long enough for the checks of production to let it pass",
    "DJANGO_ALLOWED_HOSTS": "localhost,127.0.0.1,.lambda-url.us-east-1.on.aws",
    "MEMORIES_LOG_LEVEL": "INFO",
    "MEMORIES_LEASE_SECONDS": "10",
    "MEMORIES_RETRY_SECONDS": "1",
    "MEMORIES_UPLOADS_PER_HOUR": "10000",
    "OPENAI_TIMEOUT": "10",
}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Door(ABC):
    """A way to the API, as a client behind TLS sees it."""

    def __init__(self, token: str) -> None:
        self.headers = {"authorization": f"Bearer {token}", "x-forwarded-proto": "https"}

    @abstractmethod
    def call(self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json") -> Reply: ...

    def post(self, path: str, **fields: Any) -> Any:
        reply = self.call("POST", f"/api/v1/{path}", body=json.dumps(fields).encode())
        assert reply.status in (201, 202), reply
        return reply.json()

    def memory(self, memory_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"/api/v1/memories/{memory_id}").json()
        return found

    def send(self, sound: bytes) -> str:
        """Upload a recording through the API: the id of its memory."""
        body, content_type = FILE_HEAD + sound + FILE_TAIL, f"multipart/form-data; boundary={BOUNDARY}"
        reply = self.call("POST", "/api/v1/memories", body=body, content_type=content_type)
        assert reply.status == 202, reply
        return str(reply.json()["id"])

    def send_to_storage(self, sound: bytes) -> str:
        """The same, its bytes straight to where `POST uploads` says."""
        digest = hashlib.sha256(sound).hexdigest()
        upload = self.post("uploads", filename="note.m4a", content_type="audio/mp4", size=len(sound), sha256=digest)
        put = requests.request(upload["method"], upload["url"], headers=upload["headers"], data=sound, timeout=30)
        assert put.ok, put.text
        return str(self.post("memories", upload=upload["id"])["id"])

    def sound(self, memory_id: str) -> bytes:
        """What people hear: the signed address, and what lies there."""
        reply = self.call("GET", f"/api/v1/memories/{memory_id}/audio")
        assert reply.status == 302, reply
        return requests.get(reply.headers["location"], timeout=30).content


class Gunicorn(Door):
    def __init__(self, address: str, token: str, host: str = "localhost") -> None:
        super().__init__(token)
        self.address = address
        self.headers["host"] = host

    def call(self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json") -> Reply:
        answer = requests.request(
            method,
            self.address + path,
            headers=self.headers | {"content-type": content_type},
            data=body,
            timeout=60,
            allow_redirects=False,
        )
        return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


class FunctionUrl(Door):
    def __init__(self, token: str, function: Function) -> None:
        super().__init__(token)
        self.function = function

    def call(self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json") -> Reply:
        headers = self.headers | {"content-type": content_type}
        answer = self.function.invoke(http_event(method, path, headers=headers, body=body))
        return Reply(answer["statusCode"], answer["headers"], answer["body"].encode())


@dataclass(frozen=True)
class Shape:
    """`function` takes from `source`; more functions can be had with `another_function`."""

    aws: AWS
    queues: Queues
    database: str
    server: Server
    function: Function
    stub: OpenAIStub

    @property
    def house(self) -> House:
        return self.server.house

    @property
    def source(self) -> EventSource:
        return EventSource(self.aws.client("sqs"), self.queues.url, self.function)

    @property
    def dead_source(self) -> EventSource:
        return EventSource(self.aws.client("sqs"), self.queues.dlq_url, self.function)

    def door(self, name: str) -> Door:
        if name == "function url":
            return FunctionUrl(self.server.token, self.function)
        return Gunicorn(f"http://127.0.0.1:{self.server.port}", self.server.token)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return query(self.database, sql, *values)

    def drain(self) -> None:
        """Lambda does what the queue holds."""
        while self.source.pump(wait=1):
            pass


def query(database: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """The rows that it gives, past Django."""
    import psycopg2

    connection = psycopg2.connect(database)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@contextmanager
def aws_shape(folder: Path, aws: AWS) -> Iterator[Shape]:
    queues = aws.make_queues(visibility=6 * int(PRODUCTION["MEMORIES_LEASE_SECONDS"]))  # about as on AWS
    with OpenAIStub() as stub, postgres(folder / "postgres") as database:
        env = PRODUCTION | aws.env | stub.env
        env |= {
            "SQS_QUEUE_URL": queues.url,
            "SQS_DLQ_URL": queues.dlq_url,
            "AWS_STORAGE_BUCKET_NAME": aws.make_bucket(),
        }
        with serve(folder, database, **env) as server, lambda_function(server.house, folder / "lambda") as made:
            yield Shape(aws, queues, database, server, made, stub)


@contextmanager
def lambda_function(house: House, folder: Path) -> Iterator[Function]:
    """A function of this house, with a /tmp of its own."""
    folder.mkdir()
    with function(house.env | {"MEMORIES_DATA_DIR": str(folder)}, folder / "log") as made:
        yield made
