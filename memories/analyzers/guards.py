"""What may not come out of a model, whatever a recording told it to write: links, markup, and our own instructions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memories.evidence import fold

RUN = 7  # words in a row that are nobody's by chance
_FOREIGN = re.compile(
    r"\b(?:https?|ftp|file|data|javascript|mailto):\S+"
    r"|\bwww\.\S+"
    r"|(?<![\w-])(?:[\w-]{1,63}\.)+[^\W\d_]{2,63}(?:/\S*)?"  # evil.example/path; labels as long as DNS has them
    r"|<[a-z/!][^>]*>?",
    re.IGNORECASE,
)


class Guard:
    """Knows what was said, and what the model was told."""

    def __init__(self, said: str, *instructions: str) -> None:
        self._said = fold(said)
        self._ours = {run for text in instructions for run in _runs(text)} - set(_runs(said))

    def passes(self, text: str) -> bool:
        """Whether each link and tag in it was said, and nothing of the instructions is repeated."""
        foreign = (match.group() for match in _FOREIGN.finditer(text))
        return all(fold(part) in self._said for part in foreign) and self._ours.isdisjoint(_runs(text))


def _runs(text: str) -> Iterator[tuple[str, ...]]:
    words = re.findall(r"\w+", fold(text))
    return zip(*(words[i:] for i in range(RUN)), strict=False)
