"""What the speaker means to do, in English and Spanish, with the day by which it is due."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from memories.analyzers.dates import DateMention, find_dates
from memories.analyzers.text import Document, Sentence
from memories.types import ActionItem


@dataclass(frozen=True, slots=True)
class Cues:
    """Patterns of one language. What follows a cue is the thing to do."""

    anywhere: str  # "I need to"
    opening: str  # only at the beginning of a sentence: "Remember to"
    imperative: str  # at the beginning of a sentence, and part of the thing to do: "Call"
    never: str  # just before a cue: it is no resolution ("if I have to")
    idle: str  # just after a cue: nothing to be done ("I have to say")
    split: str  # between two things to do under one cue


ENGLISH = Cues(
    anywhere=(
        r"(?:I|we)(?:['\u2019]ve|\s+have)?\s+(?:(?:still|also|really|just|definitely)\s+)?"
        r"(?:need\s+to|have\s+to|got\s+to|gotta|must|ought\s+to|should)(?!\s+(?:not|have|be|never)\b)"
        r"|(?:don['\u2019]t|do\s+not|mustn['\u2019]t|can['\u2019]t)\s+forget\s+to|remember\s+to|make\s+sure\s+to|remind\s+me\s+to"
        r"|let['\u2019]s|to-?do:?(?=\s)"
    ),
    opening=r"remember\s+to|to\s+do:|todo[:,]?|action\s+items?[:,]",
    imperative=(
        r"(?:please\s+)?(?:call|phone|email|text|message|buy|send|book|pay|order|ask|pick\s+up|write\s+to|cancel|renew)"
        r"\s+(?!(?:it|me|us)\b)\w"
    ),
    never=r"(?:if|when|whenever|unless|whether|what|which|things?|did|do|does|that|what['\u2019]s|used)\s+$",
    idle=r"(?:say|admit|confess|laugh|see|face|hope|not|think\s+so|pretend|imagine|just\s+say|go\s+(?:now|home)|agree)\b",
    split=r",?\s+and\s+(?:also\s+)?(?:I\s+(?:need|have)\s+)?to\s+",
)

INFINITIVE = r"\w*(?:ar|er|ir|ír)(?:me|te|se|nos|lo|la|le|los|las|les|melo|selo|sela)?\b"

SPANISH = Cues(
    anywhere=(
        rf"(?:tengo|tenemos|hay)\s+que(?=\s+{INFINITIVE})|(?:debo|debemos|necesito|necesitamos)(?=\s+{INFINITIVE})"
        r"|no\s+(?:te\s+|me\s+|nos\s+)?olvid(?:ar|es|emos|arme|arnos)(?:\s+de)?(?=\s)|acuérdate\s+de"
        rf"|(?:acordarme|acordarnos|acordarse)\s+de|recuérdame(?=\s)|hace\s+falta(?=\s+{INFINITIVE})"
    ),
    opening=rf"recordar(?=\s+{INFINITIVE})|recuerda(?=\s+{INFINITIVE})|pendiente:|tareas?:",
    imperative=(
        r"(?:llamar|comprar|enviar|mandar|pagar|reservar|pedir|escribir|recoger|avisar|confirmar|renovar|cancelar)"
        r"(?:le|les|lo|la)?\s+(?!.*\b(?:es|fue|era|será|sería)\b)\w"
    ),
    never=r"(?:no|si|cuando|donde|lo|cosas|aunque|ya\s+no|nunca|las|los)\s+$",
    idle=r"(?:decir|reconocer|admitir|confesar|ver\b.*\bcon|ser|estar|haber)\b",
    split=rf",?\s+y\s+(?:también\s+)?(?=(?!mujer\b|lugar\b|ayer\b|mar\b|bar\b|taller\b|alquiler\b){INFINITIVE})",
)

LOOSE_END = re.compile(r"(?:[\s.,;:!\u2014-]|\s(?:and|but|so|y|pero)(?=\W*$))+$", re.IGNORECASE)
CUES = {"en": ENGLISH, "es": SPANISH}


def find_actions(document: Document, recorded_at: datetime) -> tuple[ActionItem, ...]:
    cues = CUES.get(document.language)
    if cues is None:
        return ()
    items: dict[str, ActionItem] = {}
    for sentence in document.sentences:
        for item in _in_sentence(document, sentence, cues, recorded_at):
            items.setdefault(item.text.casefold(), item)
    return tuple(items.values())


def _in_sentence(document: Document, sentence: Sentence, cues: Cues, recorded_at: datetime) -> Iterator[ActionItem]:
    things = list(_things(sentence.text, cues))
    dates = find_dates(sentence.text, document.language, recorded_at) if things else []
    evidence = document.evidence(sentence.start, sentence.end)
    for number, (start, end) in enumerate(things):
        text = LOOSE_END.sub("", sentence.text[start:end])
        if text:
            due = _due(dates, 0 if number == 0 else start, start, end)
            yield ActionItem(
                text[0].upper() + text[1:],
                evidence,
                due=due.day if due else None,
                due_quote=due.quote if due else None,
            )


def _due(dates: list[DateMention], earliest: int, start: int, end: int) -> DateMention | None:
    """The first day inside the thing to do; else, for the first thing, the last one named before it."""
    inside = [mention for mention in dates if start <= mention.start < end]
    before = [mention for mention in dates if earliest <= mention.start < start]
    return inside[0] if inside else before[-1] if before else None


def _things(sentence: str, cues: Cues) -> Iterator[tuple[int, int]]:
    """Where each thing to do begins and ends."""
    if sentence.endswith("?"):
        return
    starts = _starts(sentence, cues)
    for (_, start), (end, _) in pairwise([*starts, (len(sentence), 0)]):
        splits = list(re.finditer(cues.split, sentence[start:end], re.IGNORECASE))
        edges = [start, *(start + split.end() for split in splits)]
        ends = [*(start + split.start() for split in splits), end]
        yield from zip(edges, ends, strict=True)


def _starts(sentence: str, cues: Cues) -> list[tuple[int, int]]:
    """Where each cue begins, and where its thing to do begins. Cues in a row ("I need to remember to") are one."""
    imperative = re.match(rf"{cues.imperative}", sentence, re.IGNORECASE)
    starts: list[tuple[int, int]] = [(0, 0)] if imperative else []
    pattern = rf"(?:^(?:{cues.opening})|\b(?:{cues.anywhere}))\s*"
    chain = re.compile(rf"(?:{pattern})(?:(?:{cues.anywhere}|recordar|remember\s+to)\s+)*", re.IGNORECASE)
    for match in chain.finditer(sentence):
        refused = re.search(rf"\b{cues.never}", sentence[: match.start()], re.IGNORECASE)
        if not refused and not re.match(cues.idle, sentence[match.end() :], re.IGNORECASE):
            starts.append((match.start(), match.end()))
    return starts
