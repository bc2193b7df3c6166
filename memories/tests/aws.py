"""S3 and SQS over the wire: moto's server in a process of its own, with buckets and queues that no other test knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

REGION = "us-east-1"
RECEIVES = 3  # before a message goes to the dead-letter queue

# It ends with us, however we end: its standard input is closed then.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Queues:
    url: str
    dlq_url: str


@dataclass(frozen=True)
class AWS:
    """A server that speaks AWS's protocols, and what this process or a child needs to be its client."""

    endpoint_url: str

    @property
    def env(self) -> dict[str, str]:
        """For a child process, `os.environ | aws.env`: nothing in it can reach the real AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        }

    def client(self, service: str) -> Any:
        """A boto3 client for what a test looks at itself."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def make_bucket(self) -> str:
        name = f"audio-{uuid.uuid4()}"
        self.client("s3").create_bucket(Bucket=name)
        return name

    def make_queues(self, *, visibility: int = 30, receives: int = RECEIVES) -> Queues:
        """A queue whose messages are hidden for so many seconds, and its dead-letter queue."""
        sqs, name = self.client("sqs"), f"memories-{uuid.uuid4()}"
        dlq_url = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"])["Attributes"]
        redrive = {"deadLetterTargetArn": attributes["QueueArn"], "maxReceiveCount": receives}
        created = sqs.create_queue(
            QueueName=name,
            Attributes={"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)},
        )
        return Queues(created["QueueUrl"], dlq_url)


@contextmanager
def moto_process(*program: str, **env: str) -> Iterator[str]:
    """The address of a server that is run by these arguments of Python, prints its port, and ends with its input."""
    with subprocess.Popen(
        [sys.executable, *program],
        env=os.environ | env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()


@contextmanager
def moto_server() -> Iterator[AWS]:
    with moto_process("-c", _SERVER) as address:
        yield AWS(address)


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AWS]:
    """For fixtures of a module or the session. Tests take `aws`."""
    with moto_server() as aws:
        yield aws


@pytest.fixture
def aws(aws_server: AWS, monkeypatch: pytest.MonkeyPatch) -> AWS:
    """moto's server, with this process set up as its client."""
    for name, value in aws_server.env.items():
        monkeypatch.setenv(name, value)
    return aws_server
