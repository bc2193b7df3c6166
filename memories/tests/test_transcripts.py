"""Chunks put together."""

from __future__ import annotations

from pathlib import Path

from memories.transcripts import in_recording_time, join
from memories.types import Clip, Segment, TranscriptResult


def test_the_times_of_a_clip_become_those_of_the_recording() -> None:
    said = TranscriptResult("A b", "en", (Segment(0, "A", 0.5, 1.0), Segment(1, "b")), "m")
    moved = in_recording_time(said, Clip(Path("x.wav"), start=60.25, seconds=5))
    assert [(s.start, s.end) for s in moved.segments] == [(60.75, 61.25), (None, None)]


def test_the_language_of_a_mixed_recording_is_the_one_in_which_most_was_said() -> None:
    def said(text: str, language: str) -> TranscriptResult:
        return TranscriptResult(text, language, (Segment(0, text),), "m")

    joined = join([said("Hi.", "en"), TranscriptResult("", None, (), "m"), said("Buenos días a todos.", "es")])
    assert joined.language == "es"
    assert joined.text == "Hi. Buenos días a todos."
    assert [segment.id for segment in joined.segments] == [0, 1]


def test_nothing_said_at_all_is_an_empty_transcript() -> None:
    assert join([TranscriptResult("", None, (), "m")]).text == ""
