"""Keeps what an analyzer found only where the transcript bears it out; analyzers may err, or lie.

A quote counts when it is a verbatim run of words of the transcript. White space, letter case and Unicode
compatibility forms (NFKC) are folded before comparing, nothing else is.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from memories.types import ActionItem, AnalysisResult, Evidence, Finding, Mood, TranscriptResult

LONGEST_NAME = 100  # characters, as many as a row holds; what is longer is a sentence, no name
MOODS = frozenset({"positive", "neutral", "negative", "mixed"})

# Only here does a letter beside a quote prove that a word was cut: other scripts write without spaces, or attach
# articles and cases to a name.
LATIN_LETTER = re.compile(r"[a-z\u00df-\u024f\u1e00-\u1eff]")

Found = TypeVar("Found", Finding, ActionItem)


def fold(text: str) -> str:
    """The form in which quotes, names and texts are compared."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def contains(text: str, part: str) -> bool:
    """Whether `part` says something and stands in `text` as whole words."""
    return next(_occurrences(fold(text), fold(part)), None) is not None


def locate(quote: str, transcript: TranscriptResult) -> tuple[int, ...] | None:
    """The ids of the segments that the first occurrence of the quote spans; None where it was never said."""
    return next(_Index(transcript).spans(quote), None)


def verified(result: AnalysisResult, transcript: TranscriptResult) -> AnalysisResult:
    """The same result with only the findings whose quotes are real; the others are counted in `dropped`.

    Segment ids become exactly those that the quote spans, also where the analyzer named others. Findings of the same
    name are one, with the evidence that came first.
    """
    index = _Index(transcript)
    tags = _real(index, result.tags)
    people = _named(_real(index, result.people))
    places = _named(_real(index, result.places))
    mood = _real_mood(index, result.mood)
    items = [_with_real_due(item) for item in _real_items(index, result.action_items)]

    claimed = len(result.tags) + len(result.people) + len(result.places) + len(result.action_items)
    kept = len(tags) + len(people) + len(places) + len(items)
    lost_mood = result.mood is not None and mood is None
    return replace(
        result,
        tags=_unique((tag.name, tag) for tag in tags),
        people=_unique((person.name, person) for person in people),
        places=_unique((place.name, place) for place in places),
        mood=mood,
        action_items=_unique((item.text, item) for item in items),
        dropped=result.dropped + claimed - kept + lost_mood,
    )


def _real(index: _Index, findings: Iterable[Finding]) -> list[Finding]:
    named = (finding for finding in findings if fold(finding.name) and len(finding.name) <= LONGEST_NAME)
    placed = ((finding, index.place(finding.evidence)) for finding in named)
    return [replace(finding, evidence=evidence) for finding, evidence in placed if evidence]


def _named(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if contains(finding.evidence.quote, finding.name)]


def _real_mood(index: _Index, mood: Mood | None) -> Mood | None:
    if mood is None or mood.label not in MOODS:
        return None
    evidence = index.place(mood.evidence)
    return replace(mood, evidence=evidence) if evidence else None


def _real_items(index: _Index, items: Iterable[ActionItem]) -> list[ActionItem]:
    placed = ((item, index.place(item.evidence)) for item in items if fold(item.text))
    return [replace(item, evidence=evidence) for item, evidence in placed if evidence]


def _with_real_due(item: ActionItem) -> ActionItem:
    if item.due_quote is not None and contains(item.evidence.quote, item.due_quote):
        return item
    return replace(item, due=None, due_quote=None)


def _unique(named: Iterable[tuple[str, Found]]) -> tuple[Found, ...]:
    first: dict[str, Found] = {}
    for name, found in named:
        first.setdefault(fold(name), found)
    return tuple(first.values())


@dataclass(frozen=True, slots=True)
class _Place:
    start: int  # offset in the folded transcript
    id: int


class _Index:
    """The folded transcript, and where in it each segment begins."""

    def __init__(self, transcript: TranscriptResult) -> None:
        self.places: list[_Place] = []
        parts: list[str] = []
        offset = 0
        for segment in transcript.segments:
            part = fold(segment.text)
            if part:
                self.places.append(_Place(offset, segment.id))
                parts.append(part)
                offset += len(part) + 1
        self.text = " ".join(parts)

    def spans(self, quote: str) -> Iterator[tuple[int, ...]]:
        """The segment ids of each occurrence."""
        folded = fold(quote)
        for start in _occurrences(self.text, folded):
            first = self._segment_at(start)
            last = self._segment_at(start + len(folded) - 1)
            yield tuple(place.id for place in self.places[first : last + 1])

    def place(self, evidence: Evidence) -> Evidence | None:
        """The evidence with the segments where its quote stands: among those it names if possible, else the first."""
        named = set(evidence.segment_ids)
        first: tuple[int, ...] | None = None
        for ids in self.spans(evidence.quote):
            if named.issuperset(ids):
                return replace(evidence, segment_ids=ids)
            first = first or ids
        return replace(evidence, segment_ids=first) if first else None

    def _segment_at(self, offset: int) -> int:
        return bisect_right(self.places, offset, key=lambda place: place.start) - 1


def _occurrences(text: str, part: str) -> Iterator[int]:
    """Where `part` begins in `text`, whole words only. A part without a letter or digit is no quote."""
    if not any(character.isalnum() for character in part):
        return
    start = text.find(part)
    while start >= 0:
        end = start + len(part)
        if not (_cuts_a_word(text, start) or _cuts_a_word(text, end)):
            yield start
        start = text.find(part, start + 1)


def _cuts_a_word(text: str, offset: int) -> bool:
    around = text[max(offset - 1, 0) : offset + 1]
    return 0 < offset < len(text) and all(LATIN_LETTER.match(character) for character in around)
