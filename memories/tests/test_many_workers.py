"""Real processes on one database: drained once, killed at will, stopped with grace."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from memories.tests.processes import House, build_house, postgres, wait_for

pytestmark = pytest.mark.slow

CAPTURE = """
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from memories.models import Memory
from memories.tests.speech import wav
owner, _ = User.objects.get_or_create(username="ada")
sound = wav({stretches})
for _ in range({count}):
    memory = Memory(owner=owner)
    memory.audio.save("x.wav", ContentFile(sound), save=False)
    memory.save()
"""

REPORT = """
import json
from memories.models import Attempt, DeadLetter, Memory, Transcript
print(json.dumps({
    "statuses": sorted(Memory.objects.values_list("status", flat=True)),
    "attempts": sorted(Attempt.objects.values_list("stage", "outcome")),
    "workers": Attempt.objects.values("worker").distinct().count(),
    "dead": DeadLetter.objects.count(),
    "chunks": sum(len(segments) for segments in Transcript.objects.values_list("segments", flat=True)),
}))
"""

ONE_CHUNK = "(1.0, True)"
THREE_CHUNKS = "(58.0, True), (1.0, False), (58.0, True), (1.0, False), (20.0, True)"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/db.sqlite3"
        return
    with postgres(tmp_path / "postgres") as url:
        yield url


def report(house: House) -> dict[str, object]:
    found: dict[str, object] = json.loads(house.python(REPORT))
    return found


def test_four_workers_drain_a_queue_and_do_nothing_twice(tmp_path: Path, database_url: str) -> None:
    house = build_house(tmp_path / "house", database_url)
    house.python(CAPTURE.format(count=40, stretches=ONE_CHUNK))
    workers = [house.worker("--burst") for _ in range(4)]
    assert [worker.wait(120) for worker in workers] == [0, 0, 0, 0]
    found = report(house)
    assert found["statuses"] == ["READY"] * 40
    assert found["attempts"] == [["analysis", "succeeded"]] * 40 + [["transcription", "succeeded"]] * 40
    assert found["workers"] == 4
    assert house.calls == 40


def test_workers_killed_at_random_moments_lose_nothing_and_redo_at_most_the_chunk_at_work(
    tmp_path: Path, database_url: str
) -> None:
    house = build_house(
        tmp_path / "house", database_url, MEMORIES_LEASE_SECONDS="5", CALL_SECONDS="0.3", MEMORIES_RETRY_SECONDS="0.1"
    )
    house.python(CAPTURE.format(count=3, stretches=THREE_CHUNKS))
    chance, kills = random.Random(7), 4
    for _ in range(kills):  # fewer than would spend three attempts of each memory
        worker, before = house.worker(), house.calls
        wait_for(partial(lambda calls: house.calls > calls, before))
        with suppress(subprocess.TimeoutExpired):
            worker.wait(chance.uniform(0.0, 0.5))
        worker.kill()
        worker.wait()
    last = house.worker()
    try:
        wait_for(lambda: set(report(house)["statuses"]) == {"READY"}, seconds=90)  # type: ignore[call-overload]
    finally:
        last.terminate()
    assert last.wait(30) == 0
    found = report(house)
    assert found["chunks"] == 9
    assert found["dead"] == 0
    assert 9 <= house.calls <= 9 + kills


def test_sigterm_in_the_middle_hands_back_and_ends_with_success(tmp_path: Path) -> None:
    house = build_house(tmp_path / "house", f"sqlite:///{tmp_path}/db.sqlite3", CALL_SECONDS="0.5")
    house.python(CAPTURE.format(count=1, stretches=THREE_CHUNKS))
    worker = house.worker()
    wait_for(lambda: house.calls == 1)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert report(house)["statuses"] == ["QUEUED"]
    assert house.worker("--burst").wait(60) == 0
    found = report(house)
    assert found["statuses"] == ["READY"]
    assert house.calls <= 4
