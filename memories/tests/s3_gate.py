"""A gate before moto's S3: it holds requests to what was signed, as S3 does but not moto, and fails at our word."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from memories.tests.aws import AWS, REGION

SECRET = "testing"
TIME = "%Y%m%dT%H%M%SZ"


@dataclass
class Fault:
    """What befalls requests of this method whose address has this in it."""

    method: str
    pattern: str
    status: int  # 0: the connection is dropped, in the middle of the answer where that has a body
    code: str
    times: int

    def befalls(self, method: str, address: str) -> bool:
        if self.times < 1 or method != self.method or not re.search(self.pattern, address):
            return False
        self.times -= 1
        return True


@dataclass
class Gate:
    aws: AWS
    bucket: str
    port: int = 0
    ahead: timedelta = timedelta()  # how far the clock of this S3 is ahead of ours
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "PUT /bucket/key?…", in order

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, method: str, status: int, code: str, *, pattern: str = "", times: int = 1_000) -> None:
        self.faults.append(Fault(method, pattern, status, code, times))

    def drop(self, method: str, *, pattern: str = "", times: int = 1_000) -> None:
        self.faults.append(Fault(method, pattern, 0, "", times))

    def mend(self) -> None:
        self.faults.clear()

    def fault(self, method: str, address: str) -> Fault | None:
        return next((fault for fault in self.faults if fault.befalls(method, address)), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    gate: Gate

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.gate.requests.append(f"{self.command} {self.path}")
        fault = self.gate.fault(self.command, self.path)
        if fault and (fault.status or self.command != "GET"):
            self.refuse(fault.status, fault.code)
        elif refusal := _refusal(self.command, self.path, self.headers, body, datetime.now(UTC) + self.gate.ahead):
            self.refuse(*refusal)
        else:
            self.forward(body, half=fault is not None)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815 (http.server's names)

    def refuse(self, status: int, code: str) -> None:
        self.close_connection = True
        if status:
            content = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
            self.answer(status, {"Content-Type": "application/xml"}, content)

    def forward(self, body: bytes, *, half: bool) -> None:
        moto = HTTPConnection(urlsplit(self.gate.aws.endpoint_url).netloc)
        moto.request(self.command, self.path, body, dict(self.headers))
        got: HTTPResponse = moto.getresponse()
        content = got.read().replace(_LONG_AGO, f"{datetime.now(UTC):%FT%T.000Z}".encode())
        passed = {name: value for name, value in got.getheaders() if name.lower() not in _OWN}
        if self.command == "HEAD":
            passed["Content-Length"] = got.getheader("Content-Length", "0")
        self.close_connection = self.close_connection or half
        self.answer(got.status, passed, content, sent=len(content) // 2 if half else None)
        moto.close()

    def answer(self, status: int, headers: dict[str, str], content: bytes, sent: int | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:sent])

    def log_message(self, *args: object) -> None:
        pass


_LONG_AGO = b"2010-11-10T20:48:33.000Z"  # when, as moto says, every multipart upload was begun
_OWN = {"content-length", "connection", "date", "server", "transfer-encoding"}


def _refusal(method: str, address: str, headers: Message, body: bytes, now: datetime) -> tuple[int, str] | None:
    """What S3 says to a request that is not, word for word, the one that was signed."""
    query = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
    if "X-Amz-Signature" in query:
        expires = datetime.strptime(query["X-Amz-Date"] + "+0000", TIME + "%z") + timedelta(
            seconds=int(query["X-Amz-Expires"])
        )
        if now > expires:
            return 403, "AccessDenied"
        if not hmac.compare_digest(_signature(method, address, headers, query), query["X-Amz-Signature"]):
            return 403, "SignatureDoesNotMatch"
    elif "Authorization" not in headers:
        return 403, "AccessDenied"
    checksum = headers.get("x-amz-checksum-sha256")
    if checksum and base64.b64decode(checksum) != hashlib.sha256(body).digest():
        return 400, "BadDigest"
    return None


def _signature(method: str, address: str, headers: Message, query: dict[str, str]) -> str:
    """AWS Signature Version 4 of an address."""
    signed = query["X-Amz-SignedHeaders"].split(";")
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in query.items() if k != "X-Amz-Signature")
    canonical = "\n".join(
        [
            method,
            urlsplit(address).path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
            "",
            ";".join(signed),
            "UNSIGNED-PAYLOAD",
        ]
    )
    _, day, region, service, end = query["X-Amz-Credential"].split("/")
    scope = f"{day}/{region}/{service}/{end}"
    to_sign = "\n".join(
        [query["X-Amz-Algorithm"], query["X-Amz-Date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = f"AWS4{SECRET}".encode()
    for step in (day, region, service, end, to_sign):
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex()


class _Server(ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """A client that goes away before its answer is no trouble of ours."""


@pytest.fixture
def s3(aws: AWS, settings: Any) -> Iterator[Gate]:
    """The storage of this test is a bucket behind a gate."""
    gate = Gate(aws, aws.make_bucket())
    handler = type("Handler", (_Handler,), {"gate": gate})
    with _Server(("127.0.0.1", 0), handler) as server:
        gate.port = server.server_address[1]
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        options = {"bucket_name": gate.bucket, "region_name": REGION, "endpoint_url": gate.endpoint_url}
        backend = "memories.storage.s3.PrivateS3Storage"
        settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": backend, "OPTIONS": options}}
        yield gate
        server.shutdown()
