from __future__ import annotations

from datetime import date

import pytest

from memories.evidence import locate, verified
from memories.types import ActionItem, AnalysisResult, Evidence, Finding, Mood, Segment, TranscriptResult

TEXTS = (
    "Today I met Sarah at the café",
    "to plan the garden.  We need",
    "tomatoes before April. Sarah agreed.",
    "",
    "I feel hopeful about the \ufb01rst harvest in Málaga.",  # a ligature
)


def transcript(*texts: str) -> TranscriptResult:
    """Segments with ids 10, 11, 12…: an id is not a position."""
    segments = tuple(Segment(id=10 + number, text=text) for number, text in enumerate(texts))
    return TranscriptResult(text=" ".join(texts), language="en", segments=segments, model="fake")


def evidence(quote: str, *ids: int) -> Evidence:
    return Evidence(segment_ids=ids, quote=quote)


def tagged(*findings: Finding) -> AnalysisResult:
    return AnalysisResult(title="t", summary="s", model="m", tags=findings)


def check_tag(quote: str, *ids: int, texts: tuple[str, ...] = TEXTS) -> tuple[int, ...] | None:
    """The segment ids of a tag with this evidence after it was verified; None if it was dropped."""
    result = verified(tagged(Finding("tag", evidence(quote, *ids))), transcript(*texts))
    assert len(result.tags) + result.dropped == 1
    return result.tags[0].evidence.segment_ids if result.tags else None


def test_a_true_quote_with_true_ids_is_kept_as_it_is() -> None:
    before = tagged(Finding("café", evidence("met Sarah at the café", 10)))
    assert verified(before, transcript(*TEXTS)) == before


@pytest.mark.parametrize(
    "quote",
    [
        "we bought a yacht",
        "Today I met Sarah at a café",  # one word changed
        "I met Sarah Today",  # order changed
        "Today I met Sarah at the cafe",  # an accent is not white space or case
        "Today … café",
        "Today I met, Sarah",
        "oday I met Sara",  # cut in the middle of words
        "Today I met Sarah at the café " * 1000,
        "x" * 1_000_000,
    ],
)
def test_a_quote_that_was_never_said_is_dropped_and_counted(quote: str) -> None:
    assert check_tag(quote, 10) is None


@pytest.mark.parametrize("quote", ["", " ", "\n\t", ".", "…", "—", "\u200b", "😀"])
def test_a_quote_without_a_word_is_no_evidence(quote: str) -> None:
    assert check_tag(quote, 10, texts=("I am here . … — \u200b 😀",)) is None


@pytest.mark.parametrize(
    ("quote", "ids"),
    [
        ("TODAY i met sarah", (10,)),
        ("plan \n the garden. We\u00a0need", (11,)),
        ("at the cafe\u0301", (10,)),  # decomposed
        ("the first harvest", (14,)),  # the transcript has a ligature
        ("\uff33arah agreed", (12,)),  # full width
    ],
)
def test_white_space_case_and_unicode_forms_do_not_matter(quote: str, ids: tuple[int, ...]) -> None:
    assert check_tag(quote, *ids) == ids


def test_the_quote_itself_stays_as_the_analyzer_gave_it() -> None:
    result = verified(tagged(Finding("x", evidence("TODAY  i met", 10))), transcript(*TEXTS))
    assert result.tags[0].evidence.quote == "TODAY  i met"


@pytest.mark.parametrize("ids", [(), (13,), (11,), (99,), (-1,), (10, 99)])
def test_wrong_ids_of_a_true_quote_are_repaired(ids: tuple[int, ...]) -> None:
    assert check_tag("met Sarah at the café", *ids) == (10,)


def test_ids_that_the_quote_does_not_touch_are_left_out() -> None:
    assert check_tag("to plan the garden", 10, 11, 12) == (11,)


def test_a_quote_that_spans_segments_gets_all_of_them() -> None:
    assert check_tag("at the café to plan", 11) == (10, 11)


def test_an_empty_segment_between_does_not_break_a_quote() -> None:
    assert check_tag("Sarah agreed. I feel hopeful", 12) == (12, 14)


def test_segments_that_are_not_neighbours_do_not_make_a_quote() -> None:
    assert check_tag("at the café tomatoes before", 10, 12) is None


def test_of_two_occurrences_the_one_in_the_named_segment_wins() -> None:
    assert check_tag("Sarah", 12) == (12,)
    assert check_tag("Sarah", 11) == (10,)


def test_a_person_or_place_whose_name_is_not_in_the_quote_is_dropped() -> None:
    true, false = evidence("met Sarah at the café", 10), evidence("to plan the garden", 11)
    result = AnalysisResult(
        title="t",
        summary="s",
        model="m",
        people=(Finding("sarah", true), Finding("Peter", true), Finding("Sara", true), Finding("Sarah", false)),
        places=(Finding("the Café", true), Finding("Paris", true), Finding("", true)),
    )
    after = verified(result, transcript(*TEXTS))
    assert [person.name for person in after.people] == ["sarah"]
    assert [place.name for place in after.places] == ["the Café"]
    assert after.dropped == 5


@pytest.mark.parametrize(("name", "kept"), [("x" * 100, 1), ("x" * 101, 0), ("", 0), (" ", 0)])
def test_a_name_is_neither_empty_nor_a_whole_page(name: str, kept: int) -> None:
    after = verified(tagged(Finding(name, evidence("garden", 11))), transcript(*TEXTS))
    assert (len(after.tags), after.dropped) == (kept, 1 - kept)


def test_a_name_inside_another_word_is_not_that_name() -> None:
    result = AnalysisResult(
        title="t", summary="s", model="m", people=(Finding("Ann", evidence("we are planning ahead", 10)),)
    )
    assert verified(result, transcript("we are planning ahead")).people == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [("東京", "私は東京に行く。"), ("أحمد", "التقيت وأحمد اليوم"), ("서울", "서울에 갔다"), ("Sarah", "Sarah's idea")],
)
def test_a_name_in_a_script_that_attaches_or_does_not_space_words_is_found(name: str, text: str) -> None:
    result = AnalysisResult(title="t", summary="s", model="m", people=(Finding(name, evidence(text, 10)),))
    assert verified(result, transcript(text)).dropped == 0


def test_findings_of_the_same_name_become_one_and_are_not_counted_as_dropped() -> None:
    one, two = evidence("met Sarah", 10), evidence("Sarah agreed", 12)
    result = AnalysisResult(
        title="t", summary="s", model="m", people=(Finding("Sarah", one), Finding(" SARAH ", two)), dropped=3
    )
    after = verified(result, transcript(*TEXTS))
    assert after.people == (Finding("Sarah", one),)
    assert after.dropped == 3


def test_a_false_finding_does_not_hide_a_true_one_of_the_same_name() -> None:
    after = verified(tagged(Finding("a", evidence("no", 10)), Finding("a", evidence("garden", 11))), transcript(*TEXTS))
    assert len(after.tags) == 1
    assert after.dropped == 1


@pytest.mark.parametrize(
    ("label", "quote", "kept"),
    [("positive", "I feel hopeful", True), ("positive", "I feel sad", False), ("euphoric", "I feel hopeful", False)],
)
def test_a_mood_needs_a_known_label_and_a_true_quote(label: str, quote: str, kept: bool) -> None:
    result = AnalysisResult(title="t", summary="s", model="m", mood=Mood(label, evidence(quote, 14)))
    after = verified(result, transcript(*TEXTS))
    assert (after.mood is not None) == kept
    assert after.dropped == (not kept)


def verified_item(item: ActionItem) -> tuple[ActionItem, ...]:
    return verified(
        AnalysisResult(title="t", summary="s", model="m", action_items=(item,)), transcript(*TEXTS)
    ).action_items


def test_a_due_date_with_its_words_in_the_quote_is_kept() -> None:
    item = ActionItem("Plant", evidence("tomatoes before April", 12), due=date(2026, 4, 1), due_quote="before april")
    assert verified_item(item) == (item,)


@pytest.mark.parametrize("due_quote", [None, "", "on Friday", "garden", "pril"])
def test_a_due_date_without_its_words_in_the_quote_is_taken_away_and_the_item_stays(due_quote: str | None) -> None:
    item = ActionItem("Plant", evidence("tomatoes before April", 12), due=date(2026, 4, 1), due_quote=due_quote)
    assert verified_item(item) == (ActionItem("Plant", evidence("tomatoes before April", 12)),)


def test_an_action_item_of_a_false_quote_or_without_text_is_dropped() -> None:
    assert verified_item(ActionItem("Sell the house", evidence("sell the house", 12))) == ()
    assert verified_item(ActionItem("  ", evidence("tomatoes before April", 12))) == ()


def test_nothing_survives_an_empty_transcript() -> None:
    result = verified(tagged(Finding("a", evidence("a", 10))), transcript())
    assert (result.tags, result.dropped) == ((), 1)


def test_everything_else_of_the_result_is_untouched() -> None:
    result = AnalysisResult(title="Title", summary="Summary", model="m")
    assert verified(result, transcript(*TEXTS)) == result


def test_a_quote_is_located() -> None:
    assert locate("CAFÉ to plan", transcript(*TEXTS)) == (10, 11)
    assert locate("nowhere", transcript(*TEXTS)) is None
    assert locate("", transcript(*TEXTS)) is None
