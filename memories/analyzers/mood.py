"""The mood of a document from the words of its sentences: VADER for English, a small lexicon of our own for Spanish."""

from __future__ import annotations

from functools import cache
from typing import Any

from memories.analyzers.text import Document, Sentence
from memories.analyzers.words import FILLERS, MOOD_ES, NEGATIONS_ES, STRONG_ES
from memories.types import Mood

CLEAR = 0.4  # a sentence's score, -1 to 1, from which it has a mood
FEWEST_WORDS = 4  # below that a sentence is not neutral, it only says too little
NEGATION_REACH = 3  # words before the one that is negated


def find_mood(document: Document, ranked: list[Sentence]) -> Mood | None:
    """The mood and its clearest sentence. Neutral rests on the most central one; None: it cannot be told."""
    if document.language not in ("en", "es"):
        return None
    scores = [(_score(document.language, sentence), sentence) for sentence in document.sentences if sentence.words]
    positive = [scored for scored in scores if scored[0] >= CLEAR]
    negative = [scored for scored in scores if scored[0] <= -CLEAR]
    label = _label(sum(score for score, _ in positive), -sum(score for score, _ in negative))
    if label == "neutral":
        return (
            _mood(document, label, ranked[0]) if document.is_language and len(ranked[0].words) >= FEWEST_WORDS else None
        )
    clear = negative if label == "negative" else positive + negative if label == "mixed" else positive
    _, sentence = max(clear, key=lambda scored: abs(scored[0]))
    return _mood(document, label, sentence)


def _label(positive: float, negative: float) -> str:
    if not positive and not negative:
        return "neutral"
    if positive >= 2 * negative:
        return "positive"
    return "negative" if negative >= 2 * positive else "mixed"


def _mood(document: Document, label: str, sentence: Sentence) -> Mood:
    return Mood(label, document.evidence(sentence.start, sentence.end))


def _score(language: str, sentence: Sentence) -> float:
    if language == "en":
        return float(_vader().polarity_scores(sentence.text)["compound"])
    return _spanish_score(sentence)


@cache
def _vader() -> Any:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def _spanish_score(sentence: Sentence) -> float:
    words = [word.text.casefold() for word in sentence.words]
    total = 0.0
    for position, word in enumerate(sentence.words):
        if position == 0 and words[0] in FILLERS:
            continue  # "Bueno, …" says nothing of the mood
        before = words[max(position - NEGATION_REACH, 0) : position]
        strength = 1.5 if STRONG_ES.intersection(before[-1:]) else 1.0
        sign = -0.8 if NEGATIONS_ES.intersection(before) else 1.0
        total += _spanish_lexicon().get(word.stem, 0.0) * strength * sign
    return total / (abs(total) + 1.5)  # two clear words are near certain; more add little


@cache
def _spanish_lexicon() -> dict[str, float]:
    import snowballstemmer

    stem = snowballstemmer.stemmer("spanish").stemWord
    return {str(stem(word)): value for value, words in MOOD_ES.items() for word in words}
