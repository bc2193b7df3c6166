"""Full-text search, alike on both databases."""

from __future__ import annotations

import re
import unicodedata

import pytest
from django.contrib.auth.models import User
from django.db import connection

from memories import recall, search
from memories.models import Memory, SearchDocument
from memories.recall import Filters
from memories.tests.factories import make_memory, make_segments

pytestmark = pytest.mark.django_db


def found(owner: User, q: str) -> list[Memory]:
    return list(recall.timeline(owner, Filters(q=q)))


@pytest.mark.parametrize(
    ("said", "language", "query"),
    [
        ("Nos vemos mañana.", "es", "manana"),
        ("Nos vemos manana.", "es", "mañana"),
        ("Nos vemos MAÑANA.", "es", "mañana"),
        ("We had café.", "en", "cafe"),
        ("She was running late.", "en", "run"),
        ("I run every day.", "en", "running"),
        ("Escuché dos canciones.", "es", "canción"),
        ("Una canción nueva.", "es", "canciones"),
        ("Strawberries and cream.", "en", "straw"),
        ("The straße is long.", "de", "strasse"),
        ("Call 555 1234.", "en", "1234"),
        ("Мы пошли домой.", "ru", "ДОМОЙ"),
        ("東京 に 行く", "ja", "東京"),
    ],
)
def test_a_word_is_found_in_other_accents_cases_and_inflections(
    owner: User, said: str, language: str, query: str
) -> None:
    memory = make_memory(owner, transcript=said, language=language)
    make_memory(owner, transcript="Something else altogether.")
    assert found(owner, query) == [memory]


def test_accents_may_be_apart_from_their_letters(owner: User) -> None:
    composed = make_memory(owner, transcript="Hasta mañana.", language="es")
    apart = make_memory(owner, transcript=unicodedata.normalize("NFD", "Hasta mañana."), language="es")
    for query in ("mañana", unicodedata.normalize("NFD", "mañana")):
        assert set(found(owner, query)) == {composed, apart}


def test_all_words_must_be_there_in_any_order_and_place(owner: User) -> None:
    memory = make_memory(owner, transcript=make_segments("We plant roses.", "Then we rest."), title="Garden")
    make_memory(owner, transcript="We plant tulips.")
    assert found(owner, "rest garden roses") == [memory]


def test_only_the_last_word_may_be_a_beginning_and_only_while_it_is_typed(owner: User) -> None:
    memory = make_memory(owner, transcript="Strawberries with cream.", language="")
    assert found(owner, "cream straw") == [memory]
    assert found(owner, "straw cream") == []
    assert found(owner, "straw ") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "The lighthouse"},
        {"summary": "About a lighthouse"},
        {"tags": ["lighthouse"]},
        {"places": ["Lighthouse"]},
    ],
)
def test_title_summary_and_names_are_searched_too(owner: User, fields: dict[str, str]) -> None:
    memory = make_memory(owner, transcript="Something said.", **fields)  # type: ignore[arg-type]
    assert found(owner, "lighthouse") == [memory]


@pytest.mark.parametrize(
    "query", ["", "   ", "!!!", '"', "()*:^-", "\N{PILE OF POO}", "\uff9e", "\uff9f ", "\u037a", "\ufe70 \uff9e"]
)
def test_a_query_without_a_word_filters_nothing(owner: User, query: str) -> None:
    memory = make_memory(owner, transcript="Something said.")
    assert found(owner, query) == [memory]


@pytest.mark.parametrize(
    "query",
    [
        '"garden"',
        "garden'",
        "garden OR 1=1",
        "garden NEAR(x)",
        "NOT garden",
        "terms:garden",
        "garden' & !x:*",
        "garden'); DROP TABLE memories_memory; --",
        "garden % _ \\",
        "½ ŉ ⑴",
        "x" * 10_000,
        "word " * 2_000,
    ],
)
def test_nothing_in_a_query_is_an_operator_or_an_error(owner: User, query: str) -> None:
    make_memory(owner, transcript="Only the roses.")
    assert found(owner, query) == []


def test_a_letter_of_which_folding_leaves_nothing_is_no_word(owner: User) -> None:
    memory = make_memory(owner, transcript="So \uff9e \ufe70 it was.")
    assert "" not in SearchDocument.objects.get(memory=memory).terms.split(" ")
    assert found(owner, "\uff9e it \u037a ") == [memory]
    assert found(owner, "\uff9e tulips") == []


def test_punctuation_around_words_is_ignored(owner: User) -> None:
    memory = make_memory(owner, transcript="The garden, at last!")
    assert found(owner, '("garden", last?)') == [memory]


@pytest.mark.parametrize("odd", ["½", "ŉ", "⑴", "ﷺ", "x" * 200, "a" + "\u0301" * 100, "'quoted'", "back\\slash"])
def test_odd_words_are_found_as_they_were_said(owner: User, odd: str) -> None:
    memory = make_memory(owner, transcript=f"So {odd} it is.", language="")
    assert found(owner, f"{odd} ") == [memory]


def test_an_erased_memory_is_not_in_the_index(owner: User) -> None:
    memory = make_memory(owner, transcript="Only roses.")
    memory.delete()
    assert found(owner, "roses") == []
    assert not SearchDocument.objects.filter(terms__matches=search._query_words("roses")).exists()


def test_what_changed_is_found_by_the_new_words_only(owner: User) -> None:
    memory = make_memory(owner, title="Tulips")
    memory.title = "Roses"
    memory.save(update_fields=["title"])
    search.index(memory)
    assert found(owner, "roses") == [memory]
    assert found(owner, "tulips") == []


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
def test_a_search_looks_into_the_index_once_and_at_nobody_elses_rows(owner: User) -> None:
    plan = recall.timeline(owner, Filters(q="roses"))[:21].explain()
    assert "CORRELATED" not in plan  # else the index is asked anew for each row
    assert re.findall(r"SCAN (\S+)", plan) == ["memories_searchdocument_fts"]
    assert re.search(r"SEARCH memories_memory USING INDEX \w+ \(owner_id=\?", plan)


def test_an_excerpt_says_where_and_when_it_was_said(owner: User) -> None:
    memory = make_memory(owner, transcript=make_segments("Hello there.", "We were running home.", "Run again."))
    excerpt = search.excerpt(memory.transcript.segments, "run")
    assert excerpt is not None
    assert (excerpt.segment_id, excerpt.start) == (1, 5.0)
    assert [excerpt.text[start:end] for start, end in excerpt.highlights] == ["running"]


def test_a_long_segment_is_cut_around_the_hit_and_highlights_still_fit(owner: User) -> None:
    segment = "word " * 200 + "lighthouse lighthouses " + "word " * 200
    memory = make_memory(owner, transcript=segment)
    excerpt = search.excerpt(memory.transcript.segments, "lighthouse")
    assert excerpt is not None
    assert len(excerpt.text) < 200
    assert [excerpt.text[start:end] for start, end in excerpt.highlights] == ["lighthouse", "lighthouses"]


def test_a_hit_outside_of_the_words_has_no_excerpt(owner: User) -> None:
    memory = make_memory(owner, transcript="Nothing of the kind.", title="Lighthouse")
    assert recall.excerpts([memory], "lighthouse") == {}
