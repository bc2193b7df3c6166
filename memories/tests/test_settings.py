"""A variable that cannot be read is named, and so is what it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import Env

ROOT = Path(__file__).parents[2]


@pytest.fixture
def env() -> Env:
    return Env()


@pytest.mark.parametrize(
    ("type_", "value", "takes"),
    [
        ("int", "abc", "a whole number"),
        ("int", "1.5", "a whole number"),
        ("int", "", "a whole number"),
        ("float", "x", "a number"),
        ("float", "10s", "a number"),
        ("float", "nan", "a number"),
        ("bool", "perhaps", "true or false"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_what_it_takes(
    env: Env, monkeypatch: pytest.MonkeyPatch, type_: str, value: str, takes: str
) -> None:
    monkeypatch.setenv("MEMORIES_THING", value)
    with pytest.raises(ImproperlyConfigured) as caught:
        getattr(env, type_)("MEMORIES_THING", 1)
    assert str(caught.value) == f"MEMORIES_THING is {value!r}; use {takes}."


@pytest.mark.parametrize(
    ("type_", "value", "read"),
    [
        ("int", " 7 ", 7),
        ("float", "0.5", 0.5),
        ("float", "1e3", 1000.0),
        ("bool", "True", True),
        ("bool", "1", True),
        ("bool", "off", False),
        ("bool", "", False),
    ],
)
def test_a_value_is_read_by_its_type(
    env: Env, monkeypatch: pytest.MonkeyPatch, type_: str, value: str, read: object
) -> None:
    monkeypatch.setenv("MEMORIES_THING", value)
    assert getattr(env, type_)("MEMORIES_THING", 3) == read


def test_what_is_not_set_is_the_default(env: Env) -> None:
    assert (env.int("MEMORIES_THING", 3), env.float("MEMORIES_THING", 1.5)) == (3, 1.5)
    assert env.bool("MEMORIES_THING", True) is True


@pytest.mark.parametrize(
    "url", ["foo", "mysql://u:secret@h/n", "oracle8://u:secret@h/n", "postgres://u:secret@h:port/n", "http://[secret"]
)
def test_an_address_of_no_database_is_named_and_its_password_is_not(
    env: Env, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL cannot be read; use postgres://") as caught:
        env.db_url("DATABASE_URL")
    assert "secret" not in str(caught.value)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("postgres://u:p@h:5432/n", "django.db.backends.postgresql", "n"),
        ("sqlite:////var/lib/memories.sqlite3", "django.db.backends.sqlite3", "/var/lib/memories.sqlite3"),
    ],
)
def test_addresses_of_databases_are_read(
    env: Env, monkeypatch: pytest.MonkeyPatch, url: str, engine: str, name: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    config = env.db_url("DATABASE_URL")
    assert (config["ENGINE"], config["NAME"]) == (engine, name)


@pytest.mark.slow
@pytest.mark.parametrize(("level", "returncode"), [("debug", 0), ("LOUD", 1)])
def test_a_level_of_logs_that_does_not_exist_stops_the_check_and_not_the_start(level: str, returncode: int) -> None:
    command = [sys.executable, "manage.py", "check"]
    env = os.environ | {"MEMORIES_LOG_LEVEL": level}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == returncode
    assert ("memories.E010" in done.stderr) is bool(returncode)
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MEMORIES_LEASE_SECONDS", "abc"),
        ("DATABASE_URL", "abc"),
        ("MEMORIES_DAILY_BUDGET_USD", "abc"),
        ("MEMORIES_DATA_DIR", "/proc/nothing/can/be/made/here"),
    ],
)
def test_the_command_line_says_it_in_one_line(name: str, value: str) -> None:
    command = [sys.executable, "manage.py", "check"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {name: value}, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(name)
    assert len(done.stderr.splitlines()) == 1
