"""One contract, every transcriber: to add one, add a line to TRANSCRIBERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path

import pytest

from memories import audio
from memories.audio import Cut
from memories.errors import Interrupted
from memories.tests.fakes import FakeTranscriber, PaidTranscriber
from memories.tests.openai_stub import OpenAIStub
from memories.transcribers.base import Transcriber
from memories.transcribers.openai import OpenAITranscriber
from memories.transcribers.whisper import WhisperTranscriber
from memories.types import Clip, TranscriptResult

SAMPLES = Path(__file__).parent / "samples"


@contextmanager
def openai(model: str) -> Iterator[Transcriber]:
    with OpenAIStub() as stub:
        yield OpenAITranscriber(model, base_url=stub.url)


TRANSCRIBERS: dict[str, Callable[[], AbstractContextManager[Transcriber]]] = {
    "fake": lambda: nullcontext(FakeTranscriber()),
    "paid fake": lambda: nullcontext(PaidTranscriber()),
    "whisper": lambda: nullcontext(WhisperTranscriber()),
    "openai, whisper-1": lambda: openai("whisper-1"),
    "openai, gpt-transcribe": lambda: openai("gpt-transcribe"),
    "openai, gpt-4o-transcribe": lambda: openai("gpt-4o-transcribe"),
    "openai, gpt-4o-transcribe-diarize": lambda: openai("gpt-4o-transcribe-diarize"),
    "openai, a server elsewhere": lambda: openai("whisper-large-v3"),
}
SLOW = {"whisper": [pytest.mark.slow, pytest.mark.xdist_group("whisper")]}


@pytest.fixture(scope="module", params=[pytest.param(name, marks=SLOW.get(name, ())) for name in TRANSCRIBERS])
def transcriber(request: pytest.FixtureRequest) -> Iterator[Transcriber]:
    with TRANSCRIBERS[request.param]() as implementation:
        yield implementation


@pytest.fixture(scope="module")
def clip(transcriber: Transcriber, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Six seconds out of real speech, in a form that the transcriber takes."""
    folder = tmp_path_factory.mktemp("clip")
    with (SAMPLES / "tts_en.mp3").open("rb") as file:
        sound = audio.normalize(file, folder / "sound.wav", max_seconds=60.0)
    form = "flac" if "flac" in transcriber.limits.formats else "wav"
    return audio.clip(sound, Cut(0.0, 6.0), folder / f"clip.{form}")


@pytest.fixture(scope="module")
def result(transcriber: Transcriber, clip: Clip) -> TranscriptResult:
    return transcriber.transcribe(clip)


def test_what_was_said_is_text_in_segments(result: TranscriptResult) -> None:
    assert result.text
    assert result.text == " ".join(segment.text for segment in result.segments)
    assert all(segment.text == segment.text.strip() for segment in result.segments)
    assert [segment.id for segment in result.segments] == list(range(len(result.segments)))
    assert result.model


def test_times_are_within_the_clip_and_in_order(result: TranscriptResult, clip: Clip) -> None:
    segments = result.segments
    times = [time for segment in segments for time in (segment.start, segment.end) if time is not None]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= clip.seconds
    assert segments[0].start is not None  # where a clip begins is known, with or without times of its own


def test_confidence_is_between_nothing_and_certain(result: TranscriptResult) -> None:
    found = [segment.confidence for segment in result.segments]
    assert all(confidence is None or 0.0 < confidence <= 1.0 for confidence in found)


def test_a_language_is_a_code_that_may_be_said_before(
    transcriber: Transcriber, clip: Clip, result: TranscriptResult
) -> None:
    assert result.language in ("en", None)
    assert transcriber.transcribe(clip, language="en").language == "en"


def test_context_and_a_language_that_no_model_knows_do_no_harm(transcriber: Transcriber, clip: Clip) -> None:
    assert transcriber.transcribe(clip, language="xx", prompt="What was said before.").text


def test_what_it_used_and_cost_is_said(result: TranscriptResult, clip: Clip) -> None:
    usage = result.usage
    assert usage.seconds == pytest.approx(clip.seconds, abs=0.1)
    assert usage.cost_usd is None or usage.cost_usd >= 0


def test_an_estimate_is_for_paid_work_only(transcriber: Transcriber) -> None:
    estimate = transcriber.estimate(600.0)
    assert estimate >= 0
    assert transcriber.paid or estimate == Decimal(0)


def test_progress_can_interrupt(transcriber: Transcriber, clip: Clip) -> None:
    def stop(fraction: float) -> None:
        assert 0.0 <= fraction <= 1.0
        raise Interrupted

    with pytest.raises(Interrupted):
        transcriber.transcribe(clip, on_progress=stop)


def test_its_limits_leave_room_for_a_minute_of_what_we_send(transcriber: Transcriber) -> None:
    limits = transcriber.limits
    assert {"wav", "flac"} & limits.formats
    assert limits.longest(audio.BYTES_PER_SECOND) >= 60.0
    assert limits.parallel >= 1


def test_it_passes_its_own_check(transcriber: Transcriber) -> None:
    assert transcriber.check() == []
