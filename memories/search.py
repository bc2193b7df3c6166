"""Full-text search, alike on SQLite (FTS5) and PostgreSQL (tsvector).

Words are folded (case, accents) and stemmed here, in Python, so that both databases find the same. A memory's
SearchDocument holds each of its words once, plain and as the stem in its language; migration 0002 puts the index on it.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from memories.models import Memory, MemoryQuerySet, SearchDocument, Transcript
from memories.types import Segment

STEMMED = {"en": "english", "es": "spanish"}
MAX_WORD = 40  # letters; longer "words" are noise
MAX_QUERY_WORDS = 16
EXCERPT_RADIUS = 80  # characters on both sides of the first hit
_WORD = re.compile(r"[^\W_]+")
_stemmers = threading.local()  # snowballstemmer's objects keep their state: one set a thread


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Where a search hit was said. `highlights` are [start, end) offsets into `text`."""

    text: str
    highlights: tuple[tuple[int, int], ...]
    segment_id: int
    start: float | None  # seconds from the beginning of the recording


def fold(word: str) -> str:
    """Without case and accents, so that "Mañana" is found by "manana". Nothing is left of some lone marks (U+FF9E)."""
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))[:MAX_WORD].strip()


@lru_cache(maxsize=20_000)  # an excerpt stems every word of a transcript
def stem(folded: str, language: str) -> str:
    name = STEMMED.get(language)
    if name is None:
        return folded
    stemmer = getattr(_stemmers, name, None)
    if stemmer is None:
        import snowballstemmer

        stemmer = snowballstemmer.stemmer(name)
        setattr(_stemmers, name, stemmer)
    stemmed: str = stemmer.stemWord(folded)
    return stemmed


def index(memory: Memory) -> None:
    """Put what the memory says now into the index."""
    transcript = Transcript.objects.filter(memory=memory).first()
    language = (transcript.language if transcript else "") or memory.language
    names = memory.tags.values_list("name", flat=True)
    texts = [memory.title, memory.summary, transcript.text if transcript else "", *names]
    folded = {word for text in texts for word in _folded_words(text)}
    terms = folded | {stem(word, language) for word in folded}
    SearchDocument.objects.update_or_create(memory=memory, defaults={"terms": " ".join(sorted(terms))})


def matching(memories: MemoryQuerySet, query: str) -> MemoryQuerySet:
    """Those that hold every word of the query, in any inflection; the last word may be a beginning."""
    words = _query_words(query)
    if not words:
        return memories
    return memories.filter(search_document__terms__matches=words)


def excerpt(segments: list[dict[str, Any]], query: str) -> Excerpt | None:
    """The first segment in which a word of the query was said; None where the hit is elsewhere, in the title say."""
    words = _query_words(query)
    texts = [_composed(data["text"]) for data in segments]
    spoken = {word for text in texts for word in _WORD.findall(text)}  # speech repeats its words: compare each once
    hits = {word for word in spoken if any(asked.hits(fold(word)) for asked in words)}
    for data, text in zip(segments, texts, strict=True):
        spans = [match.span() for match in _WORD.finditer(text) if match.group() in hits]
        if spans:
            return _around(Segment(**data | {"text": text}), spans)
    return None


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a query: any of its forms may match, or, with `prefix`, anything that begins like it."""

    folded: str
    forms: tuple[str, ...]
    prefix: bool

    def hits(self, folded: str) -> bool:
        if folded in self.forms or any(stem(folded, language) in self.forms for language in STEMMED):
            return True
        return self.prefix and folded.startswith(self.folded)


def _composed(text: str) -> str:
    """With accents inside their letters: apart from them they would cut a word in two."""
    return unicodedata.normalize("NFC", text)


def _folded_words(text: str) -> Iterator[str]:
    folded = (fold(match.group()) for match in _WORD.finditer(_composed(text)))
    return (word for word in folded if word)


def _query_words(query: str) -> list[Word]:
    found = list(islice(_folded_words(query), MAX_QUERY_WORDS))
    open_ended = bool(query) and not query[-1].isspace()
    return [Word(word, _forms(word), prefix=open_ended and n == len(found)) for n, word in enumerate(found, 1)]


def _forms(folded: str) -> tuple[str, ...]:
    return tuple(sorted({folded, *(stem(folded, language) for language in STEMMED)}))


def _around(segment: Segment, hits: list[tuple[int, int]]) -> Excerpt:
    begin = max(0, hits[0][0] - EXCERPT_RADIUS)
    end = min(len(segment.text), hits[0][1] + EXCERPT_RADIUS)
    inside = tuple((start - begin, stop - begin) for start, stop in hits if begin <= start and stop <= end)
    return Excerpt(segment.text[begin:end], inside, segment.id, segment.start)


@models.TextField.register_lookup
class Matches(models.Lookup):
    """`terms__matches=[Word, …]`: the index of whichever database is there. Words hold letters and digits only."""

    lookup_name = "matches"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        column, params = self.process_lhs(compiler, connection)
        query = " & ".join(
            "(" + " | ".join([f"'{form}'" for form in word.forms] + [f"'{word.folded}':*"] * word.prefix) + ")"
            for word in self.rhs
        )
        return f"to_tsvector('simple', {column}) @@ to_tsquery('simple', %s)", [*params, query]

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        index = f"{SearchDocument._meta.db_table}_fts"
        row, params = compiler.compile(SearchDocument._meta.pk.get_col(self.lhs.alias))
        query = " AND ".join(
            "(" + " OR ".join([f'"{form}"' for form in word.forms] + [f'"{word.folded}"*'] * word.prefix) + ")"
            for word in self.rhs
        )
        return f"{row} IN (SELECT rowid FROM {index} WHERE {index} MATCH %s)", [*params, query]  # noqa: S608
