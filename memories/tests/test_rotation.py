"""A password that is rotated while we run is read anew, once the old one is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from django.db import OperationalError, connections

from config.env import Env
from config.postgresql.base import DatabaseWrapper
from memories.tests.aws import AWS, REGION
from memories.tests.processes import postgres

pytestmark = [pytest.mark.slow, pytest.mark.wire, pytest.mark.django_db]


class Server:
    """A PostgreSQL that asks the role `memories` for its password."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        access = folder / "pg_hba.conf"
        access.write_text(f"local all memories scram-sha-256\n{access.read_text()}")
        self.run("CREATE ROLE memories LOGIN PASSWORD 'first'", "SELECT pg_reload_conf()")

    def run(self, *statements: str) -> None:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def url_with(self, password: str) -> str:
        return self.url.replace("postgres:@", f"memories:{quote(password, safe='')}@")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "postgres"
    with postgres(folder) as url:
        yield Server(url, folder)


@pytest.fixture
def path(aws: AWS, settings: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    path = f"/memories-{uuid.uuid4()}/secrets"
    settings.MEMORIES_SECRETS_PATH, settings.AWS_REGION, settings.AWS_ENDPOINT_URL = path, REGION, aws.endpoint_url
    for name in ("DJANGO_SECRET_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "not of interest here")
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return path


def store(aws: AWS, path: str, url: str) -> None:
    aws.client("ssm").put_parameter(Name=f"{path}/DATABASE_URL", Value=url, Type="SecureString", Overwrite=True)


def connect(url: str) -> DatabaseWrapper:
    """As Django makes one of settings.DATABASES."""
    config = Env().db_url_config(url) | {"ENGINE": "config.postgresql"}
    defaults = {key: value for key, value in connections.settings["default"].items() if key not in config}
    return DatabaseWrapper({**defaults, **config, "OPTIONS": config.get("OPTIONS", {}), "TIME_ZONE": None}, "default")


def asks(connection: DatabaseWrapper) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return int(cursor.fetchone()[0])


def test_a_refused_password_is_read_anew(aws: AWS, server: Server, path: str) -> None:
    store(aws, path, server.url_with("first"))
    connection = connect(server.url_with("first"))
    assert asks(connection) == 1
    connection.close()
    server.run("ALTER ROLE memories PASSWORD 'the/second'")
    store(aws, path, server.url_with("the/second"))
    assert asks(connection) == 1
    connection.close()
    store(aws, path, "postgres://nobody@nowhere/nothing")  # it has learned the new one, and asks no more
    assert asks(connection) == 1
    connection.close()


def test_a_password_that_is_wrong_at_both_ends_is_an_error_as_ever(aws: AWS, server: Server, path: str) -> None:
    store(aws, path, server.url_with("wrong"))
    with pytest.raises(OperationalError, match="password authentication failed"):
        asks(connect(server.url_with("wrong as well")))


def test_a_server_that_is_away_has_nobody_ask_for_secrets(path: str) -> None:
    with pytest.raises(OperationalError, match="Connection refused"):
        asks(connect("postgres://memories:first@127.0.0.1:1/postgres"))
