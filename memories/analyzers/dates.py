"""Days that a speaker names ahead ("next Tuesday", "dentro de dos semanas"), as due dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

from memories.analyzers.date_rules import ENGLISH, PLAIN, SPANISH, Rule


@dataclass(frozen=True, slots=True)
class DateMention:
    quote: str
    start: int  # offset in the text
    end: int
    day: date


def find_dates(text: str, language: str, recorded_at: datetime) -> list[DateMention]:
    """The days named in a text, in order, none before the day of recording in the time zone of `recorded_at`."""
    now = recorded_at.replace(tzinfo=None)
    candidates = [(match, rule) for pattern, rule in _compiled(language) for match in pattern.finditer(text)]
    candidates.sort(key=lambda found: (found[0].start(), -found[0].end()))
    mentions: list[DateMention] = []
    taken = 0
    for match, rule in candidates:
        if match.start() < taken:
            continue
        taken = match.end()
        day = rule.resolve(_in_english(match), now)
        if day is not None and day >= now.date():
            mentions.append(DateMention(match.group(), match.start(), match.end(), day))
    return mentions


@cache
def _compiled(language: str) -> list[tuple[re.Pattern[str], Rule]]:
    rules = {"en": ENGLISH, "es": SPANISH}.get(language, ())
    return [(re.compile(rf"(?<!\w)(?:{rule.pattern})(?!\w)", re.IGNORECASE), rule) for rule in rules]


def _in_english(match: re.Match[str]) -> dict[str, str]:
    groups = {name: " ".join(value.casefold().split()) for name, value in match.groupdict().items() if value}
    return {name: PLAIN.get(value, value) for name, value in groups.items()}
