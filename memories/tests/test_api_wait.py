"""GET memories/{id}?wait=: the answer comes when the status changes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from memories.models import Memory, Status
from memories.tests.factories import make_client, make_memory
from memories.tests.test_waiting import change, until
from memories.waiting import watcher

pytestmark = pytest.mark.django_db(transaction=True)
LONG = 25


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def poll(api: APIClient, memory: Memory, seconds: int | str = LONG, **headers: Any) -> Any:
    return api.get(f"/api/v1/memories/{memory.pk}", {"wait": seconds}, **headers)


def poll_while(api: APIClient, memory: Memory, happens: Callable[[], None], **headers: Any) -> Any:
    """The answer to a poll during which something happens."""

    def in_thread() -> Any:
        try:
            return poll(api, memory, **headers)
        finally:
            connection.close()

    with ThreadPoolExecutor() as pool:
        answer = pool.submit(in_thread)
        until(lambda: watcher._waiters)
        happens()
        return answer.result()


def test_the_answer_comes_with_the_new_status(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED)
    answer = poll_while(api, memory, lambda: change(memory, status=Status.TRANSCRIBING))
    assert (answer.status_code, answer.json()["status"]) == (200, "TRANSCRIBING")


def test_a_known_version_is_waited_on(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED)
    answer = poll_while(api, memory, lambda: change(memory, status=Status.TRANSCRIBING), HTTP_IF_NONE_MATCH=memory.etag)
    assert (answer.status_code, answer.json()["status"]) == (200, "TRANSCRIBING")


def test_what_is_erased_meanwhile_is_not_found(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED)

    def erase() -> None:
        until(lambda: api.delete(f"/api/v1/memories/{memory.pk}").status_code in (204, 404))

    assert poll_while(api, memory, erase).status_code == 404


def test_when_time_runs_out_the_memory_comes_as_it_is(api: APIClient, owner: User) -> None:
    memory = make_memory(owner, status=Status.QUEUED)
    began = time.monotonic()
    assert poll(api, memory, 1).json()["status"] == "QUEUED"
    assert time.monotonic() - began >= 1
    assert poll(api, memory, 1, HTTP_IF_NONE_MATCH=memory.etag).status_code == 304


def test_a_finished_memory_is_not_waited_for(api: APIClient, owner: User) -> None:
    began = time.monotonic()
    assert poll(api, make_memory(owner, status=Status.READY)).status_code == 200
    assert time.monotonic() - began < LONG


def test_a_version_that_is_not_the_known_one_comes_at_once(api: APIClient, owner: User) -> None:
    began = time.monotonic()
    assert poll(api, make_memory(owner, status=Status.QUEUED), HTTP_IF_NONE_MATCH='"older"').status_code == 200
    assert time.monotonic() - began < LONG


@pytest.mark.parametrize("seconds", ["-1", "26", "1.5", "long", "9" * 5_000])
def test_a_time_that_cannot_be_waited_is_refused(api: APIClient, owner: User, seconds: str) -> None:
    answer = poll(api, make_memory(owner, status=Status.QUEUED), seconds)
    assert answer.status_code == 400
    assert "wait" in answer.json()["errors"]
