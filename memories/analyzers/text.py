"""A transcript as sentences and words that know which segments they come from. Any language, no model."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from memories.types import Evidence, Segment

WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
LONGEST = 300  # characters: speech without punctuation is cut, so that a quote stays one that people can read
FUNCTION_WORDS = 0.15  # the least share of them in real speech
CLAUSE_END = re.compile(r"[,;:\u2014]\s+|\s+[\u2013\u2014-]\s+")

STEMMERS = {  # for snowballstemmer
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
}
UNSPACED = frozenset({"ja", "km", "lo", "my", "th", "yue", "zh"})  # a run of letters there is no word


@dataclass(frozen=True, slots=True)
class Word:
    text: str
    start: int  # offset in the document
    end: int
    stem: str


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    start: int  # offset in the document
    words: tuple[Word, ...]

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Document:
    """The segments joined by a space, in one language. Offsets count from its beginning."""

    def __init__(self, segments: Iterable[Segment], language: str) -> None:
        self.language = language
        parts = [(segment.id, " ".join(segment.text.split())) for segment in segments]
        parts = [(id_, part) for id_, part in parts if part]
        self.text = " ".join(part for _, part in parts)
        self._ids = [id_ for id_, _ in parts]
        self._starts: list[int] = []
        offset = 0
        for _, part in parts:
            self._starts.append(offset)
            offset += len(part) + 1

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        return tuple(
            Sentence(self.text[start:end], start, tuple(self._words(start, end))) for start, end in self._spans()
        )

    @cached_property
    def segment_starts(self) -> frozenset[int]:
        """Offsets where a segment begins: Whisper may write a capital there in the middle of a sentence."""
        return frozenset(self._starts)

    @cached_property
    def stopwords(self) -> frozenset[str]:
        import stopwordsiso

        known: set[str] = stopwordsiso.stopwords(self.language) if stopwordsiso.has_lang(self.language) else set()
        return frozenset(known)

    @cached_property
    def is_language(self) -> bool:
        """Whether enough function words of its language are in it; gibberish has none."""
        words = [word.text.casefold() for sentence in self.sentences for word in sentence.words]
        return sum(word in self.stopwords for word in words) >= FUNCTION_WORDS * len(words) > 0

    def evidence(self, start: int, end: int) -> Evidence:
        """The words between two offsets, and the segments that hold them."""
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        return Evidence(segment_ids=tuple(self._ids[first : last + 1]), quote=self.text[start:end])

    def _words(self, start: int, end: int) -> Iterator[Word]:
        for match in WORD.finditer(self.text, start, end):
            yield Word(match.group(), match.start(), match.end(), self._stem(match.group().casefold()))

    def _stem(self, word: str) -> str:
        return str(self._stemmer.stemWord(word)) if self._stemmer else word

    @cached_property
    def _stemmer(self) -> Any:
        import snowballstemmer

        name = STEMMERS.get(self.language)
        return snowballstemmer.stemmer(name) if name else None

    def _spans(self) -> Iterator[tuple[int, int]]:
        """Where sentences begin and end, without the white space around them; none is longer than LONGEST."""
        import sentencex

        offset = 0
        for sentence in sentencex.segment(self.language, self.text):
            start = self.text.index(sentence.strip(), offset)
            offset = start + len(sentence.strip())
            if offset > start:
                yield from self._pieces(start, offset)

    def _pieces(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        while end - start > LONGEST:
            cut = self._cut(start)
            yield start, cut
            start = cut + 1 if self.text[cut] == " " else cut
        yield start, end

    def _cut(self, start: int) -> int:
        """Where to cut a text that is too long: before a segment, else after a clause, else between words."""
        limit = start + LONGEST
        inside = [offset - 1 for offset in self._starts if start < offset <= limit]
        if inside:
            return inside[-1]
        clauses = [match.end() - 1 for match in CLAUSE_END.finditer(self.text, start + 1, limit)]
        if clauses:
            return clauses[-1]
        space = self.text.rfind(" ", start + 1, limit)
        return space if space > start else limit
