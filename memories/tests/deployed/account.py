"""An AWS account on this machine: moto's server, whose IAM can be switched on, and roles to act as."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from memories.tests.aws import AWS, REGION, moto_process

PROGRAM = "memories.tests.deployed.moto_account"


@dataclass(frozen=True)
class Credentials:
    """Of an assumed role."""

    key: str
    secret: str
    token: str

    @property
    def env(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_SESSION_TOKEN": self.token,
        }

    def client(self, aws: AWS, service: str) -> Any:
        import boto3

        session = boto3.session.Session(self.key, self.secret, self.token, REGION)
        return session.client(service, endpoint_url=aws.endpoint_url)


@dataclass(frozen=True)
class Right:
    """What a call took: an action of IAM on a resource."""

    action: str
    resource: str


@dataclass(frozen=True)
class Account(AWS):
    log: Path  # of the calls

    def assume(self, role: str) -> Credentials:
        """Only while IAM is off: nobody that it knows may assume a role of a service."""
        arn = self.client("iam").get_role(RoleName=role)["Role"]["Arn"]
        given = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="proof")["Credentials"]
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """IAM is on: each call must be signed by somebody who may make it. The administrator of tests may nothing."""
        self._ask_rights_after("0")
        try:
            yield
        finally:
            self._ask_rights_after("inf")

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """In the middle of that, for what the administrator does himself."""
        self._ask_rights_after("inf")
        try:
            yield
        finally:
            self._ask_rights_after("0")

    def _ask_rights_after(self, calls: str) -> None:
        address = f"{self.endpoint_url}/moto-api/reset-auth"
        requests.post(address, data=calls, headers={"Content-Type": "text/plain"}, timeout=10).raise_for_status()

    def calls(self, credentials: Credentials) -> set[Right]:
        """What was called as this role."""
        noted = (json.loads(line) for line in self.log.read_text().splitlines())
        return {Right(call["action"], call["resource"]) for call in noted if call["key"] == credentials.key}


@contextmanager
def account(folder: Path) -> Iterator[Account]:
    log = folder / "calls.jsonl"
    with moto_process("-m", PROGRAM, str(log), MOTO_IAM_LOAD_MANAGED_POLICIES="true") as address:
        yield Account(address, log)
