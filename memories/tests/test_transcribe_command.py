"""manage.py transcribe: recordings to text, without a database."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from memories.tests.fakes import FakeTranscriber
from memories.tests.speech import wav

SAMPLES = Path(__file__).parent / "samples"


def transcribe(*args: str, code: int = 0) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command("transcribe", *args, stdout=out, stderr=err)
        ended = 0
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code
    return out.getvalue(), err.getvalue()


@pytest.fixture
def note(tmp_path: Path) -> Path:
    path = tmp_path / "note.wav"
    path.write_bytes(wav((2.0, True)))
    return path


def test_a_file_becomes_text(note: Path, transcriber: FakeTranscriber) -> None:
    assert transcribe(str(note)) == (f"{transcriber.text}\n", "")


def test_a_long_file_goes_in_chunks_with_true_times(tmp_path: Path, transcriber: FakeTranscriber) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav((55.0, True), (1.0, False), (30.0, True)))
    segments = json.loads(transcribe("--format", "json", str(path))[0])["segments"]
    assert len(segments) == 2
    assert 54 < segments[1]["start"] < 57


@pytest.mark.parametrize("format_", ["md", "srt", "vtt"])
def test_each_format(note: Path, format_: str) -> None:
    assert "Call Maria" in transcribe("--format", format_, str(note))[0]


def test_the_language_is_passed_on(note: Path, transcriber: FakeTranscriber) -> None:
    transcribe("--language", "es", str(note))
    assert transcriber.hints == ["es"]


def test_a_language_that_nobody_speaks_is_wrong_usage(note: Path, transcriber: FakeTranscriber) -> None:
    with pytest.raises(CommandError, match="not a code of ISO 639-1"):
        transcribe("--language", "klingon", str(note))
    assert transcriber.hints == []


def test_silence_is_said_and_prints_nothing(note: Path, transcriber: FakeTranscriber) -> None:
    transcriber.text = ""
    assert transcribe(str(note)) == ("", f"{note}: Nobody speaks in this recording.\n")


def test_a_folder_goes_file_by_file_past_what_is_not_sound(note: Path) -> None:
    shutil.copy(note, note.with_name("other.wav"))
    (note.parent / "readme.txt").write_text("not a recording")
    out, err = transcribe(str(note.parent), code=1)
    assert out.count("Call Maria") == 2
    assert "readme.txt" in err
    assert "Send audio as" in err


def test_damage_is_said_and_what_is_there_is_transcribed() -> None:
    out, err = transcribe(str(SAMPLES / "trunc_half.mp3"))
    assert "Call Maria" in out
    assert "damaged" in err


def test_a_file_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    _, err = transcribe(str(tmp_path / "none.wav"), code=1)
    assert err == f"{tmp_path}/none.wav: No such file or directory. Check the path and your right to read it.\n"


def test_a_progress_bar_is_shown_off_a_terminal_only_when_asked_for(
    note: Path, transcriber: FakeTranscriber, capsys: pytest.CaptureFixture[str]
) -> None:
    transcribe(str(note))
    assert capsys.readouterr().err == ""
    transcribe("--progress", str(note))
    assert "note.wav:" in capsys.readouterr().err


def test_an_empty_folder_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no file") as caught:
        transcribe(str(tmp_path))
    assert caught.value.returncode == 2
