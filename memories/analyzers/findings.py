"""What a language model answered, part by part, as one result: within bounds, and without what no model may say.

Whether a quote is true is not asked here (memories/evidence.py): only a result is made that can be verified.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from memories.analyzers import prompts
from memories.analyzers.guards import Guard
from memories.evidence import fold, locate
from memories.types import ActionItem, AnalysisResult, Evidence, Finding, Mood, TranscriptResult, Usage

if TYPE_CHECKING:
    from memories.analyzers.answers import Action, Insights, Named, Overview, Quoted

TITLE, SUMMARY, ITEM, QUOTE = 200, 2000, 300, 500  # the most characters
TAGS, NAMES, ITEMS = 8, 50, 50  # the most of them
OPENING = 120  # characters of a title that nobody had to write

Found = TypeVar("Found", "Named", "Action")


def result(
    parts: Sequence[Insights], whole: Overview, transcript: TranscriptResult, *, model: str, usage: Usage
) -> AnalysisResult:
    """The findings of all parts under the title and the summary of the whole."""
    said = transcript.text or " ".join(segment.text for segment in transcript.segments)
    sieve = _Sieve(Guard(said, prompts.INSIGHTS, prompts.OVERVIEW))
    return AnalysisResult(
        title=sieve.text(whole.title, TITLE) or _opening(said, OPENING),
        summary=sieve.text(whole.summary, SUMMARY) or _opening(said, QUOTE),
        model=model,
        tags=sieve.names(_by_frequency([tag for part in parts for tag in part.tags]), TAGS),
        people=sieve.names([person for part in parts for person in part.people], NAMES),
        places=sieve.names([place for part in parts for place in part.places], NAMES),
        mood=_mood(parts, transcript),
        action_items=sieve.items([item for part in parts for item in part.action_items]),
        usage=usage,
        dropped=sieve.dropped,
    )


@dataclass
class _Sieve:
    """Lets through what is fit to be seen, and counts what is not."""

    guard: Guard
    dropped: int = field(default=0)

    def text(self, text: str, most: int) -> str:
        text = " ".join(text.split())
        if not self.guard.passes(text):
            self.dropped += 1
            return ""
        return _cut(text, most)

    def names(self, found: Iterable[Named], most: int) -> tuple[Finding, ...]:
        fit = self._fit([(one.name, one) for one in found], most)
        return tuple(Finding(" ".join(one.name.split()), _evidence(one)) for one in fit)

    def items(self, found: Iterable[Action]) -> tuple[ActionItem, ...]:
        fit = self._fit([(one.text, one) for one in found], ITEMS)
        return tuple(
            ActionItem(" ".join(one.text.split()), _evidence(one), due=_day(one.due), due_quote=one.due_quote or None)
            for one in fit
        )

    def _fit(self, found: Sequence[tuple[str, Found]], most: int) -> list[Found]:
        """What is found again in another part stays: the quote of one may be true, and that of the other not."""
        fit = [(fold(text), one) for text, one in found if len(text) <= ITEM and self.guard.passes(text)]
        first = list(dict.fromkeys(name for name, _ in fit))[:most]
        kept = [one for name, one in fit if name in first]
        self.dropped += len(found) - len(kept)
        return kept


def _by_frequency(tags: list[Named]) -> list[Named]:
    """What most parts are about comes first."""
    counts = Counter(fold(tag.name) for tag in tags)
    return sorted(tags, key=lambda tag: -counts[fold(tag.name)])


def _mood(parts: Sequence[Insights], transcript: TranscriptResult) -> Mood | None:
    """That of all parts: what colours one colours the whole, and two colours are mixed."""
    moods = [part.mood for part in parts if part.mood]
    moods = [mood for mood in moods if locate(mood.quote, transcript)] or moods  # one that is made up outdoes no other
    coloured = [mood for mood in moods if mood.label != "neutral"]
    labels = {mood.label for mood in coloured} or {"neutral"}
    first = next(iter(coloured or moods), None)
    return Mood("mixed" if len(labels) > 1 else labels.pop(), _evidence(first)) if first else None


def _evidence(found: Quoted) -> Evidence:
    return Evidence(tuple(found.segment_ids), _cut(found.quote, QUOTE, ending=""))


def _day(due: str | None) -> date | None:
    try:
        return date.fromisoformat(due) if due else None
    except ValueError:
        return None


def _opening(said: str, most: int) -> str:
    """The first words that were said: the first sentence if it fits."""
    sentence = re.match(r"\s*(.+?[.!?\u2026\u3002\uff01\uff1f])(?=\s|$)", said, re.DOTALL)
    return _cut(" ".join((sentence[1] if sentence else said).split()), most)


def _cut(text: str, most: int, ending: str = "\u2026") -> str:
    """At most so many characters, cut between words where there are such."""
    if len(text) <= most:
        return text
    start = text[: most - len(ending)]
    return (start.rpartition(" ")[0] or start).rstrip() + ending
