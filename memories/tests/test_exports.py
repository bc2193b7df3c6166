"""A transcript as files that other programs read."""

from __future__ import annotations

import json
import re

import pytest

from memories import exports
from memories.types import Segment, TranscriptResult

SAID = TranscriptResult(
    text="Hello there. It costs 5 < 6.",
    language="en",
    segments=(
        Segment(0, "Hello there.", 0.0, 1.5, confidence=0.9),
        Segment(1, "It costs 5 < 6.", 3661.25, 3663.0),
    ),
    model="fake",
)


def test_text_has_a_line_a_segment() -> None:
    assert exports.render(SAID, "txt") == "Hello there.\nIt costs 5 < 6.\n"


def test_srt_numbers_its_cues_and_uses_a_comma() -> None:
    assert exports.render(SAID, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello there.\n\n2\n01:01:01,250 --> 01:01:03,000\nIt costs 5 < 6.\n"
    )


def test_webvtt_begins_with_its_name_and_escapes_markup() -> None:
    vtt = exports.render(SAID, "vtt")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello there.\n")
    assert "5 &lt; 6" in vtt


def test_markdown_has_the_title_and_times() -> None:
    assert exports.render(SAID, "md", title="A *note*") == (
        "# A \\*note\\*\n\n**0:00** Hello there.\n\n**1:01:01** It costs 5 \\< 6.\n"
    )


def test_json_holds_everything() -> None:
    data = json.loads(exports.render(SAID, "json", title="Ñandú"))
    assert (data["title"], data["language"], data["model"], data["text"]) == ("Ñandú", "en", "fake", SAID.text)
    assert data["segments"][0] == {
        "id": 0, "text": "Hello there.", "start": 0.0, "end": 1.5, "speaker": None, "confidence": 0.9,
    }  # fmt: skip


@pytest.mark.parametrize("format_", ["srt", "vtt"])
@pytest.mark.parametrize(
    "text", ["one\n\n00:00:09.000 --> 00:00:10.000\ntwo", "a --> b", "<c>x</c> & y --> z", "\r\n\r\n1\r\n"]
)
def test_words_cannot_make_a_cue_of_their_own(format_: str, text: str) -> None:
    rendered = exports.render(TranscriptResult(text, "en", (Segment(0, text, 0.0, 1.0),), "m"), format_)
    assert rendered.count("-->") == 1
    assert not re.search(r"\n\n.+", rendered.split("-->", 1)[1])


@pytest.mark.parametrize(
    "text",
    [
        "# not a heading",
        "- not a list",
        "1. not a list",
        "[x](javascript:alert(1))",
        "<script>",
        "> no",
        "a|b",
        "![i](u)",
    ],
)
def test_words_are_no_markdown(text: str) -> None:
    rendered = exports.render(TranscriptResult(text, "en", (Segment(0, text),), "m"), "md").strip()
    assert re.match(r"\\|\d+\\|a\\|!\\", rendered)
    assert rendered.replace("\\", "") == text


@pytest.mark.parametrize("format_", sorted(exports.CONTENT_TYPES))
def test_a_transcript_without_times_or_words_is_still_a_file(format_: str) -> None:
    without_times = TranscriptResult("Hi.", None, (Segment(0, "Hi."),), "m")
    assert ("Hi." in exports.render(without_times, format_)) == (format_ not in ("srt", "vtt"))
    exports.render(TranscriptResult("", None, (), "m"), format_)


def test_a_segment_without_an_end_lasts_until_the_next() -> None:
    said = TranscriptResult("a b", "en", (Segment(0, "a", 1.0), Segment(1, "b", 4.0)), "m")
    assert "00:00:01,000 --> 00:00:04,000" in exports.render(said, "srt")
    assert "00:00:04,000 --> 00:00:06,000" in exports.render(said, "srt")


def test_sentences_without_times_are_in_the_cue_of_the_one_before_them() -> None:
    said = (
        Segment(0, "a.", 0.0),
        Segment(1, "b."),
        Segment(2, "c.", None, 60.0),
        Segment(3, "d.", 60.0),
        Segment(4, "e."),
    )
    rendered = exports.render(TranscriptResult("a. b. c. d. e.", "en", said, "m"), "srt")
    assert "00:00:00,000 --> 00:01:00,000\na. b. c.\n" in rendered
    assert "00:01:00,000 --> 00:01:02,000\nd. e.\n" in rendered


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(KeyError):
        exports.render(SAID, "docx")
