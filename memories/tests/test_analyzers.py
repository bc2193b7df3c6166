"""One contract, every analyzer: to add one, add a line to ANALYZERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from memories.analyzers.base import Analyzer
from memories.analyzers.offline import OfflineAnalyzer
from memories.analyzers.openai import OpenAIAnalyzer
from memories.errors import Interrupted
from memories.evidence import verified
from memories.tests.fakes import FakeAnalyzer, PaidAnalyzer
from memories.tests.openai_stub import OpenAIStub
from memories.types import AnalysisResult, Segment, TranscriptResult

WEDNESDAY = datetime(2026, 3, 11, 15, 30, tzinfo=UTC)
TEXTS = (
    "Today I met Sarah in Lisbon to talk about the garden project.",
    "It was a wonderful morning and we laughed a lot.",
    "I have to call Tom on Friday about the budget of the garden project.",
)
# An id is not a position.
SAID = TranscriptResult(" ".join(TEXTS), "en", tuple(Segment(5 + 2 * i, text) for i, text in enumerate(TEXTS)), "fake")


@contextmanager
def openai(chat_only: bool = False, **options: Any) -> Iterator[Analyzer]:
    with OpenAIStub(chat_only=chat_only) as stub:
        yield OpenAIAnalyzer(base_url=stub.url, **options)


ANALYZERS: dict[str, Callable[[], AbstractContextManager[Analyzer]]] = {
    "fake": lambda: nullcontext(FakeAnalyzer()),
    "paid fake": lambda: nullcontext(PaidAnalyzer()),
    "offline": lambda: nullcontext(OfflineAnalyzer()),
    "openai, responses": lambda: openai(),
    "openai, chat completions": lambda: openai(chat_only=True),
    "openai, part by part": lambda: openai(part_tokens=1),
    "openai, a model without a price": lambda: openai(model="llama", chat_only=True),
}


@pytest.fixture(scope="module", params=sorted(ANALYZERS))
def analyzer(request: pytest.FixtureRequest) -> Iterator[Analyzer]:
    with ANALYZERS[request.param]() as implementation:
        yield implementation


@pytest.fixture
def result(analyzer: Analyzer) -> AnalysisResult:
    return analyzer.analyze(SAID, recorded_at=WEDNESDAY)


def test_there_is_a_title_and_a_summary_that_a_row_can_hold(result: AnalysisResult) -> None:
    assert 0 < len(result.title) <= 200
    assert result.summary
    assert result.model


def test_what_is_found_can_be_verified(result: AnalysisResult) -> None:
    real = verified(result, SAID)
    assert real.tags
    ids = {id_ for tag in real.tags for id_ in tag.evidence.segment_ids}
    assert ids <= {segment.id for segment in SAID.segments}


def test_evidence_names_segments_that_there_are(result: AnalysisResult) -> None:
    evidence = [one.evidence for one in (*result.people, *result.places)]
    evidence += [item.evidence for item in result.action_items]
    assert {id_ for one in evidence for id_ in one.segment_ids} <= {5, 7, 9}


def test_words_without_segments_have_a_title_and_a_summary_too(analyzer: Analyzer) -> None:
    said = TranscriptResult("We met Sarah in the garden.", "en", (), "fake")
    result = verified(analyzer.analyze(said, recorded_at=WEDNESDAY), said)
    assert result.title
    assert result.summary
    assert result.people == ()


def test_what_progress_raises_passes_through(analyzer: Analyzer) -> None:
    called: list[float] = []

    def stop(fraction: float) -> None:
        called.append(fraction)
        raise Interrupted

    try:
        analyzer.analyze(SAID, recorded_at=WEDNESDAY, on_progress=stop)
    except Interrupted:
        assert called == [0.0]
    else:
        assert not called
        assert not isinstance(analyzer, OpenAIAnalyzer)  # what is paid must be possible to interrupt


def test_cost_is_said_or_not_known(result: AnalysisResult) -> None:
    assert result.usage.cost_usd is None or result.usage.cost_usd >= 0


def test_an_estimate_is_for_paid_work_only(analyzer: Analyzer) -> None:
    estimate = analyzer.estimate(SAID)
    assert estimate >= 0
    assert analyzer.paid or estimate == Decimal(0)


def test_it_passes_its_own_check(analyzer: Analyzer) -> None:
    assert analyzer.check() == []
