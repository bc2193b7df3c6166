"""A large upload costs little memory: it is never held whole."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from memories.tests.server import FILE_HEAD, FILE_TAIL, Server, read_answer, serve

pytestmark = pytest.mark.slow

MEGABYTE = 1024 * 1024
SIZE = 500 * MEGABYTE


def wav_header(data_size: int, rate: int = 48_000, channels: int = 2) -> bytes:
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * channels * 2, channels * 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + data_size, b"WAVE") + form + struct.pack("<4sI", b"data", data_size)


def megabytes(server: Server, field: str) -> float:
    """A figure of /proc/PID/status: VmRSS is what the process holds now, VmHWM the most it ever held."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


def ask(server: Server, request: bytes) -> int:
    with server.connect() as connection:
        connection.sendall(request)
        return read_answer(connection).status


def test_500_megabytes_cost_at_most_64_over_idle(tmp_path: Path) -> None:
    with serve(tmp_path, f"sqlite:///{tmp_path / 'db.sqlite3'}") as server:
        assert ask(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") == 200
        idle = megabytes(server, "VmRSS")
        header = wav_header(SIZE - 44)
        length = len(FILE_HEAD) + SIZE + len(FILE_TAIL)
        with server.connect() as connection:
            connection.sendall(server.head(length) + FILE_HEAD + header)
            block = bytes(range(256)) * (MEGABYTE // 256)
            for _ in range(SIZE // MEGABYTE - 1):
                connection.sendall(block)
            connection.sendall(block[: MEGABYTE - len(header)] + FILE_TAIL)
            answer = read_answer(connection)
        assert answer.status == 202, answer.body
        assert answer.json()["audio"]["size"] == SIZE
        assert [path.stat().st_size for path in server.files()] == [SIZE]
        peak = megabytes(server, "VmHWM")
        print(f"idle {idle:.0f} MB, peak {peak:.0f} MB")  # noqa: T201 (shown by -s)
        assert peak - idle <= 64
