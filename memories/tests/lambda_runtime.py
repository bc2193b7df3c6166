"""Lambda on this machine: a Runtime API that the real awslambdaric runs our handler against, killed at its deadline.

The API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. As on AWS, the runtime starts once, takes one
event after the other, and is started anew after a kill.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

from memories.tests.processes import ROOT

PREFIX = "/2018-06-01/runtime"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:memories"


class FunctionError(Exception):
    """The invocation failed: what the function raised, "Runtime exited" or "Task timed out"."""


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go in two writes: Nagle would hold the second one back for 40 ms
    server: _Server

    def do_GET(self) -> None:
        """invocation/next: waits until there is an event."""
        self.server.first_next.set()
        request_id, deadline, event = self.server.events.get()
        headers = {  # awslambdaric crashes where one is missing
            "Content-Type": "application/json",
            "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": ARN,
        }
        self.reply(200, event, headers)

    def do_POST(self) -> None:
        """invocation/ID/response, invocation/ID/error or init/error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((self.path.removeprefix(PREFIX), body))
        self.reply(202, b"{}", {})

    def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.events: queue.Queue[tuple[str, float, bytes]] = queue.Queue()
        self.answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.first_next = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a runtime that was killed in the middle of a request


class Function:
    """One execution environment: `invoke` gives it one event at a time, and starts it anew after a kill.

    `env` is all that it gets; the log has what it wrote. `seconds` is the function's time-out, `code` what is deployed.
    """

    def __init__(
        self,
        env: dict[str, str],
        log: Path,
        *,
        seconds: float = 60.0,
        handler: str = "config.lambda_handler.handler",
        code: Path = ROOT,
    ) -> None:
        self.env, self.log, self.seconds, self.handler, self.code = env, log, seconds, handler, code
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> float:
        """INIT: the seconds that it took until the runtime asked for its first event."""
        self.server = _Server()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{self.server.server_address[1]}"
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.process = self.run(address, log)
        while not self.server.first_next.wait(0.05):
            if self.process.poll() is not None:
                raise FunctionError(self.log.read_text()[-2000:])
        return time.monotonic() - began

    def run(self, address: str, log: BinaryIO) -> subprocess.Popen[bytes]:
        """The process that asks this address for events."""
        return subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self.handler],
            cwd=self.code,
            env=self.env | {"AWS_LAMBDA_RUNTIME_API": address},
            stdout=log,
            stderr=log,
        )

    def invoke(self, event: Any, *, seconds: float | None = None) -> Any:
        """What the handler returns; FunctionError when it raises, ends, or is killed at its deadline."""
        if self.process is None or self.process.poll() is not None:
            self.start()
        request_id, deadline = str(uuid.uuid4()), time.time() + (seconds or self.seconds)
        self.server.events.put((request_id, deadline, json.dumps(event).encode()))
        while True:
            try:
                path, body = self.server.answers.get(timeout=0.02)
            except queue.Empty:
                self._check_alive(deadline)
                continue
            if path == f"/invocation/{request_id}/response":
                return json.loads(body)
            raise FunctionError(body.decode())

    def _check_alive(self, deadline: float) -> None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise FunctionError("Runtime exited")
        if time.time() >= deadline:
            self.kill()
            raise FunctionError("Task timed out")

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)


@contextmanager
def function(env: dict[str, str], log: Path, **options: Any) -> Iterator[Function]:
    made = Function(env, log, **options)
    try:
        yield made
    finally:
        made.kill()
