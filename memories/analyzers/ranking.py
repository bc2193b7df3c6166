"""What a document is mostly about: its central sentences, a title, and key phrases."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from memories.analyzers.text import CLAUSE_END, UNSPACED, Document, Sentence, Word
from memories.analyzers.words import COMMON_VERBS, DETERMINERS, FILLERS, PRONOUNS, VAGUE
from memories.types import Finding

LONGEST_TITLE = 80
MOST_TAGS = 8
DAMPING = 0.85
ROUNDS = 30
OPENING_MARKS = "\"'\u2018\u201c«¿¡(-\u2013\u2014 "
CLOSING_MARKS = " .,;:!-\u2013\u2014\"'\u2019\u201d»)。"
LONGEST_WORD = 30  # letters; more are a stutter of the transcriber
ALIKE = 0.6  # the cosine above which a second sentence says nothing new

Vector = dict[str, float]


def central_sentences(document: Document) -> list[Sentence]:
    """All sentences, the most central first: LexRank on TF-IDF cosines, and what comes early weighs more.

    The similarity matrix is the product of the sentence vectors with themselves, so each round multiplies by the
    vectors twice and never builds it: linear in the number of words.
    """
    sentences = document.sentences
    vectors = _vectors(document)
    weights = _lexrank(vectors)
    scored = [
        (weight * (1 + 0.5 / (1 + position)) * _fitness(sentence), -position)
        for position, (sentence, weight) in enumerate(zip(sentences, weights, strict=True))
    ]
    return [sentences[-position] for _, position in sorted(scored, reverse=True)]


def summary(document: Document, ranked: list[Sentence]) -> str:
    """One to three sentences, verbatim, in the order in which they were said."""
    wanted = 1 if len(ranked) <= 3 else 2 if len(ranked) <= 8 else 3
    vectors = dict(zip((sentence.start for sentence in document.sentences), _vectors(document), strict=True))
    chosen: list[Sentence] = []
    for sentence in ranked:
        if all(_cosine(vectors[sentence.start], vectors[other.start]) < ALIKE for other in chosen):
            chosen.append(sentence)
        if len(chosen) == wanted:
            break
    return " ".join(sentence.text for sentence in sorted(chosen, key=lambda sentence: sentence.start))


def title(document: Document, ranked: list[Sentence]) -> str:
    """What the speaker calls the note, else the first clause of the most central sentence; at most 80 characters."""
    for sentence in document.sentences[:3]:
        named = _NAMED.match(_without_fillers(sentence.text))
        if named:
            return _as_title(named["title"])
    return _as_title(_without_fillers(ranked[0].text)) or document.text[:LONGEST_TITLE]


def tags(document: Document, names: Iterable[str] = ()) -> tuple[Finding, ...]:
    """Key phrases, the best first, in lower case; what is a name already is not repeated."""
    if document.language in UNSPACED or not document.stopwords:
        return ()
    known = {word for name in names for word in name.casefold().split()}
    phrases = [phrase for sentence in document.sentences for phrase in _phrases(document, sentence, known)]
    frequency = Counter(word.stem for phrase in phrases for word in phrase.words)
    best: dict[str, tuple[float, _Phrase]] = {}
    for phrase in phrases:
        score = phrase.weight * _mean(math.log1p(frequency[word.stem]) for word in phrase.words)
        if phrase.key not in best or score > best[phrase.key][0]:
            best[phrase.key] = (score, phrase)
    ranked = sorted(best.values(), key=lambda scored: (-scored[0], scored[1].words[0].start))
    wanted = min(MOST_TAGS, 2 + len(document.text.split()) // 12)
    return tuple(_finding(document, phrase) for phrase in _distinct(phrase for _, phrase in ranked)[:wanted])


# --- sentences -----------------------------------------------------------------------------------------------------


def _vectors(document: Document) -> list[Vector]:
    """One TF-IDF vector of length 1 a sentence (empty where it has only stop words)."""
    counts = [
        Counter(word.stem for word in sentence.words if word.text.casefold() not in document.stopwords)
        for sentence in document.sentences
    ]
    spread = Counter(stem for count in counts for stem in count)
    return [
        _normalized({stem: times * math.log(1 + len(counts) / spread[stem]) for stem, times in count.items()})
        for count in counts
    ]


def _normalized(vector: Vector) -> Vector:
    length = math.sqrt(sum(value * value for value in vector.values()))
    return {stem: value / length for stem, value in vector.items()} if length else {}


def _lexrank(vectors: list[Vector]) -> list[float]:
    count = len(vectors)
    degrees = _similarities(vectors, [1.0] * count)
    weights = [1 / count] * count
    for _ in range(ROUNDS):
        shares = [weight / degree if degree else 0.0 for weight, degree in zip(weights, degrees, strict=True)]
        weights = [(1 - DAMPING) / count + DAMPING * received for received in _similarities(vectors, shares)]
    return weights


def _similarities(vectors: list[Vector], weights: list[float]) -> list[float]:
    """For each sentence the weighted sum of its cosines with all sentences."""
    total: defaultdict[str, float] = defaultdict(float)
    for vector, weight in zip(vectors, weights, strict=True):
        for stem, value in vector.items():
            total[stem] += weight * value
    return [sum(value * total[stem] for stem, value in vector.items()) for vector in vectors]


def _fitness(sentence: Sentence) -> float:
    """Very short sentences and questions stand badly alone."""
    return (0.4 if len(sentence.words) < 5 else 1.0) * (0.6 if sentence.text.endswith("?") else 1.0)


def _cosine(one: Vector, other: Vector) -> float:
    return sum(value * other.get(stem, 0.0) for stem, value in one.items())


# --- title ---------------------------------------------------------------------------------------------------------

_NAMED = re.compile(
    r"(?:(?:this\s+is\s+)?(?:an?\s+|my\s+)?(?:quick\s+|short\s+)?(?:voice\s+)?(?:note|memo|reminder)(?:\s+to\s+self)?"
    r"\s+(?:about|on|for)|(?:this\s+is|esto\s+es)\s+(?:about|sobre)|(?:una?\s+|esto\s+es\s+una?\s+)?(?:nota|recordatorio)"
    r"(?:\s+de\s+voz)?(?:\s+rápida)?\s+(?:sobre|de|para|acerca\s+de)"
    r"|remember(?!\s+(?:to|that|when|how)\b)|recuerda(?!\s+que\b))[\s:,]+(?P<title>\w.*)",
    re.IGNORECASE | re.DOTALL,
)


def _without_fillers(text: str) -> str:
    opening = re.compile(rf"(?:{'|'.join(sorted(FILLERS, key=len, reverse=True))})\b[\s,.…]*", re.IGNORECASE)
    while match := opening.match(text):
        if match.end() == len(text):
            break
        text = text[match.end() :]
    return text


def _as_title(text: str) -> str:
    text = text.strip().lstrip(OPENING_MARKS)
    if len(text) > LONGEST_TITLE:
        clause = CLAUSE_END.split(text, maxsplit=1)[0]
        text = clause if 15 <= len(clause) <= LONGEST_TITLE else _shortened(text)
    text = text.rstrip(CLOSING_MARKS)
    return text[:1].upper() + text[1:]


def _shortened(text: str) -> str:
    cut = text[: LONGEST_TITLE - 1]
    at_word, _, _ = cut.rpartition(" ")
    return (at_word or cut).rstrip(" ,;:.") + "…"


# --- key phrases ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Phrase:
    words: tuple[Word, ...]
    weight: float
    sentence: Sentence

    @property
    def key(self) -> str:
        return " ".join(word.stem for word in self.words)


def _phrases(document: Document, sentence: Sentence, known: set[str]) -> list[_Phrase]:
    """Runs of content words, as in RAKE. Without a tagger, what stands before a run tells nouns from verbs."""
    runs: list[_Phrase] = []
    run: list[Word] = []
    before = ""
    for word in sentence.words:
        if run and document.text[run[-1].end : word.start].strip():
            runs += _phrase(run, before, sentence)
            run, before = [], ""
        if _is_content(word, document, known):
            run.append(word)
            continue
        runs += _phrase(run, before, sentence)
        run, before = [], word.text.casefold()
    return runs + _phrase(run, before, sentence)


def _is_content(word: Word, document: Document, known: set[str]) -> bool:
    folded = word.text.casefold()
    return (
        2 < len(folded) <= LONGEST_WORD
        and not any(character.isdigit() for character in folded)
        and "'" not in folded
        and "\u2019" not in folded
        and folded not in document.stopwords
        and folded not in VAGUE
        and folded not in known
    )


def _phrase(run: list[Word], before: str, sentence: Sentence) -> list[_Phrase]:
    words = run
    if words and (before in PRONOUNS or before == "to"):
        words = words[1:]  # "we agreed", "to plant tomatoes": the first word is a verb
    words = [word for word in words if word.text.casefold() not in COMMON_VERBS]
    if not words or len(words) < len(run) - 1:
        return [_Phrase((word,), 1.0, sentence) for word in words]
    words = words[-3:]  # the last words of a longer run hold its noun
    weight = (1.0 + 0.35 * (len(words) - 1)) * (1.5 if before in DETERMINERS else 1.0)
    return [_Phrase(tuple(words), weight, sentence)]


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def _distinct(phrases: Iterable[_Phrase]) -> list[_Phrase]:
    """Without those whose words all stand in a better one, or that add words to a better one."""
    kept: list[_Phrase] = []
    for phrase in phrases:
        stems = {word.stem for word in phrase.words}
        if not any(stems <= (other := {word.stem for word in better.words}) or other <= stems for better in kept):
            kept.append(phrase)
    return kept


def _finding(document: Document, phrase: _Phrase) -> Finding:
    name = " ".join(word.text for word in phrase.words).lower()
    return Finding(name, document.evidence(phrase.sentence.start, phrase.sentence.end))
