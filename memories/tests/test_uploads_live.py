"""Uploads to a real server on one machine: senders that break off or lie, many at once, and what it costs in memory."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from memories.tests.processes import postgres, wait_for
from memories.tests.server import Answer, Server, read_answer, serve
from memories.tests.speech import wav
from memories.tests.test_upload_memory import megabytes, wav_header

pytestmark = pytest.mark.slow

SOUND = wav((2.0, True))
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("house")
    with serve(folder, f"sqlite:///{folder / 'db.sqlite3'}") as server:
        yield server


def call(server: Server, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {server.token}"}
    url = f"http://127.0.0.1:{server.port}/api/v1/{path}"
    answer = requests.post(url, json=body, headers=headers, timeout=120)
    assert answer.ok, answer.text
    return answer.json()


def announce(server: Server, content: bytes = SOUND) -> Any:
    digest = hashlib.sha256(content).hexdigest()
    return call(server, "uploads", filename="", content_type="audio/wav", size=len(content), sha256=digest)


def head(upload: Any, *headers: str) -> bytes:
    address = urlsplit(upload["url"])
    lines = [f"PUT {address.path}?{address.query} HTTP/1.1", "Host: localhost", "Content-Type: audio/wav", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def ask(server: Server, request: bytes) -> Answer:
    with server.connect() as connection:
        connection.sendall(request)
        return read_answer(connection)


def parts(server: Server, upload: Any) -> list[Path]:
    return [path for path in server.files() if upload["id"] in str(path)]


def test_a_sender_that_goes_away_half_way_leaves_nothing_and_may_come_again(server: Server) -> None:
    upload = announce(server)
    with server.connect() as connection:
        connection.sendall(head(upload, f"Content-Length: {len(SOUND)}") + SOUND[:1000])
        wait_for(lambda: len(parts(server, upload)) == 1)
    wait_for(lambda: parts(server, upload) == [])
    assert ask(server, head(upload, f"Content-Length: {len(SOUND)}") + SOUND).status == 200
    assert call(server, "memories", upload=upload["id"])["audio"]["size"] == len(SOUND)
    assert len(parts(server, upload)) == 1


def test_a_sender_that_stops_early_and_waits_is_told(server: Server) -> None:
    upload = announce(server)
    with server.connect() as connection:
        connection.sendall(head(upload, f"Content-Length: {len(SOUND)}") + SOUND[:1000])
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (409, "upload_incomplete")
    assert parts(server, upload) == []


def test_what_is_too_long_is_refused_before_it_comes(server: Server) -> None:
    upload = announce(server)
    with server.connect() as connection:
        connection.sendall(head(upload, f"Content-Length: {10**12}"))  # and waits: nothing comes
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (409, "upload_mismatch")


def test_a_body_in_chunks_is_asked_for_its_length(server: Server) -> None:
    answer = ask(server, head(announce(server), "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n")
    assert (answer.status, answer.json()["code"]) == (411, "length_required")


def accept_at_once(server: Server, times: int = 4) -> None:
    upload = announce(server)
    assert requests.put(upload["url"], SOUND, headers=upload["headers"], timeout=60).ok
    barrier, ids = Barrier(times), list[str]()

    def run() -> None:
        barrier.wait()
        ids.append(call(server, "memories", upload=upload["id"])["id"])

    threads = [Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids == [upload["id"]] * times
    assert len(parts(server, upload)) == 1


def test_an_upload_that_is_accepted_many_times_at_once_is_one_memory(server: Server) -> None:
    for _ in range(5):
        accept_at_once(server)


def test_an_upload_that_is_accepted_many_times_at_once_is_one_memory_on_postgres(tmp_path: Path) -> None:
    with postgres(tmp_path / "postgres") as url, serve(tmp_path, url) as server:
        for _ in range(5):
            accept_at_once(server)
        assert server.memories() == 5


def test_200_megabytes_cost_at_most_64_over_idle(tmp_path: Path) -> None:
    content = wav_header(200 * MEGABYTE - 44) + bytes(range(256)) * (200 * MEGABYTE // 256)
    content = content[: 200 * MEGABYTE]
    with serve(tmp_path, f"sqlite:///{tmp_path / 'db.sqlite3'}") as server:
        assert ask(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 200
        idle = megabytes(server, "VmRSS")
        upload = announce(server, content)
        for part in upload["parts"]:
            data = content[part["offset"] : part["offset"] + part["size"]]
            assert requests.put(part["url"], data, timeout=60).ok
        assert call(server, "memories", upload=upload["id"])["audio"]["size"] == len(content)
        peak = megabytes(server, "VmHWM")
        print(f"idle {idle:.0f} MB, peak {peak:.0f} MB")  # noqa: T201 (shown by -s)
        assert peak - idle <= 64
