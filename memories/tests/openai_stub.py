"""A server that speaks OpenAI's protocol, for tests over the wire: `with OpenAIStub() as stub: stub.url`.

What it hears is derived from the bytes it gets, what it finds from the transcript it is given: the same call has the
same answer, in any process. It keeps count, takes its time (`behave(delay=...)`), fails when told to (`fail(...)`), and
can be asked over HTTP too, by processes that were given nothing but its address: `GET /__calls`.
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from werkzeug.formparser import FormDataParser

from memories.tests.openai_answers import CHAT, RESPONSES, TRANSCRIPTIONS, Answer, Behaviour, Request, answer

# --- what it can do wrong --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """One call goes wrong. Without a status, the answer is the usual one, spoilt as `spoil` says."""

    status: int = 0
    error: Mapping[str, Any] | None = None  # the "error" of OpenAI's error body
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None  # verbatim, in place of JSON
    delay: float = 0.0  # seconds before the answer
    drop: str = ""  # "before" the answer, or in the "middle" of it
    spoil: str = ""  # "schema", "refusal", "length" or "filter"

    def answer(self) -> Answer | None:
        if not self.status:
            return None
        body = json.dumps({"error": self.error}) if self.body is None else self.body
        return Answer(self.status, body.encode(), self.headers)


def _error(status: int, type_: str, code: str | None = None, **headers: str) -> Fault:
    error = {"message": "Something about sk-secret and what was said.", "type": type_, "param": None, "code": code}
    return Fault(status, error, {name.replace("_", "-"): value for name, value in headers.items()})


FAULTS: dict[str, Fault] = {
    "bad request": _error(400, "invalid_request_error", "unsupported_format"),
    "key refused": _error(401, "invalid_request_error", "invalid_api_key"),
    "not allowed": _error(403, "invalid_request_error", "insufficient_permissions"),
    "model gone": _error(404, "invalid_request_error", "model_not_found"),
    "too large": _error(413, "invalid_request_error"),
    "unprocessable": _error(422, "invalid_request_error"),
    "too fast": _error(429, "requests", "rate_limit_exceeded", retry_after="17"),
    "too fast, in ms": _error(429, "tokens", "rate_limit_exceeded", retry_after_ms="1700", retry_after="2"),
    "too fast, and no word how long": _error(429, "requests", "rate_limit_exceeded"),
    "quota spent": _error(429, "insufficient_quota", "insufficient_quota", retry_after="17"),
    "project spent": _error(429, "insufficient_quota", "project_spend_limit_exceeded"),
    "limit reached": _error(400, "invalid_request_error", "billing_hard_limit_reached"),
    "server error": _error(500, "server_error"),
    "bad gateway": Fault(502, body="<html>Bad gateway</html>"),
    "overloaded": _error(503, "server_error", "server_is_overloaded", retry_after="23"),
    "dropped before": Fault(drop="before"),
    "dropped in the middle": Fault(drop="middle"),
    "garbage": Fault(200, body="\x00{[ no JSON"),
    "empty": Fault(200, body=""),
    "wrong schema": Fault(spoil="schema"),
    "refusal": Fault(spoil="refusal"),
    "length": Fault(spoil="length"),
    "filter": Fault(spoil="filter"),
}


# --- the server ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    path: str
    model: str
    status: int  # 0: the connection was dropped
    began: float  # seconds, by a clock that all calls share
    ended: float
    filename: str = ""
    size: int = 0
    sha256: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)  # of the form, or the JSON, that was sent
    obeyed: tuple[str, ...] = ()  # which orders in a transcript it followed


class OpenAIStub:
    """`calls` are in the order in which they ended; `fail` queues faults, one a call."""

    def __init__(self, **behaviour: Any) -> None:
        self.behaviour = Behaviour(**behaviour)
        self.calls: list[Call] = []
        self.peak = 0  # calls at the same time
        self._now = 0
        self._faults: deque[tuple[str, Fault]] = deque()
        self._lock = threading.Lock()

    def __enter__(self) -> OpenAIStub:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def env(self) -> dict[str, str]:
        """For a child process: nothing in it can reach the real OpenAI."""
        return {"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "testing"}

    def behave(self, **changes: Any) -> None:
        with self._lock:
            self.behaviour = replace(self.behaviour, **changes)

    def fail(self, *faults: Fault | str, path: str = "") -> None:
        """One fault a call (of this path, if one is given), by name of FAULTS or as it is."""
        with self._lock:
            self._faults.extend((path, FAULTS[fault] if isinstance(fault, str) else fault) for fault in faults)

    def forget(self) -> None:
        """Start the log, the peak and the faults anew."""
        with self._lock:
            self.calls.clear()
            self._faults.clear()
            self.peak = self._now

    @property
    def transcriptions(self) -> list[Call]:
        return [call for call in self.calls if call.path == TRANSCRIPTIONS]

    @property
    def analyses(self) -> list[Call]:
        return [call for call in self.calls if call.path in (RESPONSES, CHAT)]

    def summary(self) -> dict[str, Any]:
        """What GET /__calls answers."""
        with self._lock:
            counts = Counter(call.path for call in self.calls if call.status == 200)
            return {"counts": counts, "peak": self.peak, "calls": [asdict(call) for call in self.calls]}

    @contextmanager
    def _at_work(self, path: str) -> Iterator[Fault]:
        with self._lock:
            self._now += 1
            self.peak = max(self.peak, self._now)
            queued = next((entry for entry in self._faults if entry[0] in ("", path)), None)
            if queued:
                self._faults.remove(queued)
        try:
            yield queued[1] if queued else Fault()
        finally:
            with self._lock:
                self._now -= 1

    def _note(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)


@pytest.fixture
def openai_stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as stub:
        yield stub


def _handler(stub: OpenAIStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as in the base class)
            pass

        def do_GET(self) -> None:
            self._send(200, json.dumps(stub.summary()).encode())

        def do_POST(self) -> None:
            began = time.monotonic()
            length = int(self.headers.get("Content-Length", "0"))
            request = _read(self.path, self.headers.get("Content-Type", ""), self.rfile.read(length))
            with stub._at_work(self.path) as fault:
                time.sleep(fault.delay or stub.behaviour.delay)
                given = fault.answer() or answer(request, stub.behaviour, fault.spoil)
                stub._note(_call(request, began, 0 if fault.drop else given.status, given.obeyed))
            if fault.drop:
                self._break_off(given.body, middle=fault.drop == "middle")
            else:
                self._send(given.status, given.body, given.headers)

        def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _break_off(self, body: bytes, *, middle: bool) -> None:
            if middle:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2])
            self.close_connection = True

    return Handler


def _read(path: str, content_type: str, body: bytes) -> Request:
    kind, _, parameters = content_type.partition(";")
    if kind != "multipart/form-data":
        return Request(path, json.loads(body))
    boundary = parameters.partition("boundary=")[2].strip('"')
    _, form, files = FormDataParser().parse(io.BytesIO(body), kind, len(body), {"boundary": boundary})
    fields = {name: values[0] if len(values) == 1 else values for name, values in form.lists()}
    return Request(path, fields, files["file"].filename or "", files["file"].read())


def _call(request: Request, began: float, status: int, obeyed: tuple[str, ...]) -> Call:
    return Call(
        path=request.path,
        model=request.model,
        status=status,
        began=began,
        ended=time.monotonic(),
        filename=request.filename,
        size=len(request.audio),
        sha256=hashlib.sha256(request.audio).hexdigest() if request.audio else "",
        fields=request.fields,
        obeyed=obeyed,
    )
