"""kill -9 of a worker at random moments, with real Whisper: .venv/bin/python -m bench.kills [KILLS]

One recording of a minute (chunks of 20 s) a kill. The worker is killed in a stage, another one starts, and the table
says what had been saved, how long until the memory was READY, and how many transcriptions were made beyond need.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from memories.analyzers.offline import OfflineAnalyzer
from memories.tests.processes import House, build_house
from memories.transcribers.whisper import WhisperTranscriber
from memories.types import AnalysisResult, Clip, Limits, Progress, TranscriptResult

LEASE = 6
SPANS = {"TRANSCRIBING": 6.0, "ANALYZING": 1.5}  # seconds over which the moment of the kill is drawn

CAPTURE = """
from django.contrib.auth.models import User
from django.core.files import File
from memories.models import Memory
owner, _ = User.objects.get_or_create(username="ada")
memory = Memory(owner=owner)
memory.audio.save("x.wav", File(open({path!r}, "rb")), save=False)
memory.save()
print(memory.pk)
"""


class CountedWhisper(WhisperTranscriber):
    """Real Whisper in short chunks; a line in `path` for each call that began."""

    limits = Limits(max_bytes=None, max_seconds=20.0, formats=frozenset({"wav"}))

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = Path(path)

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        with self.path.open("a") as file:
            file.write(f"{clip.start}\n")
        return super().transcribe(clip, language=language, prompt=prompt, on_progress=on_progress)


class SlowAnalyzer(OfflineAnalyzer):
    def analyze(
        self, transcript: TranscriptResult, *, recorded_at: datetime, on_progress: Progress | None = None
    ) -> AnalysisResult:
        time.sleep(1.5)
        return super().analyze(transcript, recorded_at=recorded_at, on_progress=on_progress)


class Watch:
    """The row of a memory, read straight from SQLite: starting Django for each look would take too long."""

    def __init__(self, database: Path, identifier: str) -> None:
        import sqlite3

        self.connection = sqlite3.connect(database, timeout=20)
        self.key = identifier.replace("-", "")

    def status(self) -> str:
        row = self.connection.execute("SELECT status FROM memories_memory WHERE id = ?", (self.key,)).fetchone()
        return str(row[0])

    def chunks(self) -> int:
        sql = "SELECT count(*) FROM memories_chunk WHERE memory_id = ?"
        return int(self.connection.execute(sql, (self.key,)).fetchone()[0])

    def wait(self, condition: Callable[[str], bool], seconds: float = 120.0) -> None:
        until = time.monotonic() + seconds
        while not condition(self.status()):
            if time.monotonic() > until:
                raise SystemExit(f"Stuck at {self.status()}")
            time.sleep(0.01)


def one_kill(house: House, recording: Path, stage: str, chance: random.Random) -> dict[str, Any]:
    before = house.calls
    watch = Watch(house.folder / "db.sqlite3", house.python(CAPTURE.format(path=str(recording))).strip())
    worker = house.worker()
    watch.wait(lambda status: status == stage)
    time.sleep(chance.uniform(0.0, SPANS[stage]))
    hit, saved = watch.status(), watch.chunks()
    worker.kill()
    worker.wait()
    killed = time.monotonic()
    second = house.worker()
    watch.wait(lambda status: status == "READY")
    ready = time.monotonic() - killed
    second.terminate()
    second.wait()
    needed = 3
    return {"stage": stage, "hit": hit, "saved": saved, "calls": house.calls - before, "needed": needed, "ready": ready}


def main(kills: int) -> int:
    chance = random.Random(2026)
    with TemporaryDirectory(prefix="memories-kills-") as name:
        folder = Path(name)
        house = build_house(
            folder,
            f"sqlite:///{folder}/db.sqlite3",
            DJANGO_SETTINGS_MODULE="bench.kill_settings",
            MEMORIES_LEASE_SECONDS=str(LEASE),
        )
        recording = folder / "minute.wav"
        minute_of_speech(recording)
        print(f"{'#':>2} {'aimed at':14}{'hit':14}{'saved':>6}{'calls':>6}{'extra':>6}{'READY after':>12}")
        worst = 0
        for number in range(1, kills + 1):
            stage = "ANALYZING" if number % 3 == 0 else "TRANSCRIBING"
            found = one_kill(house, recording, stage, chance)
            extra = found["calls"] - found["needed"]
            worst = max(worst, extra)
            row = (found["hit"], found["saved"], found["calls"], extra, found["ready"])
            print("{:>2} {:14}{:14}{:>6}{:>6}{:>6}{:>10.1f} s".format(number, stage, *row), flush=True)
        dead = json.loads(house.manage("deadletters", "list", "--all", "--json"))
        print(f"{kills} kills, {kills} READY, at most {worst} call beyond need, {len(dead)} dead letters.")
    return int(worst > 1 or bool(dead))


def minute_of_speech(target: Path) -> None:
    """19.95 s of speech and a pause, three times."""
    import av

    from memories.tests.speech import wav

    samples = b""
    with av.open(str(Path(__file__).parents[1] / "memories/tests/samples/speech_en.flac")) as source:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
        for frame in source.decode(audio=0):
            samples += b"".join(bytes(out.planes[0])[: out.samples * 2] for out in resampler.resample(frame))
    pause = bytes(16_000)
    content = (samples[: 19 * 32_000] + pause) * 3
    target.write_bytes(wav((len(content) / 32_000, False))[:44] + content)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
