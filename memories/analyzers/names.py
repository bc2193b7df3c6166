"""People and places, from capital letters and the words around them. Misses some rather than invents one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from memories.analyzers import lexicon
from memories.analyzers.text import Document, Sentence
from memories.types import Finding

MOST_WORDS = 6  # more in a row are a stutter or a list, no name
TOO_MANY_CAPITALS = 0.7  # a share of the words: such a text is in title case, and a capital says nothing
OPENERS = frozenset('"\u201c«\u2018(¿¡:')
ARTICLES = frozenset({"the", "el", "la", "los", "las"})


@dataclass(frozen=True, slots=True)
class Names:
    people: tuple[Finding, ...]
    places: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """Words in capitals that stand together: "Sarah", "Dr. Smith", "Santiago de Compostela", "calle Mayor"."""

    text: str
    words: tuple[str, ...]  # folded
    before: tuple[str, str]  # the two words before it in its sentence, folded; "" where there is none
    after: str
    opens: bool  # it begins a sentence, where any word has a capital


def find_names(document: Document) -> Names:
    people: dict[str, Finding] = {}
    places: dict[str, Finding] = {}
    for sentence in document.sentences:
        evidence = document.evidence(sentence.start, sentence.end)
        for relative in _relatives(sentence):
            people.setdefault(relative.casefold(), Finding(relative, evidence))
        for run in _runs(document, sentence):
            if _is_place(run):
                places.setdefault(run.text.casefold(), Finding(run.text, evidence))
            elif _is_person(run):
                people.setdefault(run.text.casefold(), Finding(run.text, evidence))
    return Names(people=_without_short_forms(people), places=tuple(places.values()))


def _relatives(sentence: Sentence) -> Iterator[str]:
    """ "My brother", where neither a name ("my brother Tom") nor a thing of his ("my brother's car") follows."""
    for match in _relative_pattern().finditer(sentence.text):
        yield match.group().lower()


@cache
def _relative_pattern() -> re.Pattern[str]:
    possessives, kin = "|".join(sorted(lexicon.POSSESSIVES)), "|".join(sorted(lexicon.KIN))
    return re.compile(rf"\b(?i:(?:{possessives}) (?:{kin}))\b(?!['\u2019]| (?!I\b)[A-ZÀ-ÖØ-Þ])")


# --- runs of capitalized words -------------------------------------------------------------------------------------


@cache
def _run_pattern() -> re.Pattern[str]:
    excluded = "|".join(re.escape(word) for word in sorted(lexicon.NOT_NAMES, key=len, reverse=True))
    kinds = "|".join(sorted(lexicon.PLACE_WORDS_BEFORE))
    word = rf"(?!(?i:{excluded})(?!\w))(?:O['\u2019])?[A-ZÀ-ÖØ-Þ][a-zß-ÿ]\w*(?:-[^\W\d_]\w+)*"
    title = rf"(?:(?:(?:Mr|Mrs|Ms|Dr|Dra|Sr|Sra|Prof)\.?|{'|'.join(sorted(lexicon.TITLES, key=len, reverse=True))}) )"
    link = rf"(?: (?:de|del|de la|de los|of|of the) | ){title}?"
    return re.compile(rf"(?<![\w'\u2019])(?:(?:{kinds}) (?:de |del |de la )?)?{title}?{word}(?:{link}{word})*")


def _runs(document: Document, sentence: Sentence) -> Iterator[_Run]:
    words = [word.text for word in sentence.words]
    capitals = sum(word[0].isupper() for word in words)
    if len(words) > 5 and capitals > len(words) * TOO_MANY_CAPITALS:
        return
    for match in _run_pattern().finditer(sentence.text):
        start = match.start()
        opens = _opens(document, sentence, start)
        if opens and (skipped := _ordinary_opening(match.group())):
            start, opens = start + skipped, False
        if start < match.end() and match.group().count(" ") < MOST_WORDS:
            yield _run(sentence.text, start, match.end(), opens)


def _run(text: str, start: int, end: int, opens: bool) -> _Run:
    before = ["", "", *text[:start].casefold().split()][-2:]
    before = [word.strip(".,;:!?¿¡\"'()") if word[-1:] not in ".,;:!?" else "" for word in before]
    after = re.match(r" (\w+)", text[end:])
    name = text[start:end]
    folded = tuple(word.rstrip(".") for word in name.casefold().split())
    return _Run(name, folded, (before[0], before[1]), after[1].casefold() if after else "", opens)


def _opens(document: Document, sentence: Sentence, start: int) -> bool:
    preceding = sentence.text[:start].rstrip()[-1:]
    return start == 0 or preceding in OPENERS or sentence.start + start in document.segment_starts


def _ordinary_opening(run: str) -> int:
    """How many characters at the beginning of a sentence are no name: "Yesterday Sarah", "Will Sarah come"."""
    first, _, rest = run.partition(" ")
    word, following = first.casefold().rstrip("."), rest.partition(" ")[0].casefold()
    known = lexicon.FIRST_NAMES | lexicon.PLACES | lexicon.TITLES | lexicon.KIN | lexicon.PLACE_WORDS_BEFORE
    if run.casefold() in lexicon.PLACES or run.casefold().startswith(tuple(f"{place} " for place in lexicon.PLACES)):
        return 0
    if word in lexicon.ALSO_WORDS and (not rest or following in known):
        return len(first) + 1
    return 0 if word in known else len(first) + 1


# --- which is what -------------------------------------------------------------------------------------------------


def _is_place(run: _Run) -> bool:
    first, last, name = run.words[0], run.words[-1], " ".join(run.words)
    if len(run.words) > 1 and (last in lexicon.PLACE_WORDS_AFTER or first in lexicon.PLACE_WORDS_BEFORE):
        return True
    if first in lexicon.TITLES:
        return False
    previous, preposition = run.before
    is_there = preposition in lexicon.PLACE_BEFORE
    goes_there = preposition in lexicon.PLACE_BEFORE_IF_KNOWN and previous in lexicon.MOTION
    if first in lexicon.FIRST_NAMES:
        return name in lexicon.PLACES and (is_there or goes_there)
    return name in lexicon.PLACES or ((is_there or goes_there) and not run.opens)


def _is_person(run: _Run) -> bool:
    first = run.words[0]
    previous, cue = run.before
    if first in lexicon.TITLES:
        return len(run.words) > 1
    if first in lexicon.KIN:
        return len(run.words) > 1 or not run.opens  # "Aunt Mary", "I asked Mum"
    if first in lexicon.FIRST_NAMES:
        return cue not in ARTICLES
    if run.opens or cue in ARTICLES:
        return False
    return (
        cue in lexicon.PERSON_BEFORE
        or cue in lexicon.KIN
        or cue in lexicon.TITLES
        or (cue in ("a", "to", "con") and previous in lexicon.PERSON_BEFORE_TO)
        or run.after in lexicon.PERSON_AFTER
    )


def _without_short_forms(people: dict[str, Finding]) -> tuple[Finding, ...]:
    """ "Sarah" goes where exactly one "Sarah Jones" was named too."""
    return tuple(
        finding for name, finding in people.items() if sum(other.startswith(f"{name} ") for other in people) != 1
    )
