"""What others rely on when they test against the stub of OpenAI."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import requests
from django.utils import timezone

from memories.analyzers.openai import OpenAIAnalyzer
from memories.errors import AnalyzerUnavailable, TranscriberUnavailable
from memories.tests.openai_answers import RESPONSES, TRANSCRIPTIONS, said
from memories.tests.openai_stub import OpenAIStub
from memories.transcribers.openai import OpenAITranscriber
from memories.types import Clip, TranscriptResult


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    clips = [Clip(tmp_path / f"{number}.flac", 0.0, 60.0, "flac") for number in range(4)]
    for number, clip in enumerate(clips):
        clip.path.write_bytes(b"sound %d" % number)
    return clips


def test_each_recording_has_words_of_its_own_that_can_be_told_before(
    openai_stub: OpenAIStub, clips: list[Clip]
) -> None:
    transcriber = OpenAITranscriber(base_url=openai_stub.url)
    texts = [transcriber.transcribe(clip).text for clip in clips]
    assert texts == [said(clip.path.read_bytes()) for clip in clips]
    assert len(set(texts)) == 4


def test_another_process_can_read_the_log(openai_stub: OpenAIStub, clips: list[Clip]) -> None:
    openai_stub.fail("overloaded")
    transcriber = OpenAITranscriber(base_url=openai_stub.url)
    with pytest.raises(TranscriberUnavailable):
        transcriber.transcribe(clips[0])
    transcriber.transcribe(clips[0], prompt="Before.")
    log = requests.get(f"{openai_stub.url.removesuffix('/v1')}/__calls", timeout=10).json()
    assert log["counts"] == {TRANSCRIPTIONS: 1}
    assert [call["status"] for call in log["calls"]] == [503, 200]
    assert log["calls"][1]["fields"]["prompt"] == "Before."
    assert log["calls"][1]["size"] == len("sound 0")


def test_a_delay_shows_how_many_calls_there_were_at_once(openai_stub: OpenAIStub, clips: list[Clip]) -> None:
    openai_stub.behave(delay=0.3)
    transcriber = OpenAITranscriber(base_url=openai_stub.url)
    together = Barrier(len(clips))

    def transcribe(clip: Clip) -> None:
        together.wait(10)
        transcriber.transcribe(clip)

    with ThreadPoolExecutor(len(clips)) as pool:
        list(pool.map(transcribe, clips))
    assert openai_stub.peak == len(clips)


def test_a_fault_can_be_kept_for_one_kind_of_call(openai_stub: OpenAIStub, clips: list[Clip]) -> None:
    openai_stub.fail("server error", path=RESPONSES)
    assert OpenAITranscriber(base_url=openai_stub.url).transcribe(clips[0]).text
    words = TranscriptResult("Hello there.", "en", (), "fake")
    with pytest.raises(AnalyzerUnavailable):
        OpenAIAnalyzer(base_url=openai_stub.url).analyze(words, recorded_at=timezone.now())
