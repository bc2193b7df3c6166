"""Upload -> S3 -> SQS -> Lambda (or run_worker) -> OpenAI -> PostgreSQL -> READY: the AWS shape, over the wire."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from memories.queues.sqs import body_for
from memories.tests.aws import AWS
from memories.tests.aws_shape import Shape, aws_shape, lambda_function
from memories.tests.conftest import SAMPLES
from memories.tests.lambda_events import SCHEDULED, EventSource
from memories.tests.lambda_runtime import Function
from memories.tests.openai_answers import said
from memories.tests.processes import ROOT, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("e2e")]

SOUND = (SAMPLES / "speech_en.m4a").read_bytes()


@pytest.fixture(scope="module")
def the_shape(tmp_path_factory: pytest.TempPathFactory, aws_server: AWS) -> Iterator[Shape]:
    with aws_shape(tmp_path_factory.mktemp("shape"), aws_server) as shape:
        yield shape


@pytest.fixture
def shape(the_shape: Shape) -> Shape:
    the_shape.stub.forget()
    return the_shape


def assert_ready(memory: dict[str, Any]) -> None:
    assert memory["status"] == "READY", memory
    assert memory["transcript"]["text"] == said(SOUND)
    assert memory["title"]
    assert memory["summary"]


@pytest.mark.parametrize("door", ["gunicorn", "function url"])
@pytest.mark.parametrize("way", ["multipart", "direct"])
def test_a_recording_becomes_a_memory_by_lambda(shape: Shape, door: str, way: str) -> None:
    api = shape.door(door)
    memory_id = api.send(SOUND) if way == "multipart" else api.send_to_storage(SOUND)
    assert api.memory(memory_id)["status"] == "QUEUED"
    shape.drain()
    assert_ready(api.memory(memory_id))
    assert api.sound(memory_id) == SOUND
    assert (len(shape.stub.transcriptions), len(shape.stub.analyses)) == (1, 1)


@pytest.mark.parametrize("way", ["multipart", "direct"])
def test_a_recording_becomes_a_memory_by_a_worker_on_sqs(shape: Shape, way: str) -> None:
    api, worker = shape.door("gunicorn"), shape.house.worker()
    try:
        memory_id = api.send(SOUND) if way == "multipart" else api.send_to_storage(SOUND)
        wait_for(lambda: api.memory(memory_id)["status"] == "READY")
    finally:
        worker.terminate()
    assert worker.wait(30) == 0
    assert_ready(api.memory(memory_id))
    assert (len(shape.stub.transcriptions), len(shape.stub.analyses)) == (1, 1)
    assert shape.source.pump() == 0


def test_what_dies_in_the_queue_is_read_requeued_and_processed(shape: Shape) -> None:
    api, sqs = shape.door("gunicorn"), shape.aws.client("sqs")
    sqs.set_queue_attributes(QueueUrl=shape.queues.url, Attributes={"VisibilityTimeout": "0"})
    memory_id = api.send(SOUND)
    sqs.send_message(QueueUrl=shape.queues.url, MessageBody="not ours")
    reachable = shape.function.env["DATABASE_URL"]
    shape.function.env["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/nothing"  # what makes it poison
    shape.function.kill()
    shape.drain()  # until each has failed three times
    shape.function.env["DATABASE_URL"] = reachable
    shape.function.kill()
    assert shape.dead_source.pump(most=10) == 2

    failed = api.memory(memory_id)
    assert (failed["status"], failed["error"]["code"]) == ("FAILED", "delivery_failed")
    letters = {letter["body"]: letter for letter in dead_letters(shape)}
    assert letters.keys() == {body_for(uuid.UUID(memory_id)), "not ours"}
    assert letters["not ours"]["memory"] is None
    shape.house.manage("deadletters", "requeue", str(letters[body_for(uuid.UUID(memory_id))]["id"]))
    shape.drain()
    assert_ready(api.memory(memory_id))
    shape.house.manage("deadletters", "purge")
    assert dead_letters(shape) == []
    sqs.set_queue_attributes(QueueUrl=shape.queues.url, Attributes={"VisibilityTimeout": "30"})


def dead_letters(shape: Shape) -> list[dict[str, Any]]:
    listed = subprocess.run(
        [sys.executable, "manage.py", "deadletters", "list", "--json"],
        cwd=ROOT,
        env=shape.house.env,
        capture_output=True,
        text=True,
    )
    assert listed.returncode in (0, 1)  # 1: some are open
    found: list[dict[str, Any]] = json.loads(listed.stdout)
    return found


# --- many, often, and killed at random -----------------------------------------------------------------------------

MEMORIES, WORKERS, COPIES, KILLS = 100, 5, 3, 12

CAPTURE = f"""
import hashlib
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from memories import doorbell
from memories.models import Memory
from memories.tests.speech import wav
owner = User.objects.create_user("grace")
for number in range({MEMORIES}):
    sound = wav((1 + number / 100, True))
    memory = Memory(owner=owner, audio_size=len(sound), audio_sha256=hashlib.sha256(sound).hexdigest())
    memory.audio.save("x.wav", ContentFile(sound), save=False)
    memory.save()
    for _ in range({COPIES}):
        doorbell.ring(memory.pk)
"""
LOST = """
    SELECT memory.audio_sha256, count(attempt.id) FROM memories_memory AS memory
    LEFT JOIN memories_attempt AS attempt
    ON attempt.memory_id = memory.id AND attempt.stage = 'transcription' AND attempt.outcome = 'lost'
    GROUP BY memory.audio_sha256
"""


def test_delivered_three_times_to_five_functions_that_die_at_random_each_memory_is_paid_for_once(
    tmp_path: Path, aws_server: AWS
) -> None:
    with aws_shape(tmp_path, aws_server) as shape, ExitStack() as stack:
        shape.house.python(CAPTURE)
        names = [tmp_path / f"function-{number}" for number in range(WORKERS)]
        functions = [stack.enter_context(lambda_function(shape.house, name)) for name in names]
        work_until_all_is_done(shape, functions)
        assert shape.query("SELECT status, count(*) FROM memories_memory GROUP BY status") == [("READY", MEMORIES)]
        assert shape.query("SELECT count(*) FROM memories_deadletter") == [(0,)]
        calls = Counter(call.sha256 for call in shape.stub.transcriptions)
        lost = dict(shape.query(LOST))
        assert calls.keys() == lost.keys()
        assert {sha: count for sha, count in calls.items() if count > 1 + lost[sha]} == {}


def work_until_all_is_done(shape: Shape, functions: list[Function]) -> None:
    """Each function takes from the queue, one is killed now and then, and the clock ticks."""
    done, chance = threading.Event(), random.Random(2026)
    sources = [EventSource(shape.aws.client("sqs"), shape.queues.url, function) for function in functions]

    def work(source: EventSource) -> None:
        while not done.is_set():
            source.pump(wait=1)

    with ThreadPoolExecutor(WORKERS) as pool:
        at_work = [pool.submit(work, source) for source in sources]
        try:
            for number in range(KILLS):
                wait_for(partial(has_done, shape, number * MEMORIES // KILLS), seconds=60)
                done.wait(chance.uniform(0.0, 0.5))
                chance.choice(functions).kill()
            wait_for(partial(has_done, shape, MEMORIES), seconds=120)
        finally:
            done.set()
        for each in at_work:
            each.result()


def has_done(shape: Shape, count: int) -> bool:
    """So many are READY. The clock ticks as often as it is asked."""
    shape.function.invoke(SCHEDULED)
    time.sleep(1)
    return bool(shape.query("SELECT count(*) >= %s FROM memories_memory WHERE status = 'READY'", count)[0][0])
