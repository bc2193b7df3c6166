"""A real server and a real worker with the embedded defaults, for what bench/ measures."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from memories.tests.server import Server, serve

SAMPLES = Path(__file__).parents[1] / "memories/tests/samples"
UNFINISHED = ("QUEUED", "TRANSCRIBING", "ANALYZING")


def megabytes(pid: int, field: str) -> float:
    """VmRSS (now) or VmHWM (the most so far) of a process, from Linux's /proc."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


@dataclass(frozen=True)
class Service:
    server: Server
    worker: subprocess.Popen[bytes]

    def call(self, method: str, path: str, **kwargs: Any) -> requests.Response:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        answer = requests.request(
            method, url, headers={"Authorization": f"Bearer {self.server.token}"}, timeout=600, **kwargs
        )
        answer.raise_for_status()
        return answer

    def send(self, recording: Path) -> str:
        with recording.open("rb") as file:
            identifier: str = self.call("POST", "/api/v1/memories", files={"audio": file}).json()["id"]
        return identifier

    def finished(self, identifier: str) -> dict[str, Any]:
        while True:
            memory: dict[str, Any] = self.call("GET", f"/api/v1/memories/{identifier}?wait=25").json()
            if memory["status"] not in UNFINISHED:
                return memory


@contextmanager
def running(**env: str) -> Iterator[Service]:
    """The service on a folder of its own, with real Whisper."""
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings", "MEMORIES_UPLOADS_PER_HOUR": "10000"}
    with TemporaryDirectory(prefix="memories-bench-") as name:
        folder = Path(name)
        with serve(folder, f"sqlite:///{folder}/db.sqlite3", **(settings | env)) as server:
            worker = server.house.worker()
            try:
                yield Service(server, worker)
            finally:
                worker.terminate()
                worker.wait()
