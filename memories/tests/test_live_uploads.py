"""Uploads byte by byte to a real server: clients that lie about length, go away, or come twice at once."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest

from memories.tests.processes import postgres, wait_for
from memories.tests.server import FILE_HEAD, FILE_TAIL, Answer, Server, read_answer, serve
from memories.tests.speech import wav

pytestmark = pytest.mark.slow

SOUND = wav((2.0, True))
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("house")
    with serve(folder, f"sqlite:///{folder / 'db.sqlite3'}", MAX_UPLOAD_MB="4") as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(server: Server) -> Iterator[None]:
    """A file for each memory, and no other file."""
    yield
    wait_for(lambda: len(server.files()) == server.memories(), seconds=10)


def test_a_whole_upload_is_accepted(server: Server) -> None:
    answer = server.upload(SOUND)
    assert answer.status == 202
    assert answer.headers["location"] == f"/api/v1/memories/{answer.json()['id']}"


def test_a_client_that_goes_away_half_way_leaves_nothing(server: Server) -> None:
    before = server.memories()
    with server.connect() as connection:
        connection.sendall(server.head(2 * MEGABYTE) + FILE_HEAD + b"\0" * MEGABYTE)
        wait_for(lambda: any(path.parent.name == "incoming" for path in server.files()))
    wait_for(lambda: not any(path.parent.name == "incoming" for path in server.files()))
    assert server.memories() == before


def test_a_client_that_sends_less_than_it_said_and_waits_is_told(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(server.head(2 * MEGABYTE) + FILE_HEAD + b"\0" * MEGABYTE)
        connection.shutdown(socket.SHUT_WR)
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (400, "malformed_request")


def test_a_client_that_sends_more_than_it_said_is_told(server: Server) -> None:
    body = FILE_HEAD + SOUND + FILE_TAIL
    with server.connect() as connection:
        connection.sendall(server.head(len(body) // 2) + body)
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (400, "malformed_request")


@pytest.mark.parametrize("length", ["99999999999", str(5 * MEGABYTE + 10_000)])
def test_a_huge_content_length_is_refused_at_once(server: Server, length: str) -> None:
    with server.connect() as connection:
        connection.sendall(server.head(length) + FILE_HEAD)  # and waits: nothing more comes
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (413, "upload_too_large")


@pytest.mark.parametrize("length", ["-1", "many", "1e3", ""])
def test_a_content_length_that_is_no_number_is_refused(server: Server, length: str) -> None:
    with server.connect() as connection:
        connection.sendall(server.head(length) + FILE_HEAD + SOUND + FILE_TAIL)
        assert read_answer(connection).status == 400


@pytest.mark.parametrize("megabytes", [5, 50])
def test_a_client_that_sends_all_of_it_before_it_reads_still_hears_that_it_is_too_large(
    server: Server, megabytes: int
) -> None:
    answer = server.upload(b"\0" * (megabytes * MEGABYTE))
    assert (answer.status, answer.json()["code"]) == (413, "upload_too_large")


def test_a_client_that_is_refused_may_go_on_with_the_next_request(server: Server) -> None:
    assert server.upload(b"no audio").status == 415
    assert server.upload(SOUND).status == 202


def test_who_has_no_token_hears_it_after_sending_all(server: Server) -> None:
    body = FILE_HEAD + b"\0" * (3 * MEGABYTE) + FILE_TAIL
    head = server.head(len(body)).replace(server.token.encode(), b"not-a-token")
    with server.connect() as connection:
        connection.sendall(head + body)
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (401, "authentication_failed")


def test_a_chunked_body_is_asked_for_its_length(server: Server) -> None:
    head = server.head(0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with server.connect() as connection:
        connection.sendall(head + b"5\r\nhello\r\n0\r\n\r\n")
        answer = read_answer(connection)
    assert (answer.status, answer.json()["code"]) == (411, "length_required")


def at_once(server: Server, key: str, times: int = 4) -> list[Answer]:
    barrier, answers = Barrier(times), list[Answer]()

    def run() -> None:
        barrier.wait()
        answers.append(server.upload(SOUND, f"Idempotency-Key: {key}"))

    threads = [Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_identical_requests_at_the_same_time_give_one_memory(server: Server) -> None:
    before = server.memories()
    for key in ("a", "b", "c", "d", "e"):
        answers = at_once(server, key)
        assert [answer.status for answer in answers] == [202] * 4
        assert len({answer.json()["id"] for answer in answers}) == 1
    assert server.memories() == before + 5


def test_identical_requests_at_the_same_time_give_one_memory_on_postgres(tmp_path: Path) -> None:
    with postgres(tmp_path / "postgres") as url, serve(tmp_path, url) as server:
        for key in ("a", "b", "c", "d", "e"):
            answers = at_once(server, key)
            assert [answer.status for answer in answers] == [202] * 4
            assert len({answer.json()["id"] for answer in answers}) == 1
        assert server.memories() == len(server.files()) == 5
