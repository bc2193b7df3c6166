"""Word error rate, with spelling that both sides may differ in made alike."""

from __future__ import annotations

import jiwer

SAME = {"mr": "mister", "dr": "doctor", "2": "dos"}
_NORMALIZE = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"-": " "}),
        jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
    ]
)


def word_error_rate(reference: str, hypothesis: str) -> float:
    return float(jiwer.wer(_normal(reference), _normal(hypothesis)))


def _normal(text: str) -> str:
    words: str = _NORMALIZE(text)
    return " ".join(SAME.get(word, word) for word in words.split())
