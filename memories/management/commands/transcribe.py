from __future__ import annotations

import sys
from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from memories import audio, exports, languages, ports
from memories.errors import MemoriesError
from memories.management.base import ExampleCommand
from memories.models import DETAILS, Status
from memories.transcription import CONTEXT
from memories.transcripts import in_recording_time, join
from memories.types import Progress, TranscriptResult


class Command(ExampleCommand):
    help = "Recordings to text on the terminal. Uses no database. Exit code 1 when any of them failed."
    examples = """\
  manage.py transcribe note.m4a
  manage.py transcribe --format srt --language es entrevista.mp3 > entrevista.srt
  manage.py transcribe --format json recordings/"""
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="A recording, or a folder of them.")
        parser.add_argument("--format", choices=sorted(exports.CONTENT_TYPES), default="txt")
        parser.add_argument(
            "--language", type=_language, help="ISO 639-1, such as en or es; detected where it is not given."
        )
        parser.add_argument(
            "--progress",
            action=BooleanOptionalAction,
            help="A progress bar on the error stream; by itself, where that is a terminal.",
        )

    def handle(
        self,
        *args: Any,
        paths: list[Path],
        format: str,  # noqa: A002 (the word people use)
        language: str | None,
        progress: bool | None,
        **options: Any,
    ) -> None:
        files = list(_files(paths))
        failed = 0
        for path in files:
            try:
                transcript = self.transcribe(path, language, progress)
            except MemoriesError as error:
                failed += 1
                self.stderr.write(f"{path}: {error.detail} {error.next_step}")
                continue
            except OSError as error:
                failed += 1
                self.stderr.write(f"{path}: {error.strerror or error}. Check the path and your right to read it.")
                continue
            if not transcript.text:
                self.stderr.write(f"{path}: {DETAILS[Status.NO_SPEECH]}")
            if len(files) > 1 and format != "json":
                self.stdout.write(f"--- {path}")
            self.stdout.write(exports.render(transcript, format, title=path.stem), ending="")
        if failed:
            raise SystemExit(1)

    def transcribe(self, path: Path, language: str | None, progress: bool | None) -> TranscriptResult:
        transcriber = ports.transcriber()
        results: list[TranscriptResult] = []
        with (
            TemporaryDirectory(prefix="memories-") as folder,
            path.open("rb") as file,
            _bar(path.name, progress) as bar,
        ):
            sound = audio.normalize(
                file, Path(folder) / "sound.wav", max_seconds=settings.MEMORIES_MAX_AUDIO_HOURS * 3600
            )
            if sound.damage:
                self.stderr.write(f"{path}: {sound.damage}")
            bar.total = sound.seconds
            for cut in audio.split(sound, max_seconds=transcriber.limits.longest(audio.BYTES_PER_SECOND)):
                clip = audio.clip(sound, cut, Path(folder) / "clip.wav")
                before = results[-1].text[-CONTEXT:] if results else ""
                result = transcriber.transcribe(clip, language=language, prompt=before, on_progress=_moves(bar, cut))
                results.append(in_recording_time(result, clip))
        return join(results)


def _language(text: str) -> str:
    if text not in languages.ISO_639_1:
        raise ArgumentTypeError(languages.UNKNOWN)
    return text


def _files(paths: list[Path]) -> Iterator[Path]:
    """The files named, and those in the folders named, but for hidden ones."""
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and not p.name.startswith("."))
            if not inside:
                raise CommandError(f"There is no file in {path}.", returncode=2)
            yield from inside
        else:
            yield path


def _bar(name: str, wanted: bool | None) -> Any:
    """Seconds of sound, on the error stream; None: only where that is a terminal."""
    from tqdm import tqdm

    return tqdm(
        desc=name,
        unit="s",
        disable=None if wanted is None else not wanted,
        file=sys.stderr,
        leave=False,
        bar_format="{desc}: {percentage:3.0f}%|{bar}|",
    )


def _moves(bar: Any, cut: audio.Cut) -> Progress:
    def on_progress(fraction: float) -> None:
        bar.n = cut.start + fraction * (cut.end - cut.start)
        bar.refresh()

    return on_progress
