"""Real speech through the real model."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from memories import audio
from memories.errors import Interrupted, ModelUnusable
from memories.tests.processes import ROOT
from memories.tests.speech import wav
from memories.tests.words import word_error_rate
from memories.transcribers.whisper import WhisperTranscriber
from memories.types import Clip, TranscriptResult

SAMPLES = Path(__file__).parent / "samples"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("whisper")]


@pytest.fixture(scope="module")
def whisper() -> WhisperTranscriber:
    return WhisperTranscriber()


def clip_of(name: str, folder: Path) -> Clip:
    with (SAMPLES / name).open("rb") as file:
        sound = audio.normalize(file, folder / "sound.wav", max_seconds=3600)
    return audio.clip(sound, audio.split(sound, max_seconds=math.inf)[0], folder / "clip.wav")


def heard(whisper: WhisperTranscriber, name: str, folder: Path, language: str | None = None) -> TranscriptResult:
    return whisper.transcribe(clip_of(name, folder), language=language)


@pytest.mark.parametrize("name", ["speech_en.m4a", "speech_en.amr", "speech_en_mediarecorder.webm", "tts_en.mp3"])
def test_english_is_understood_and_recognized(whisper: WhisperTranscriber, name: str, tmp_path: Path) -> None:
    result = heard(whisper, name, tmp_path)
    reference = (SAMPLES / ("tts_en.txt" if name.startswith("tts") else "speech_en.txt")).read_text()
    assert word_error_rate(reference, result.text) <= 0.06
    assert result.language == "en"


@pytest.mark.parametrize("name", ["tts_es.m4a", "tts_es.ogg"])
def test_spanish_is_recognized(whisper: WhisperTranscriber, name: str, tmp_path: Path) -> None:
    assert heard(whisper, name, tmp_path).language == "es"


@pytest.mark.parametrize(
    "name",
    [
        "tts_es.m4a",
        pytest.param(
            "tts_es.ogg",
            marks=pytest.mark.xfail(
                reason="17.3%, with and without levelling, in int8 and in float32: the base model's limit on this voice"
            ),
        ),
    ],
)
def test_spanish_is_understood(whisper: WhisperTranscriber, name: str, tmp_path: Path) -> None:
    reference = (SAMPLES / "tts_es.txt").read_text()
    assert word_error_rate(reference, heard(whisper, name, tmp_path).text) <= 0.15


def test_segments_have_times_in_order_and_confidence(whisper: WhisperTranscriber, tmp_path: Path) -> None:
    result = heard(whisper, "tts_en.mp3", tmp_path)
    assert [segment.id for segment in result.segments] == list(range(len(result.segments)))
    times = [time for segment in result.segments for time in (segment.start, segment.end)]
    assert times == sorted(times)  # type: ignore[type-var]
    assert times[-1] <= 18.3  # type: ignore[operator]
    assert all(segment.confidence and 0 < segment.confidence <= 1 for segment in result.segments)
    assert result.text == " ".join(segment.text for segment in result.segments)
    assert result.model == "whisper-base"
    assert result.usage.seconds == pytest.approx(18.26, abs=0.05)
    assert result.usage.cost_usd == Decimal(0)  # it ran on our own machine; None would say that we do not know


def test_silence_has_no_words_and_no_language(whisper: WhisperTranscriber, tmp_path: Path) -> None:
    result = heard(whisper, "silence_5s.wav", tmp_path)
    assert (result.text, result.language, result.segments) == ("", None, ())


def test_a_language_that_whisper_does_not_know_is_detected_instead(whisper: WhisperTranscriber, tmp_path: Path) -> None:
    assert heard(whisper, "tts_en.mp3", tmp_path, language="xx").language == "en"


def test_progress_can_interrupt(whisper: WhisperTranscriber, tmp_path: Path) -> None:
    def stop(fraction: float) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        whisper.transcribe(clip_of("tts_en.mp3", tmp_path), on_progress=stop)


def test_a_model_with_another_sum_is_not_used(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="SHA-256"):
        heard(WhisperTranscriber(sha256="0" * 64), "silence_5s.wav", tmp_path)


def test_a_folder_without_a_model_is_named_at_start_and_to_operators_only_at_use(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "secret" / "models"
    folder.mkdir(parents=True)
    broken = WhisperTranscriber(model=str(folder))
    assert "model.bin" in broken.check()[0]
    with pytest.raises(ModelUnusable, match="whisper-models cannot be loaded") as caught:
        heard(broken, "silence_5s.wav", tmp_path)
    assert "secret" not in caught.value.detail  # clients read it
    assert str(folder) in caplog.text


def test_the_installed_model_passes_its_check() -> None:
    assert WhisperTranscriber().check() == []


LISTEN = """
import sys
from pathlib import Path
from memories.transcribers.whisper import WhisperTranscriber
from memories.types import Clip
print(WhisperTranscriber().transcribe(Clip(Path(sys.argv[1]), 0.0, 3.0)).text)
"""


def test_nothing_that_listens_keeps_a_number_of_this_machine_to_report_by(tmp_path: Path) -> None:
    """onnxruntime would write one into its cache when it starts (and is silent by itself in CI)."""
    clip, home = tmp_path / "clip.wav", tmp_path / "home"
    clip.write_bytes(wav((3.0, False)))
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS", "XDG_CACHE_HOME")}
    env |= {"HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", LISTEN, clip], cwd=ROOT, env=env, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("\n", 0), done.stderr
    assert list(home.rglob("*")) == []
