"""What becomes of a memory for each thing that can fail, over the wire: the tables of docs/operations.md, kept true."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memories import ports, recovery
from memories.models import Breaker, DailySpending, DeadLetter, Memory, Stage, Status
from memories.processing import process_next
from memories.queues.base import Message
from memories.queues.sqs import SQSQueue
from memories.tests.aws import AWS, REGION, Queues
from memories.tests.jobs import Recorded, process
from memories.tests.openai_stub import FAULTS, Fault, OpenAIStub
from memories.tests.s3_gate import Gate

pytestmark = [pytest.mark.django_db, pytest.mark.wire]

DOCS = (Path(__file__).parents[2] / "docs/operations.md").read_text()
PATIENCE = 0.5  # seconds: our time-out
OPENAI = FAULTS | {"time-out": Fault(delay=4 * PATIENCE)}
ONLY_OF_LANGUAGE_MODELS = {"refusal", "length", "filter"}


def documented(first: str) -> list[str]:
    """The cells of the row that begins so."""
    rows = [line for line in DOCS.splitlines() if line.startswith(f"| {first} |")]
    assert len(rows) == 1, f"docs/operations.md has {len(rows)} rows for {first!r}"
    return [cell.strip() for cell in rows[0].strip("|").split("|")]


# --- what can be seen of a failure ---


def seen(memory: Memory) -> list[str]:
    """Code, what becomes of the memory, what staff see, what was paid."""
    memory.refresh_from_db()
    return [f"`{memory.error_code}`" if memory.error_code else "-", _outcome(memory), _staff(memory), _paid(memory)]


def _outcome(memory: Memory) -> str:
    if memory.status != Status.QUEUED:
        return str(memory.status)
    return "waits, tried again" if memory.attempts else "waits, no attempt lost"


def _staff(memory: Memory) -> str:
    if Breaker.objects.exists():
        return "breaker"
    if DeadLetter.objects.unresolved().exists():
        return "dead letter"
    latest = memory.attempt_log.first()
    return f"attempt `{latest.outcome}`" if latest else "-"


def _paid(memory: Memory) -> str:
    booked = DailySpending.objects.filter(owner__isnull=True).first()
    if booked is None or not booked.usd:
        return "no"
    latest = memory.attempt_log.first()
    return "yes" if latest and latest.cost_usd else "perhaps: stays booked"


def both(transcription: list[str], analysis: list[str]) -> list[str]:
    return [one if one == other else f"{one} / {other}" for one, other in zip(transcription, analysis, strict=True)]


# --- OpenAI ---


@pytest.fixture(scope="module")
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as running:
        yield running


def fails_at(stage: Stage, stub: OpenAIStub, fault: Fault, settings: Any, memory: Memory) -> list[str]:
    stub.forget()
    stub.fail(fault, fault)  # what is refused as it came is sent once more as FLAC
    options = {"api_key": "testing", "base_url": stub.url, "timeout": PATIENCE}
    if stage is Stage.TRANSCRIPTION:
        settings.MEMORIES_TRANSCRIBER = {
            "BACKEND": "memories.transcribers.openai.OpenAITranscriber",
            "OPTIONS": {"model": "whisper-1", **options},
        }
    else:
        settings.MEMORIES_ANALYZER = {
            "BACKEND": "memories.analyzers.openai.OpenAIAnalyzer",
            "OPTIONS": {"model": "gpt-5.4-mini", **options},
        }
    process(memory)
    found = seen(memory)
    Breaker.objects.all().delete()
    DailySpending.objects.all().delete()
    DeadLetter.objects.all().delete()
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.FakeTranscriber"}
    return found


@pytest.mark.parametrize("name", OPENAI)
def test_what_a_failure_of_openai_means(name: str, recorded: Recorded, stub: OpenAIStub, settings: Any) -> None:
    analysis = fails_at(Stage.ANALYSIS, stub, OPENAI[name], settings, recorded())
    if name in ONLY_OF_LANGUAGE_MODELS:
        assert documented(f"OpenAI: {name}")[1:] == analysis
        return
    transcription = fails_at(Stage.TRANSCRIPTION, stub, OPENAI[name], settings, recorded())
    assert documented(f"OpenAI: {name}")[1:] == both(transcription, analysis)


# --- S3 ---

S3: dict[str, Callable[[Gate], None]] = {
    "the object is gone": lambda s3: s3.fail("GET", 404, "NoSuchKey") or s3.fail("HEAD", 404, "NoSuchKey"),  # type: ignore[func-returns-value]
    "refuses (403)": lambda s3: s3.fail("GET", 403, "AccessDenied"),
    "is busy (503 SlowDown)": lambda s3: s3.fail("GET", 503, "SlowDown"),
    "breaks off": lambda s3: s3.drop("GET"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", S3)
def test_what_a_failure_of_s3_means_to_a_worker(name: str, recorded: Recorded, s3: Gate) -> None:
    memory = recorded()
    S3[name](s3)
    process(memory)
    assert documented(f"S3: {name}")[1:] == seen(memory)


# --- SQS ---


@pytest.fixture
def queue(aws: AWS, settings: Any) -> SQSQueue:
    queues: Queues = aws.make_queues(visibility=1)
    settings.MEMORIES_QUEUE = {
        "BACKEND": "memories.queues.sqs.SQSQueue",
        "OPTIONS": {"url": queues.url, "dlq_url": queues.dlq_url, "region": REGION, "visibility": 0},
    }
    queue = ports.queue()
    assert isinstance(queue, SQSQueue)
    return queue


def work(queue: SQSQueue) -> bool:
    return process_next(queue, worker="test", should_stop=lambda: False)


def delivered_twice(queue: SQSQueue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    queue.enqueue(memory.pk)
    assert [work(queue), work(queue)] == [True, True]


def delivered_after_success(queue: SQSQueue, memory: Memory) -> None:
    process(memory)
    queue.enqueue(memory.pk)
    assert work(queue)


def receipt_expired(queue: SQSQueue, memory: Memory) -> None:
    queue.enqueue(memory.pk)
    first = queue.receive()
    assert isinstance(first, Message)
    assert work(queue)  # visible again at once: another worker has it
    queue.ack(first)


def names_nobody(queue: SQSQueue, memory: Memory) -> None:
    queue.enqueue(uuid.uuid4())
    assert work(queue)
    process(memory)


def dies_with_body(body: str) -> Callable[[SQSQueue, Memory], None]:
    def deliver(queue: SQSQueue, memory: Memory) -> None:
        process(memory)
        queue._call("send_message", QueueUrl=queue.url, MessageBody=body)
        for _ in range(4):
            work(queue)
        recovery.sweep()
        assert DeadLetter.objects.get(memory=None).body == body

    return deliver


SQS: dict[str, Callable[[SQSQueue, Memory], None]] = {
    "delivered twice": delivered_twice,
    "delivered after success": delivered_after_success,
    "the receipt has expired": receipt_expired,
    "names a memory that is not there": names_nobody,
    "malformed": dies_with_body("{no json"),
    "of an unknown version": dies_with_body(json.dumps({"memory_id": str(uuid.uuid4()), "v": 99})),
    "a body of 200 KB": dies_with_body("x" * 200_000),
}


@pytest.mark.parametrize("name", SQS)
def test_what_a_strange_message_means(name: str, recorded: Recorded, queue: SQSQueue) -> None:
    memory = recorded()
    SQS[name](queue, memory)
    assert memory.attempt_log.filter(stage="transcription").count() == 1
    assert documented(f"SQS: {name}")[1:] == seen(memory)


# --- what other tests show ---


def test_every_row_that_another_test_shows_names_a_test_that_is_there() -> None:
    named = re.findall(r"`(test_\w+)\.py::(test_\w+)`", DOCS)
    assert named
    for module, test in named:
        assert f"def {test}(" in (Path(__file__).parent / f"{module}.py").read_text(), f"{module}.py::{test}"


def test_no_row_is_about_a_failure_that_is_not_tried() -> None:
    rows = re.findall(r"^\| ((?:OpenAI|S3|SQS): [^|]+?) \|", DOCS, re.MULTILINE)
    tried = [f"{whose}: {name}" for whose, names in (("OpenAI", OPENAI), ("S3", S3), ("SQS", SQS)) for name in names]
    assert sorted(rows) == sorted(tried)
