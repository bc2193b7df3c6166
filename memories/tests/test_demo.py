"""script/demo: it stops what it started and nothing else, and stays offline whatever the surroundings say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memories.tests.processes import OFFLINE, ROOT, build_house

pytestmark = pytest.mark.slow

PAID = {
    "MEMORIES_ENV": "production",
    "OPENAI_API_KEY": "sk-real",
    "OPENAI_BASE_URL": "https://api.openai.com/v1",
    "AWS_STORAGE_BUCKET_NAME": "real",
    "SQS_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/1/real",
    "SQS_DLQ_URL": "https://sqs.us-east-1.amazonaws.com/1/dead",
    "REDIS_ENABLED": "true",
}
SLEEP = "import time; print('ready', flush=True); time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder with the script in it, and stand-ins that write down the environment instead of doing the work."""
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script/demo", tmp_path / "script/demo")
    tools = {"script/setup": "exit 0", ".venv/bin/python": 'env >"$(dirname "$0")/../../env"; exit 7'}
    for name, body in tools.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    (tmp_path / "data/demo").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def run(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout
        process.stdout.readline()  # it is up
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def stop(house: Path, **pids: int) -> None:
    for name, pid in pids.items():
        (house / f"data/demo/{name}.pid").write_text(f"{pid}\n")
    subprocess.run([house / "script/demo", "stop"], check=True, timeout=60)
    assert not list((house / "data/demo").glob("*.pid"))


def test_it_stops_what_it_started(house: Path, start: Start) -> None:
    server = start(SLEEP, "gunicorn", "config.wsgi", "--bind", "127.0.0.1:8000")
    worker = start(SLEEP, "manage.py", "run_worker")
    stop(house, server=server.pid, worker=worker.pid)
    assert (server.wait(10), worker.wait(10)) == (-15, -15)


def test_it_leaves_a_stranger_alone_who_has_the_number_of_a_process_that_is_gone(house: Path, start: Start) -> None:
    strangers = [start(SLEEP, "somebody", "else"), start(SLEEP)]
    stop(house, server=strangers[0].pid, worker=strangers[1].pid)
    assert [stranger.poll() for stranger in strangers] == [None, None]


def test_what_does_not_stop_when_asked_is_killed(house: Path, start: Start) -> None:
    worker = start(DEAF, "manage.py", "run_worker")
    stop(house, worker=worker.pid)
    assert worker.wait(10) == -9


@pytest.mark.parametrize("content", ["", "nonsense", "999999999"])
def test_a_pid_file_that_means_nothing_is_removed(house: Path, content: str) -> None:
    (house / "data/demo/server.pid").write_text(content)
    stop(house)


@pytest.mark.parametrize("arguments", [["nowhere.m4a"], ["."], ["--verbose"], ["one.m4a", "two.m4a"]])
def test_what_cannot_be_sent_is_wrong_usage_before_anything_starts(house: Path, arguments: list[str]) -> None:
    done = subprocess.run([house / "script/demo", *arguments], cwd=house, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "is not a file that can be read" in done.stderr or "usage: script/demo" in done.stderr
    assert not (house / "env").exists()


def test_help_says_how_it_is_used_and_starts_nothing(house: Path) -> None:
    done = subprocess.run([house / "script/demo", "--help"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.startswith("usage: script/demo [RECORDING]")) == (0, True)
    assert not (house / "env").exists()


def test_a_demo_that_fails_stops_what_it_started_and_says_so(house: Path) -> None:
    """The recording is named from where one stands, and found from where the script goes."""
    python = house / ".venv/bin/python"
    sleep = f'exec {sys.executable} -c "{SLEEP}" "$@"'
    python.write_text(f"""#!/bin/sh
case "$1 $2" in
  "script/demo.py port") echo 8000 ;;
  "script/demo.py run") echo "$4" >sent; exit 7 ;;
  *) {sleep} ;;
esac
""")
    (house / ".venv/bin/gunicorn").symlink_to(python)
    (house / "recordings").mkdir()
    (house / "recordings/note.m4a").write_bytes(b"sound")
    done = subprocess.run(
        [house / "script/demo", "note.m4a"], cwd=house / "recordings", capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 7
    assert "the site is stopped" in done.stderr
    assert (house / "sent").read_text().strip() == str(house / "recordings/note.m4a")
    assert not list((house / "data/demo").glob("*.pid"))


def test_the_demo_is_offline_whatever_the_surroundings_say(house: Path) -> None:
    done = subprocess.run([house / "script/demo"], env=os.environ | PAID, timeout=60)
    assert done.returncode == 7  # the stand-in's
    lines = (house / "env").read_text().splitlines()
    assert {f"{name}={value}" for name, value in OFFLINE.items()} <= set(lines)


def test_a_house_of_tests_is_offline_unless_it_is_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PAID.items():
        monkeypatch.setenv(name, value)
    stub = "http://127.0.0.1:9/v1"
    house = build_house(tmp_path, f"sqlite:///{tmp_path}/db.sqlite3", OPENAI_BASE_URL=stub)
    assert {name: house.env[name] for name in OFFLINE} == OFFLINE | {"OPENAI_BASE_URL": stub}
