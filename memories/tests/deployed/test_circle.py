"""The product runs on what Terraform made, each of its processes with the rights of its role and no others."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from memories.queues.sqs import body_for
from memories.tests.conftest import SAMPLES
from memories.tests.deployed.deployment import Deployment
from memories.tests.deployed.policies import principal
from memories.tests.deployed.product import Product, running
from memories.tests.deployed.rights import ALLOWED, ASKED_IN_VAIN
from memories.tests.lambda_events import SCHEDULED
from memories.tests.openai_answers import said

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(600)]

SOUND = (SAMPLES / "speech_en.m4a").read_bytes()
DOORS = ["gunicorn", "function url"]


@pytest.fixture(scope="module")
def product(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with running(deployment, tmp_path_factory.mktemp("product")) as made:
        yield made


def assert_ready(memory: dict[str, Any]) -> None:
    assert memory["status"] == "READY", memory
    assert memory["transcript"]["text"] == said(SOUND)


def test_the_clock_migrates_an_empty_database(product: Product) -> None:
    assert "memories.0001_initial" in product.migrated["applied"]
    assert product.functions["clock"].invoke({"manage": "migrate"}) == {"applied": []}


@pytest.mark.parametrize("door", DOORS)
def test_the_api_reaches_database_bucket_and_queue(product: Product, door: str) -> None:
    answer = product.door(door).call("GET", "/readyz").json()
    assert answer == {"status": "ok", "database": "ok", "storage": "ok", "queue": "ok"}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("way", ["multipart", "direct"])
def test_a_recording_becomes_a_memory(product: Product, door: str, way: str) -> None:
    api = product.door(door)
    memory_id = api.send(SOUND) if way == "multipart" else api.send_to_storage(SOUND)
    assert api.memory(memory_id)["status"] == "QUEUED"
    product.drain()
    assert_ready(api.memory(memory_id))
    assert api.sound(memory_id) == SOUND


def test_what_dies_in_the_queue_is_read_by_the_clock_requeued_and_processed(product: Product) -> None:
    api, worker = product.door("gunicorn"), product.functions["worker"]
    memory_id = api.send(SOUND)
    show_again_after(product, 0)
    worker.env["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/nothing"  # what makes it poison
    worker.kill()
    product.drain()  # until it has failed three times
    del worker.env["DATABASE_URL"]
    worker.kill()
    product.functions["clock"].invoke(SCHEDULED)
    failed = api.memory(memory_id)
    assert (failed["status"], failed["error"]["code"]) == ("FAILED", "delivery_failed")
    [(letter, body)] = product.query("SELECT id, body FROM memories_deadletter")
    assert body == body_for(uuid.UUID(memory_id))
    product.host.manage("deadletters", "requeue", str(letter))
    product.drain()
    assert_ready(api.memory(memory_id))


def show_again_after(product: Product, seconds: int) -> None:
    """The half hour that Terraform says would be a long test."""
    account, queue = product.deployment.account, product.deployment.outputs["queue_url"]
    with account.unguarded():
        account.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(seconds)})


def test_an_erased_memory_leaves_nothing_in_the_bucket(product: Product) -> None:
    api = product.door("gunicorn")
    memory_id = api.send(SOUND)
    [(key,)] = product.query("SELECT audio FROM memories_memory WHERE id = %s", memory_id)
    assert api.call("DELETE", f"/api/v1/memories/{memory_id}").status == 204
    product.drain()
    account = product.deployment.account
    with account.unguarded():
        found = account.client("s3").list_objects_v2(Bucket=product.deployment.outputs["bucket_name"], Prefix=key)
    assert found["KeyCount"] == 0


@pytest.mark.parametrize("role", ["worker", "clock", "api", "host"])
def test_every_call_that_was_made_is_known_and_allowed(product: Product, role: str) -> None:
    """Also those by addresses signed in advance, which moto lets through."""
    made = product.deployment.account.calls(product.credentials[role]) - set(ASKED_IN_VAIN.get(role, []))
    assert made, "Nothing was called: this proves nothing."
    known = {right.action for right in ALLOWED[role]}
    assert {right.action for right in made} - known == set()
    with product.deployment.account.unguarded():
        them = principal(product.deployment.account, product.deployment.role(role))
    assert {right for right in made if not them.may(right)} == set()
