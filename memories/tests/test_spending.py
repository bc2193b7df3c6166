"""Paid work: what it may cost on a day, and the breaker that stops it for everybody."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from memories import leases, ports, recovery, spending
from memories.errors import AccountSpent, BudgetSpent, KeyRefused, ModelGone, TranscriberUnavailable
from memories.models import Attempt, Breaker, DailySpending, Memory, Stage, Status
from memories.processing import Next
from memories.tests.factories import make_user
from memories.tests.fakes import PaidAnalyzer, PaidTranscriber
from memories.tests.jobs import Recorded, process, wait_over
from memories.types import Segment, TranscriptResult, Usage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def paid(settings: Any) -> PaidTranscriber:
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.PaidTranscriber", "OPTIONS": {"parallel": 1}}
    settings.MEMORIES_ANALYZER = {"BACKEND": "memories.tests.fakes.PaidAnalyzer"}
    transcriber = ports.transcriber()
    assert isinstance(transcriber, PaidTranscriber)
    return transcriber


@pytest.fixture
def analyzer() -> PaidAnalyzer:
    analyzer = ports.analyzer()
    assert isinstance(analyzer, PaidAnalyzer)
    return analyzer


def spent(owner: User | None = None) -> Decimal:
    return DailySpending.objects.get(day=timezone.now().date(), owner=owner).usd


# --- the budget ---


def test_what_a_memory_cost_is_on_the_books_of_its_owner_and_of_the_site(recorded: Recorded, owner: User) -> None:
    memory = recorded()
    process(memory)
    assert memory.status == Status.READY
    assert spent(owner) == spent() == Decimal("0.03")


def test_over_the_budget_a_memory_waits_visibly_until_tomorrow_at_the_cost_of_no_attempt(
    recorded: Recorded, settings: Any, paid: PaidTranscriber
) -> None:
    settings.MEMORIES_DAILY_BUDGET_USD = 0.03
    first, second = recorded(), recorded()
    assert process(first).next is Next.DONE
    disposition = process(second)
    assert disposition.next is Next.AGAIN
    assert (second.status, second.attempts, second.error_code) == (Status.QUEUED, 0, "budget_spent")
    assert "budget" in second.status_detail
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    assert second.next_attempt_at
    assert midnight <= second.next_attempt_at <= midnight + timedelta(minutes=6)
    assert len(paid.calls) == 1
    assert Attempt.objects.filter(memory=second).get().outcome == "postponed"


def test_the_next_day_it_goes_on(recorded: Recorded, settings: Any) -> None:
    settings.MEMORIES_DAILY_BUDGET_USD = 0.03
    process(recorded())
    memory = recorded()
    process(memory)
    DailySpending.objects.update(day=timezone.now().date() - timedelta(days=1))
    wait_over(memory)
    process(memory)
    assert memory.status == Status.READY


def test_one_person_over_the_budget_stops_nobody_else(recorded: Recorded, settings: Any) -> None:
    settings.MEMORIES_DAILY_BUDGET_USD_PER_USER = 0.03
    process(recorded())
    mine = recorded()
    theirs = recorded()
    Memory.objects.filter(pk=theirs.pk).update(owner=make_user())
    process(mine)
    process(theirs)
    assert (mine.status, theirs.status) == (Status.QUEUED, Status.READY)


def test_what_was_refused_for_one_budget_is_not_booked_on_the_other(settings: Any, owner: User) -> None:
    settings.MEMORIES_DAILY_BUDGET_USD_PER_USER = 1.0
    spending.reserve(Stage.TRANSCRIPTION, owner.pk, Decimal("0.9"))
    with pytest.raises(BudgetSpent):
        spending.reserve(Stage.TRANSCRIPTION, owner.pk, Decimal("0.2"))
    assert spent() == Decimal("0.9")


def test_a_call_that_costs_more_than_a_day_is_given_up_instead_of_waiting_for_ever(
    recorded: Recorded, settings: Any
) -> None:
    settings.MEMORIES_DAILY_BUDGET_USD = 0.01
    memory = recorded()
    process(memory)
    assert (memory.status, memory.error_code) == (Status.FAILED, "budget_too_small")
    assert memory.dead_letters.count() == 1


@pytest.mark.parametrize(
    ("error", "booked"),
    [
        (TranscriberUnavailable(billed=False), "0.00"),
        (TranscriberUnavailable(), "0.02"),  # it may have been paid
        (TranscriberUnavailable(usage=Usage(cost_usd=Decimal("0.005"))), "0.005"),
        (ConnectionError(), "0.02"),
    ],
)
def test_a_failed_call_stays_booked_unless_it_certainly_cost_nothing(
    recorded: Recorded, paid: PaidTranscriber, error: Exception, booked: str
) -> None:
    paid.raise_exc(error)
    process(recorded())
    assert spent() == Decimal(booked)


def test_what_a_failed_call_consumed_is_on_its_attempt(recorded: Recorded, paid: PaidTranscriber) -> None:
    paid.raise_exc(TranscriberUnavailable(usage=Usage(cost_usd=Decimal("0.005"))))
    process(recorded())
    assert Attempt.objects.get().cost_usd == Decimal("0.005")


# --- the breaker ---


@pytest.mark.parametrize("error", [KeyRefused, AccountSpent, ModelGone])
def test_a_key_that_is_refused_stops_paid_work_for_all_and_costs_nobody_an_attempt(
    recorded: Recorded, paid: PaidTranscriber, error: type[KeyRefused]
) -> None:
    first, second = recorded(), recorded()
    paid.raise_exc(error(billed=False))
    for memory in (first, second):
        assert process(memory).next is Next.AGAIN
        assert (memory.status, memory.attempts, memory.error_code) == (Status.QUEUED, 0, error.code)
        assert memory.next_step
    assert len(paid.calls) == 1
    assert Breaker.objects.get().code == error.code
    assert spent() == 0


def test_one_memory_probes_for_all_and_when_it_works_all_go_on(recorded: Recorded, paid: PaidTranscriber) -> None:
    memories = [recorded() for _ in range(3)]
    paid.raise_exc(KeyRefused(billed=False), KeyRefused(billed=False))
    for memory in memories:
        process(memory)
    Breaker.objects.update(probe_at=timezone.now())
    Memory.objects.update(next_attempt_at=timezone.now())
    for memory in memories:
        process(memory)  # the first probes in vain, so that the others do not even ask
    assert len(paid.calls) == 2
    Breaker.objects.update(probe_at=timezone.now())
    Memory.objects.update(next_attempt_at=timezone.now())
    process(memories[0])
    assert memories[0].status == Status.READY
    assert not Breaker.objects.exists()
    assert recovery.ring_again() == 2
    for memory in memories[1:]:
        process(memory)
        assert memory.status == Status.READY


def test_the_sweep_sends_the_one_who_waits_longest_to_probe(recorded: Recorded, paid: PaidTranscriber) -> None:
    first, second = recorded(), recorded()
    paid.raise_exc(KeyRefused(billed=False))
    for memory in (first, second):
        process(memory)
        assert memory.next_attempt_at
        assert memory.next_attempt_at - timezone.now() > timedelta(hours=1)  # it does not even ask so often
    recovery.sweep()
    assert Memory.objects.due(timezone.now()).count() == 0
    Breaker.objects.update(probe_at=timezone.now())
    recovery.sweep()
    assert Memory.objects.due(timezone.now()).get() == first


def test_what_is_paid_already_asks_no_breaker(recorded: Recorded, paid: PaidTranscriber, settings: Any) -> None:
    settings.MEMORIES_ANALYZER = {"BACKEND": "memories.tests.fakes.FakeAnalyzer"}
    memory = recorded()
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.keep_chunk(0.0, 2.0, TranscriptResult("Saved.", "en", (Segment(0, "Saved."),), paid.name))
    run.hand_back()
    spending.stop(Stage.TRANSCRIPTION, KeyRefused())
    process(memory)
    assert (memory.status, memory.transcript.text) == (Status.READY, "Saved.")


def test_an_analysis_that_has_begun_is_brought_to_its_end(recorded: Recorded, analyzer: PaidAnalyzer) -> None:
    memory = recorded()
    process(memory, should_stop=lambda: analyzer.calls > 0)
    assert memory.status == Status.READY


def test_transcription_goes_on_while_analysis_is_stopped(
    recorded: Recorded, paid: PaidTranscriber, analyzer: PaidAnalyzer
) -> None:
    analyzer.raise_exc(ModelGone(billed=False))
    first, second = recorded(), recorded()
    for memory in (first, second):
        process(memory)
        assert (memory.status, memory.stage, memory.attempts) == (Status.QUEUED, Stage.ANALYSIS, 0)
    assert (len(paid.calls), analyzer.calls) == (2, 1)


def test_offline_work_asks_no_breaker(recorded: Recorded, settings: Any) -> None:
    spending.stop(Stage.TRANSCRIPTION, KeyRefused())
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.FakeTranscriber"}
    memory = recorded()
    process(memory)
    assert memory.status == Status.READY
