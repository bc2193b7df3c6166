"""A transcript as text, Markdown, SRT, WebVTT or JSON. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import zip_longest

from memories.types import Segment, TranscriptResult

CONTENT_TYPES = {
    "json": "application/json",
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "srt": "application/x-subrip; charset=utf-8",
    "vtt": "text/vtt; charset=utf-8",
}
# What Markdown would take for markup. Escaped wherever it stands: a few backslashes too many hurt nobody.
_MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_{}[]<>#|~&"})
_BLOCK_STARTS = ("-", "+", "=")


def render(transcript: TranscriptResult, format: str, *, title: str = "") -> str:  # noqa: A002 (the word people use)
    """The transcript in one of CONTENT_TYPES' formats; KeyError for any other."""
    return _FORMATS[format](transcript, title)


def _json(transcript: TranscriptResult, title: str) -> str:
    data = {
        "title": title,
        "language": transcript.language,
        "model": transcript.model,
        "text": transcript.text,
        "segments": [asdict(segment) for segment in transcript.segments],
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _txt(transcript: TranscriptResult, title: str) -> str:
    lines = [_one_line(segment.text) for segment in transcript.segments] or [transcript.text]
    return "".join(f"{line}\n" for line in lines if line)


def _md(transcript: TranscriptResult, title: str) -> str:
    parts = [f"# {_escaped(title)}"] if title else []
    for segment in transcript.segments:
        time = f"**{_clock(segment.start)}** " if segment.start is not None else ""
        parts.append(f"{time}{_escaped(segment.text)}")
    return "\n\n".join(parts or [_escaped(transcript.text)]) + "\n"


def _srt(transcript: TranscriptResult, title: str) -> str:
    return "\n".join(
        f"{number}\n{_timestamp(start, ',')} --> {_timestamp(end, ',')}\n{_cue_text(text)}\n"
        for number, (start, end, text) in enumerate(_cues(transcript), 1)
    )


def _vtt(transcript: TranscriptResult, title: str) -> str:
    """https://www.w3.org/TR/webvtt1/"""
    cues = (
        f"{_timestamp(start, '.')} --> {_timestamp(end, '.')}\n{_vtt_text(text)}\n"
        for start, end, text in _cues(transcript)
    )
    return "\n".join(["WEBVTT\n", *cues])


def _cues(transcript: TranscriptResult) -> list[tuple[float, float, str]]:
    """From one segment that has a start to the next; one that has no end lasts until then, or two seconds."""
    runs = list(_runs(transcript))
    cues = []
    for run, following in zip_longest(runs, runs[1:]):
        start = run[0].start or 0.0
        default = (following[0].start or 0.0) if following else start + 2.0
        end = next((segment.end for segment in reversed(run) if segment.end is not None), default)
        cues.append((start, max(end, start + 0.001), " ".join(segment.text for segment in run)))
    return cues


def _runs(transcript: TranscriptResult) -> Iterator[list[Segment]]:
    """A segment with a start, and those without one that follow it; before the first start nothing has a place."""
    run: list[Segment] = []
    for segment in transcript.segments:
        if segment.start is not None and segment.text.strip():
            if run:
                yield run
            run = [segment]
        elif run:
            run.append(segment)
    if run:
        yield run


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    line = _one_line(text).translate(_MARKUP)
    number, dot, _ = line.partition(".")
    if line.startswith(_BLOCK_STARTS):
        return "\\" + line
    return f"{number}\\{line[len(number) :]}" if dot and number.isdecimal() else line


def _cue_text(text: str) -> str:
    """A cue ends at an empty line, and "-->" begins another one."""
    return _one_line(text).replace("-->", "->")


def _vtt_text(text: str) -> str:
    return _cue_text(text.replace("&", "&amp;").replace("-->", "->").replace("<", "&lt;").replace(">", "&gt;"))


def _timestamp(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _clock(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


_FORMATS: dict[str, Callable[[TranscriptResult, str], str]] = {
    "json": _json,
    "txt": _txt,
    "md": _md,
    "srt": _srt,
    "vtt": _vtt,
}
