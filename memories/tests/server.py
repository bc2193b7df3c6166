"""A real gunicorn on a database and folders of its own, and requests to it byte by byte."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import Any

import psutil

from memories.tests.processes import House, build_house, wait_for

BOUNDARY = "a-boundary"
MAKE_TOKEN = """
from django.contrib.auth.models import User
from memories.models import DeviceToken
print(DeviceToken.objects.create(user=User.objects.get_or_create(username="ada")[0])[1])
"""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    house: House
    port: int
    token: str
    process: psutil.Process  # the gunicorn worker

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def head(self, length: int | str, *headers: str) -> bytes:
        """The head of an upload."""
        lines = [
            "POST /api/v1/memories HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.token}",
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}",
            f"Content-Length: {length}",
            *headers,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def upload(self, content: bytes, *headers: str) -> Answer:
        body = FILE_HEAD + content + FILE_TAIL
        with self.connect() as connection:
            connection.sendall(self.head(len(body), *headers) + body)
            return read_answer(connection)

    def files(self) -> list[Path]:
        """Recordings, and temporary files of uploads."""
        folders = [self.house.folder / "audio", self.house.folder / "incoming"]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def memories(self) -> int:
        return int(self.house.python("from memories.models import Memory; print(Memory.objects.count())"))


FILE_HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="audio"; filename="note.wav"\r\n\r\n'.encode()
FILE_TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def read_answer(connection: socket.socket) -> Answer:
    with connection.makefile("rb") as file:
        status = int(file.readline().split()[1])
        lines = iter(file.readline, b"\r\n")
        headers = BytesHeaderParser().parsebytes(b"".join(lines))
        body = file.read(int(headers.get("Content-Length", "0")))
    return Answer(status, {name.lower(): value for name, value in headers.items()}, body)


@contextmanager
def serve(folder: Path, database_url: str, **env: str) -> Iterator[Server]:
    house = build_house(folder, database_url, **env)
    with gunicorn(house) as (process, port):
        worker = psutil.Process(process.pid).children()[0]
        yield Server(house, port, house.python(MAKE_TOKEN).strip(), worker)


@contextmanager
def gunicorn(house: House) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The master, and the port where its worker listens."""
    log_path = house.folder / "gunicorn.log"
    command = "-m gunicorn config.wsgi --bind 127.0.0.1:0"
    with log_path.open("wb") as log:
        master = subprocess.Popen(
            [sys.executable, *command.split()], cwd=house.code, env=house.env, stderr=log, stdout=log
        )
    try:
        wait_for(lambda: "Booting worker" in log_path.read_text() or master.poll() is not None)
        listening = re.search(r"127\.0\.0\.1:(\d+)", log_path.read_text())
        assert listening, log_path.read_text()
        yield master, int(listening[1])
    finally:
        master.terminate()
        master.wait()
