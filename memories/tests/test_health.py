"""/healthz and /readyz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import InMemoryStorage
from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from memories import migrated
from memories.tests.fakes import FakeQueue


class BrokenQueue(FakeQueue):
    def depth(self) -> int:
        raise ConnectionError("password=hunter2")


class BrokenStorage(InMemoryStorage):
    def reach(self) -> None:
        raise ConnectionError("password=hunter2")


class Refuses:
    """A database that is away, for connection.execute_wrapper."""

    def __call__(self, *args: Any) -> Any:
        raise OperationalError("password=hunter2")


def test_alive_means_that_the_process_answers_even_without_a_database(client: Client) -> None:
    response = client.get("/healthz")  # a query would fail this test: it has no database mark
    assert (response.status_code, response.json()) == (200, {"status": "ok", "release": ""})
    assert response["Cache-Control"] == "no-store"


def test_alive_says_which_commit_is_running(client: Client, settings: Any) -> None:
    settings.MEMORIES_RELEASE = "0a1b2c3"
    assert client.get("/healthz").json()["release"] == "0a1b2c3"


@pytest.mark.django_db
def test_ready_names_each_part(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "database": "ok", "storage": "ok", "queue": "ok"}


@pytest.mark.django_db
def test_a_garbage_token_does_not_make_it_unready(client: Client) -> None:
    assert client.get("/readyz", headers={"Authorization": "Bearer x"}).status_code == 200


@pytest.mark.django_db
def test_a_queue_that_is_away_is_named_and_its_secrets_are_not(client: Client, settings: Any) -> None:
    settings.MEMORIES_QUEUE = {"BACKEND": f"{__name__}.BrokenQueue"}
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "failed", "database": "ok", "storage": "ok", "queue": "failed"}


@pytest.mark.django_db
def test_a_storage_that_is_away_is_named_and_its_secrets_are_not(client: Client, settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": f"{__name__}.BrokenStorage"}}
    response = client.get("/readyz")
    assert response.json() == {"status": "failed", "database": "ok", "storage": "failed", "queue": "ok"}


@pytest.mark.django_db
def test_a_folder_that_is_a_file_is_no_storage(client: Client, settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    settings.STORAGES = settings.STORAGES | {
        "default": {
            "BACKEND": "memories.storage.DurableFileSystemStorage",
            "OPTIONS": {"location": tmp_path / "file" / "audio"},
        }
    }
    assert client.get("/readyz").json()["storage"] == "failed"


@pytest.mark.django_db
def test_a_database_without_our_tables_is_not_ready_until_it_has_them(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = MigrationRecorder(connection)
    migrated._all_applied.cache_clear()
    (latest,) = MigrationLoader(connection).graph.leaf_nodes("memories")
    recorder.record_unapplied(*latest)
    response = client.get("/readyz")
    assert (response.status_code, response.json()["database"]) == (503, "failed")
    assert "run `manage.py migrate`" in caplog.text
    recorder.record_applied(*latest)
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_that_all_tables_are_there_is_asked_once(client: Client, django_assert_num_queries: Any) -> None:
    client.get("/readyz")
    with django_assert_num_queries(2):  # the database, and the depth of the queue
        client.get("/readyz")


@pytest.mark.django_db
def test_a_database_that_is_away_is_named_and_its_secrets_are_not(client: Client) -> None:
    with connection.execute_wrapper(Refuses()):
        response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"status": "failed", "database": "failed", "storage": "ok", "queue": "failed"}
