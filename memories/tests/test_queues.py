"""One contract, every queue: to add one, add a line to QUEUES. What SQS alone does is in test_sqs.py."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.utils import timezone

from memories import leases
from memories.models import Memory, Status
from memories.queues.base import Message, Queue
from memories.queues.database import DatabaseQueue
from memories.queues.sqs import SQSQueue
from memories.tests.aws import AWS, REGION
from memories.tests.processes import wait_for


def sqs_queue(request: pytest.FixtureRequest) -> SQSQueue:
    aws: AWS = request.getfixturevalue("aws")
    urls = aws.make_queues()
    return SQSQueue(urls.url, urls.dlq_url, region=REGION, endpoint_url=aws.endpoint_url)


QUEUES: dict[str, Callable[[pytest.FixtureRequest], Queue]] = {
    "database": lambda request: DatabaseQueue(visibility=30.0, poll=0.01),
    "sqs": sqs_queue,
}

pytestmark = pytest.mark.django_db


@pytest.fixture(params=sorted(QUEUES))
def queue(request: pytest.FixtureRequest) -> Queue:
    return QUEUES[request.param](request)


@pytest.fixture
def memory(owner: User) -> Memory:
    return Memory.objects.create(owner=owner)


def received(queue: Queue) -> Message:
    message = queue.receive()
    assert message is not None
    return message


def test_an_empty_queue_gives_nothing(queue: Queue) -> None:
    assert queue.receive() is None
    assert queue.receive(wait=0.05) is None
    assert queue.depth() == 0


def test_what_was_enqueued_is_received(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    assert queue.depth() == 1
    message = received(queue)
    assert message.memory_id == memory.pk
    assert message.receive_count == 1


def test_what_was_enqueued_with_a_delay_waits(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk, delay=60)
    assert queue.receive() is None


def test_a_received_message_is_hidden_from_others(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    received(queue)
    assert queue.receive() is None


def test_a_released_message_comes_again(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    queue.release(received(queue))
    assert received(queue).memory_id == memory.pk


def test_a_message_released_with_a_delay_waits(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    queue.release(received(queue), delay=60)
    assert queue.receive() is None


def test_a_release_is_no_failed_delivery(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    for _ in range(5):
        queue.release(received(queue))
    assert received(queue).receive_count == 1


def test_a_message_that_is_kept_stays_hidden(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    message = received(queue)
    queue.keep(message)
    assert queue.receive() is None
    queue.release(message)
    assert received(queue).memory_id == memory.pk


def test_an_acknowledged_message_of_a_finished_memory_does_not_come_again(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    message = received(queue)
    Memory.objects.update(status=Status.READY)
    queue.ack(message)
    assert queue.receive() is None
    assert queue.depth() == 0


def test_an_old_receipt_moves_nothing(queue: Queue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    first = received(queue)
    queue.release(first)
    received(queue)
    queue.release(first)
    assert queue.receive() is None


def test_ringing_for_an_unknown_memory_is_harmless(queue: Queue) -> None:
    queue.enqueue(uuid.uuid4())


def test_dead_letters_are_none_in_a_fresh_queue(queue: Queue) -> None:
    assert list(queue.dead_letters()) == []


def test_the_oldest_comes_first(owner: User) -> None:
    queue = DatabaseQueue()
    late = Memory.objects.create(owner=owner)
    early = Memory.objects.create(owner=owner, created_at=timezone.now() - timedelta(hours=1))
    assert [received(queue).memory_id for _ in range(2)] == [early.pk, late.pk]


def test_a_retry_whose_time_has_come_goes_before_what_came_later(owner: User) -> None:
    queue, now = DatabaseQueue(), timezone.now()
    fresh = Memory.objects.create(owner=owner, created_at=now - timedelta(minutes=1))
    created, due = now - timedelta(hours=1), now - timedelta(minutes=2)
    retried = Memory.objects.create(owner=owner, created_at=created, next_attempt_at=due)
    waiting = Memory.objects.create(owner=owner, created_at=now - timedelta(minutes=3))
    assert [received(queue).memory_id for _ in range(3)] == [waiting.pk, retried.pk, fresh.pk]


def test_a_memory_whose_worker_died_is_delivered_as_soon_as_its_lease_ends(memory: Memory) -> None:
    queue = DatabaseQueue(visibility=3600)
    leases.claim(received(queue).memory_id, worker="dies")
    assert queue.receive() is None
    Memory.objects.update(lease_expires_at=timezone.now())
    assert received(queue).memory_id == memory.pk


def test_a_worker_that_died_before_its_claim_hides_a_row_only_for_the_visibility_time(memory: Memory) -> None:
    received(DatabaseQueue(visibility=30))
    Memory.objects.update(hidden_until=timezone.now())
    assert received(DatabaseQueue()).memory_id == memory.pk


@pytest.mark.django_db(transaction=True)
def test_a_waiting_receive_sees_what_another_thread_enqueues(owner: User) -> None:
    queue = DatabaseQueue(poll=0.01)

    def captured() -> bool:
        try:
            Memory.objects.create(owner=owner)
        except OperationalError:  # SQLite in memory locks whole tables between threads, and waits for none
            return False
        return True

    def capture() -> None:
        wait_for(captured)
        connection.close()

    timer = threading.Timer(0.1, capture)
    timer.start()
    try:
        assert queue.receive(wait=10) is not None
    finally:
        timer.join()
