"""Secrets come from AWS Systems Manager where MEMORIES_SECRETS_PATH says so, and no environment shows them."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.env import Env
from config.secrets import SECRETS
from memories.tests.aws import AWS, REGION
from memories.tests.processes import ROOT

pytestmark = pytest.mark.wire

VALUES = {
    "DJANGO_SECRET_KEY": "$a key that begins with what environ takes for the name of a variable",
    "DATABASE_URL": "postgres://memories:hunter%2F2@database.example:5432/memories?sslmode=require",
    "OPENAI_API_KEY": "sk-test-1",
}


@pytest.fixture
def path(aws: AWS, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the secrets lie, and no other place that says them."""
    path = f"/memories-{uuid.uuid4()}/secrets"
    for name, value in VALUES.items():
        monkeypatch.delenv(name, raising=False)
        aws.client("ssm").put_parameter(Name=f"{path}/{name}", Value=value, Type="SecureString")
    return path


def read(aws: AWS, path: str) -> Env:
    env = Env()
    env.read_secrets(path, region=REGION, endpoint_url=aws.endpoint_url)
    return env


def test_what_the_environment_does_not_say_is_read_from_aws(aws: AWS, path: str) -> None:
    env = read(aws, path)
    assert {name: env.str(name) for name in SECRETS} == VALUES
    assert env.db_url("DATABASE_URL")["PASSWORD"] == "hunter/2"
    assert all(name in env for name in SECRETS)
    assert not set(SECRETS) & set(os.environ)


def test_the_environment_wins(aws: AWS, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    aws.client("ssm").delete_parameter(Name=f"{path}/OPENAI_API_KEY")
    env = read(aws, f"{path}/")
    assert env.str("OPENAI_API_KEY") == ""
    assert env.str("DJANGO_SECRET_KEY") == VALUES["DJANGO_SECRET_KEY"]


def test_a_secret_that_is_not_there_is_named_with_its_region(aws: AWS, path: str) -> None:
    aws.client("ssm").delete_parameter(Name=f"{path}/DATABASE_URL")
    with pytest.raises(ImproperlyConfigured, match=f"no parameter {path}/DATABASE_URL in {REGION}"):
        read(aws, path)


def test_aws_that_cannot_be_asked_is_said_with_what_it_takes(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(ImproperlyConfigured, match=r"Unable to locate credentials.*the right ssm:GetParameters"):
        Env().read_secrets(path, region=REGION, endpoint_url="http://127.0.0.1:1")


@pytest.mark.slow
def test_no_environment_of_a_process_shows_a_secret(aws: AWS, path: str) -> None:
    code = (
        "import os; from django.conf import settings;"
        "print(settings.DATABASES['default']['PASSWORD'], settings.FALLBACKS, dict(os.environ))"
    )
    env = os.environ | aws.env | {"MEMORIES_ENV": "production", "MEMORIES_SECRETS_PATH": path, "DJANGO_SECRET_KEY": "k"}
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True)
    password, rest = told.stdout.split(" ", 1)
    assert password == "hunter/2", told.stderr
    assert "hunter" not in rest
    assert "DATABASE_URL" not in rest.partition("]")[0]
