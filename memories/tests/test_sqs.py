"""What SQS alone does: bodies that are not ours, redrive, receipts that expire, long jobs, and SQS being away."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from memories import recovery
from memories.errors import QueueUnavailable, TranscriberUnavailable
from memories.models import DeadLetter, Memory, Status
from memories.processing import process_next
from memories.queues.sqs import SQSQueue, body_for, memory_id_in
from memories.tests.aws import AWS, REGION, Queues
from memories.tests.factories import make_memory
from memories.tests.fakes import FakeTranscriber
from memories.tests.speech import wav

ID = uuid.UUID("7a5d5f0e-3a53-4bb5-9a43-cb0c1d3b2f10")
NOT_OURS = {
    "empty": "",
    "no JSON": "secret words",
    "no object": f'"{ID}"',
    "another version": f'{{"memory_id": "{ID}", "v": 2}}',
    "no version": f'{{"memory_id": "{ID}"}}',
    "a version that only equals ours": f'{{"memory_id": "{ID}", "v": true}}',
    "no id": '{"v": 1}',
    "no UUID": '{"memory_id": "12", "v": 1}',
    "a number for an id": '{"memory_id": 12, "v": 1}',
    "deep": "[" * 200_000,
    "200 KB": json.dumps({"memory_id": str(ID), "v": 1, "more": "x" * 200_000}),
}
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def urls(aws: AWS) -> Queues:
    return aws.make_queues()


@pytest.fixture
def queue(aws: AWS, urls: Queues) -> SQSQueue:
    return SQSQueue(urls.url, urls.dlq_url, REGION, aws.endpoint_url)


@pytest.fixture
def ours(settings: Any, aws: AWS, urls: Queues) -> SQSQueue:
    """The queue that the service itself uses in this test; what is received is visible again at once."""
    options: dict[str, Any] = {
        "url": urls.url,
        "dlq_url": urls.dlq_url,
        "region": REGION,
        "endpoint_url": aws.endpoint_url,
    }
    settings.MEMORIES_QUEUE = {"BACKEND": "memories.queues.sqs.SQSQueue", "OPTIONS": options | {"visibility": 0}}
    return SQSQueue(**options)


def send(aws: AWS, url: str, *bodies: str) -> None:
    for body in bodies:
        aws.client("sqs").send_message(QueueUrl=url, MessageBody=body)


def requests_of(queue: SQSQueue) -> list[tuple[str, dict[str, Any]]]:
    """What the queue asks of SQS from now on: (operation, parameters)."""
    seen: list[tuple[str, dict[str, Any]]] = []

    def note(params: dict[str, Any], model: Any, **kwargs: Any) -> None:
        seen.append((model.name, params))

    queue._client.meta.events.register("provide-client-params.sqs", note)
    return seen


# --- what a message says -------------------------------------------------------------------------------------------


def test_a_body_names_the_memory_and_its_version_and_nothing_else() -> None:
    assert json.loads(body_for(ID)) == {"memory_id": str(ID), "v": 1}
    assert memory_id_in(body_for(ID)) == ID


@pytest.mark.parametrize("body", NOT_OURS.values(), ids=NOT_OURS.keys())
def test_a_body_that_is_not_ours_names_nobody(body: str) -> None:
    assert memory_id_in(body) is None


@given(st.text() | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner)).map(json.dumps))
def test_no_body_is_an_error(body: str) -> None:
    assert memory_id_in(body) is None


def test_what_is_not_ours_is_passed_over_and_its_words_are_not_logged(
    aws: AWS, urls: Queues, queue: SQSQueue, caplog: pytest.LogCaptureFixture
) -> None:
    send(aws, urls.url, *NOT_OURS.values(), body_for(ID))
    with caplog.at_level(logging.WARNING):
        message = queue.receive()
    assert message is not None
    assert message.memory_id == ID
    warnings = [record.getMessage() for record in caplog.records if record.name == "memories.queues.sqs"]
    assert len(warnings) == len(NOT_OURS)
    assert "secret words" not in caplog.text


def test_what_is_not_ours_goes_to_the_dead_after_three_receives(aws: AWS, urls: Queues) -> None:
    bodies = [body for body in NOT_OURS.values() if body]  # SQS takes no empty one
    send(aws, urls.url, *bodies)
    queue = SQSQueue(urls.url, urls.dlq_url, REGION, aws.endpoint_url, visibility=0)
    assert queue.receive() is None
    dead = list(queue.dead_letters())
    assert sorted(message.body for message in dead) == sorted(bodies)
    assert {message.memory_id for message in dead} == {None}


# --- dead messages -------------------------------------------------------------------------------------------------


def test_a_dead_message_stays_until_it_is_discarded(aws: AWS, urls: Queues, queue: SQSQueue) -> None:
    send(aws, urls.dlq_url, *[body_for(ID)] * 12)
    dead = list(queue.dead_letters())
    assert [(message.memory_id, message.body) for message in dead] == [(ID, body_for(ID))] * 12
    counts = ["ApproximateNumberOfMessagesNotVisible"]

    def left() -> str:
        answer = aws.client("sqs").get_queue_attributes(QueueUrl=urls.dlq_url, AttributeNames=counts)
        return str(answer["Attributes"][counts[0]])

    assert left() == "12"
    for message in dead:
        queue.discard(message)
    assert left() == "0"


def test_without_a_dead_letter_queue_nothing_is_dead(aws: AWS, urls: Queues) -> None:
    assert list(SQSQueue(urls.url, "", REGION, aws.endpoint_url).dead_letters()) == []


# --- receipts and time ---------------------------------------------------------------------------------------------


def test_a_receipt_that_sqs_no_longer_knows_is_no_error(queue: SQSQueue) -> None:
    queue.enqueue(ID)
    message = queue.receive()
    assert message is not None
    message.receipt.handle = "expired"
    queue.ack(message)


def test_a_release_rings_before_it_deletes(queue: SQSQueue) -> None:
    queue.enqueue(ID)
    message = queue.receive()
    assert message is not None
    asked = requests_of(queue)
    queue.release(message, delay=1.2)
    assert [name for name, _ in asked] == ["SendMessage", "DeleteMessage"]
    assert asked[0][1]["DelaySeconds"] == 2


def test_a_delay_beyond_what_sqs_knows_is_cut(queue: SQSQueue) -> None:
    asked = requests_of(queue)
    queue.enqueue(ID, delay=86_400)
    assert asked[0][1]["DelaySeconds"] == 900
    assert queue.depth() == 1  # those that are held back count


def test_a_message_is_kept_hidden_as_long_as_the_work_takes(queue: SQSQueue) -> None:
    queue.visibility = 1
    queue.enqueue(ID)
    message = queue.receive()
    assert message is not None
    queue.visibility = 60
    message.receipt.hidden_at -= 21
    asked = requests_of(queue)
    for _ in range(10):
        queue.keep(message)
    assert [name for name, _ in asked] == ["ChangeMessageVisibility"]
    assert queue.receive(wait=2) is None  # the second of the receive is over by then


def test_a_poll_waits_as_long_as_it_is_told(queue: SQSQueue) -> None:
    asked = requests_of(queue)
    assert queue.receive(wait=1) is None
    assert queue.receive(wait=0) is None
    assert [params["WaitTimeSeconds"] for _, params in asked] == [1, 0]


def test_a_waiting_receive_sees_what_another_thread_enqueues(queue: SQSQueue) -> None:
    timer = threading.Timer(0.1, queue.enqueue, [ID])
    timer.start()
    try:
        assert queue.receive(wait=20) is not None
    finally:
        timer.join()


# --- SQS away ------------------------------------------------------------------------------------------------------


@contextmanager
def answering(status: int, body: bytes, **headers: str) -> Iterator[str]:
    """The address of a server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def assert_away(queue: SQSQueue, reason: str) -> None:
    for call in (
        lambda: queue.enqueue(ID),
        queue.receive,
        queue.depth,
        queue.reach,
        lambda: list(queue.dead_letters()),
    ):
        with pytest.raises(QueueUnavailable, match=reason):
            call()


def test_sqs_being_away_is_one_error_of_ours(aws: AWS, urls: Queues) -> None:
    assert_away(SQSQueue(urls.url, urls.dlq_url, REGION, NOWHERE), "EndpointConnectionError")
    with answering(500, b"<nonsense") as endpoint:
        assert_away(SQSQueue(urls.url, urls.dlq_url, REGION, endpoint), "500")


def test_an_api_that_may_only_send_reaches_sqs(aws: AWS, urls: Queues) -> None:
    refusal = b'{"__type": "com.amazon.coral.service#AccessDeniedException", "message": "Not authorized."}'
    with answering(403, refusal, x_amzn_query_error="AccessDenied;Sender") as endpoint:
        queue = SQSQueue(urls.url, urls.dlq_url, REGION, endpoint)
        queue.reach()
        with pytest.raises(QueueUnavailable, match="AccessDenied"):
            queue.depth()


def test_what_sqs_refuses_is_named(aws: AWS, urls: Queues) -> None:
    queue = SQSQueue(urls.url + "-nobody-made-this", region=REGION, endpoint_url=aws.endpoint_url)
    with pytest.raises(QueueUnavailable, match="NonExistentQueue"):
        queue.enqueue(ID)


def test_keeping_a_message_fails_nobody(queue: SQSQueue, aws: AWS) -> None:
    queue.enqueue(ID)
    message = queue.receive()
    assert message is not None
    message.receipt.hidden_at -= 3600
    SQSQueue(queue.url, region=REGION, endpoint_url=NOWHERE).keep(message)


# --- the worker on SQS ---------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)  # the worker closes its connection after each turn
def test_the_worker_takes_its_work_from_sqs(ours: SQSQueue, owner: User, transcriber: FakeTranscriber) -> None:
    memories = [make_memory(owner, status=Status.QUEUED, audio=wav((1.0, True))) for _ in range(2)]
    for memory in memories * 3:  # each is delivered three times
        ours.enqueue(memory.pk)
    ours.enqueue(uuid.uuid4())  # and one was erased
    call_command("run_worker", "--burst")
    assert set(Memory.objects.values_list("status", flat=True)) == {Status.READY}
    assert len(transcriber.calls) == 2
    assert ours.receive() is None


@pytest.mark.django_db
def test_a_retry_is_a_new_message_that_waits(ours: SQSQueue, owner: User, transcriber: FakeTranscriber) -> None:
    transcriber.raise_exc(TranscriberUnavailable())
    memory = make_memory(owner, status=Status.QUEUED, audio=wav((1.0, True)))
    ours.enqueue(memory.pk)
    assert process_next(ours, worker="w", should_stop=lambda: False)
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED
    assert ours.depth() == 1
    assert ours.receive() is None


@pytest.mark.django_db(transaction=True)
def test_a_message_that_kills_its_workers_is_shown_to_staff_and_works_when_they_requeue_it(
    ours: SQSQueue, urls: Queues, owner: User
) -> None:
    memory = make_memory(owner, status=Status.QUEUED, audio=wav((1.0, True)))
    ours.enqueue(memory.pk)
    ours.visibility = 0
    for _ in range(3):
        assert ours.receive() is not None  # and the worker dies
    assert ours.receive() is None
    recovery.sweep()
    memory.refresh_from_db()
    assert (memory.status, memory.error_code) == (Status.FAILED, "delivery_failed")
    letter = DeadLetter.objects.get()
    assert letter.body == body_for(memory.pk)
    call_command("deadletters", "requeue", str(letter.pk))
    call_command("run_worker", "--burst")
    memory.refresh_from_db()
    assert memory.status == Status.READY
    assert list(ours.dead_letters()) == []
