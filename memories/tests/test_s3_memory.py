"""Recordings on their way to S3 cost little memory: they are never held whole, in either direction."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from memories.tests.aws import AWS
from memories.tests.server import FILE_HEAD, FILE_TAIL, Server, read_answer, serve
from memories.tests.test_upload_memory import ask, megabytes, wav_header

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
SIZE = 200 * MEGABYTE
BLOCK = os.urandom(MEGABYTE)
MOST = 64  # MB over idle


@pytest.fixture
def server(tmp_path: Path, aws_server: AWS) -> Iterator[Server]:
    env = {**aws_server.env, "AWS_STORAGE_BUCKET_NAME": aws_server.make_bucket()}
    with serve(tmp_path, f"sqlite:///{tmp_path / 'db.sqlite3'}", **env) as server:
        assert ask(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200
        yield server


def blocks() -> Iterator[bytes]:
    """A WAV file of SIZE bytes."""
    header = wav_header(SIZE - 44)
    yield header
    yield BLOCK[len(header) :]
    for _ in range(SIZE // MEGABYTE - 1):
        yield BLOCK


def post(server: Server, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{server.port}/api/v1/{path}"
    answer = requests.post(url, json.dumps(body), headers=headers, timeout=120)
    assert answer.ok, answer.text
    return answer.json()


def test_200_megabytes_through_us_cost_at_most_64_over_idle(server: Server) -> None:
    idle = megabytes(server, "VmRSS")
    with server.connect() as connection:
        connection.sendall(server.head(len(FILE_HEAD) + SIZE + len(FILE_TAIL)) + FILE_HEAD)
        for block in blocks():
            connection.sendall(block)
        connection.sendall(FILE_TAIL)
        answer = read_answer(connection)
    assert answer.status == 202, answer.body
    peak = megabytes(server, "VmHWM")
    print(f"idle {idle:.0f} MB, peak {peak:.0f} MB")  # noqa: T201 (shown by -s)
    assert peak - idle <= MOST


def test_200_megabytes_past_us_cost_at_most_64_over_idle_to_verify(server: Server) -> None:
    idle = megabytes(server, "VmRSS")
    digest = hashlib.sha256()
    for block in blocks():
        digest.update(block)
    upload = post(server, "uploads", filename="", content_type="audio/wav", size=SIZE, sha256=digest.hexdigest())
    content = b"".join(blocks())
    for part in upload["parts"]:
        data = content[part["offset"] : part["offset"] + part["size"]]
        assert requests.put(part["url"], data, headers=part["headers"], timeout=60).ok
    assert post(server, "memories", upload=upload["id"])["audio"]["size"] == SIZE
    peak = megabytes(server, "VmHWM")
    print(f"idle {idle:.0f} MB, peak {peak:.0f} MB")  # noqa: T201
    assert peak - idle <= MOST
