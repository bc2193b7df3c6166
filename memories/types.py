"""What crosses from one room to another: frozen values that know nothing of Django, HTTP or a vendor."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

Progress = Callable[[float], None]
"""Called with the finished fraction, 0.0 to 1.0. It may raise to interrupt the work."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call consumed. A field is None where the provider does not say."""

    seconds: float | None = None  # of audio
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None  # None: not known; zero: it ran on our own machine


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of a recording, or all of it, in a form that the transcriber takes (`Limits`)."""

    path: Path
    start: float  # seconds from the beginning of the recording
    seconds: float
    format: str = "wav"  # the file extension without the dot; wav is 16 kHz, mono, signed 16 bit


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, a sentence or so. Times are seconds from the beginning of the recording."""

    id: int
    text: str
    start: float | None = None  # None: the model gives no times
    end: float | None = None
    speaker: str | None = None
    confidence: float | None = None  # 0 to 1


@dataclass(frozen=True, slots=True)
class TranscriptResult:
    """What was said. An empty `text` means that nobody spoke."""

    text: str
    language: str | None  # ISO 639-1; None: not detected
    segments: tuple[Segment, ...]
    model: str
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where something was said: the segments, and a verbatim quote from them."""

    segment_ids: tuple[int, ...]
    quote: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A tag, a person or a place, and where it was said."""

    name: str
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Mood:
    label: str  # "positive", "neutral", "negative" or "mixed"
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class ActionItem:
    """Something to be done. `due` was resolved against the time of recording; `due_quote` is what was said."""

    text: str
    evidence: Evidence
    due: date | None = None
    due_quote: str | None = None


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    title: str
    summary: str
    model: str
    tags: tuple[Finding, ...] = ()
    people: tuple[Finding, ...] = ()
    places: tuple[Finding, ...] = ()
    mood: Mood | None = None
    action_items: tuple[ActionItem, ...] = ()
    usage: Usage = field(default_factory=Usage)
    dropped: int = 0  # findings whose quote was not in the transcript


@dataclass(frozen=True, slots=True)
class Limits:
    """What a transcriber takes in one call. None: no bound of its own."""

    max_bytes: int | None
    max_seconds: float | None
    formats: frozenset[str]  # file extensions without the dot
    parallel: int = 1  # calls at the same time
    decodes: bool = False  # takes these formats as people send them; else wav is what Clip says of it, and no other

    def take(self, form: str, size: int, seconds: float) -> bool:
        """Whether a file of this format and size (bytes) goes through in one call."""
        fits = (self.max_bytes is None or size <= self.max_bytes) and seconds <= self.longest()
        return self.decodes and form in self.formats and fits

    def longest(self, bytes_per_second: float = 0.0) -> float:
        """The most seconds of one call, for sound of this many bytes."""
        by_size = self.max_bytes / bytes_per_second if self.max_bytes and bytes_per_second else math.inf
        return min(by_size, self.max_seconds or math.inf)
