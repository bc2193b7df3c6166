"""Who may work on a memory, and what a worker that lost it can still do: nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from memories import leases
from memories.errors import LeaseLost, NotAudio, TranscriberUnavailable
from memories.leases import Answer, Run
from memories.models import (
    FINISHED,
    TRANSITIONS,
    UNFINISHED,
    Attempt,
    DeadLetter,
    Memory,
    Stage,
    Status,
    Transcript,
)
from memories.types import AnalysisResult, Evidence, Finding, Segment, TranscriptResult, Usage

WORDS = TranscriptResult("Call Maria.", "en", (Segment(0, "Call Maria.", 0.0, 1.0),), "fake", Usage(seconds=1.0))
NO_WORDS = TranscriptResult("", None, (), "fake")
FINDINGS = AnalysisResult("A call", "Call Maria.", "fake", people=(Finding("Maria", Evidence((0,), "Call Maria")),))

pytestmark = pytest.mark.django_db


@pytest.fixture
def memory(owner: User) -> Memory:
    return Memory.objects.create(owner=owner, audio="audio/x.wav")


def claimed(memory: Memory) -> Run:
    run = leases.claim(memory.pk, worker="test").run
    assert run is not None
    return run


def let_lease_run_out(memory: Memory) -> None:
    Memory.objects.filter(pk=memory.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_queued_memory_is_claimed_once(memory: Memory) -> None:
    assert leases.claim(memory.pk, worker="first").answer is Answer.CLAIMED
    second = leases.claim(memory.pk, worker="second")
    assert second.answer is Answer.BUSY
    assert 0 < second.wait <= 300
    memory.refresh_from_db()
    assert (memory.status, memory.attempts) == (Status.TRANSCRIBING, 1)


def test_an_erased_memory_is_gone(memory: Memory) -> None:
    pk = memory.pk
    memory.delete()
    assert leases.claim(pk, worker="w").answer is Answer.GONE


@pytest.mark.parametrize("status", sorted(FINISHED))
def test_a_finished_memory_is_done(memory: Memory, status: Status) -> None:
    Memory.objects.update(status=status)
    assert leases.claim(memory.pk, worker="w").answer is Answer.DONE


def test_a_memory_that_waits_for_its_next_attempt_is_not_claimed_before(memory: Memory) -> None:
    Memory.objects.update(next_attempt_at=timezone.now() + timedelta(seconds=40))
    assert leases.claim(memory.pk, worker="w").answer is Answer.WAITS


def test_a_lease_that_ran_out_is_taken_over_and_the_first_attempt_is_lost(memory: Memory) -> None:
    claimed(memory)
    let_lease_run_out(memory)
    run = claimed(memory)
    assert run.attempt.number == 2
    assert list(Attempt.objects.order_by("number").values_list("outcome", flat=True)) == ["lost", "running"]


def test_a_worker_that_lost_its_lease_changes_nothing(memory: Memory) -> None:
    stale = claimed(memory)
    let_lease_run_out(memory)
    fresh = claimed(memory)
    before = Memory.objects.values().get()
    writes: list[Callable[[], None]] = [
        lambda: stale.report(0.5),
        lambda: stale.describe_audio(seconds=9.0, damage=None),
        lambda: stale.keep_chunk(0.0, 1.0, WORDS),
        lambda: stale.finish_transcription(WORDS),
        lambda: stale.finish_analysis(FINDINGS),
        lambda: stale.retry(TranscriberUnavailable(), delay=1),
        lambda: stale.give_up(NotAudio()),
        lambda: stale.hand_back(),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert Memory.objects.values().get() == before
    assert not Transcript.objects.exists()
    assert not DeadLetter.objects.exists()
    fresh.keep_chunk(0.0, 1.0, WORDS)


def test_a_worker_whose_memory_was_erased_changes_nothing(memory: Memory) -> None:
    run = claimed(memory)
    memory.delete()
    with pytest.raises(LeaseLost):
        run.finish_transcription(WORDS)
    assert not Transcript.objects.exists()


def test_a_chunk_is_a_checkpoint_that_the_next_attempt_finds_with_its_cost_booked(memory: Memory) -> None:
    run = claimed(memory)
    run.keep_chunk(0.0, 60.0, WORDS)
    let_lease_run_out(memory)
    again = claimed(memory)
    assert again.chunks(model=WORDS.model)[0.0, 60.0].segments == WORDS.segments
    assert Attempt.objects.get(number=1).audio_seconds == 1.0
    assert Attempt.objects.get(number=2).audio_seconds is None


def test_the_saved_transcript_leads_to_the_analysis_and_starts_its_attempts_anew(memory: Memory) -> None:
    Memory.objects.update(attempts=2)
    run = claimed(memory)
    run.finish_transcription(WORDS)
    memory.refresh_from_db()
    assert (memory.status, memory.stage, memory.attempts) == (Status.ANALYZING, Stage.ANALYSIS, 1)
    assert run.stage is Stage.ANALYSIS
    assert memory.transcript.text == "Call Maria."
    assert not memory.chunks.exists()


def test_nobody_spoke_ends_without_an_analysis(memory: Memory) -> None:
    claimed(memory).finish_transcription(NO_WORDS)
    memory.refresh_from_db()
    assert (memory.status, memory.lease_token) == (Status.NO_SPEECH, None)


def test_a_retry_of_the_analysis_claims_the_analysis(memory: Memory) -> None:
    run = claimed(memory)
    run.finish_transcription(WORDS)
    run.retry(TranscriberUnavailable(), delay=0)
    again = claimed(memory)
    assert again.stage is Stage.ANALYSIS
    memory.refresh_from_db()
    assert memory.status == Status.ANALYZING


def test_spent_attempts_at_the_analysis_keep_the_transcript_and_leave_a_dead_letter(memory: Memory) -> None:
    run = claimed(memory)
    run.finish_transcription(WORDS)
    run.give_up(NotAudio())
    memory.refresh_from_db()
    assert memory.status == Status.TRANSCRIBED
    assert memory.transcript.text
    assert memory.dead_letters.get().stage == Stage.ANALYSIS


def test_a_worker_that_dies_at_every_attempt_fails_the_memory(memory: Memory) -> None:
    for _ in range(3):
        claimed(memory)
        let_lease_run_out(memory)
    assert leases.claim(memory.pk, worker="w").answer is Answer.DONE
    memory.refresh_from_db()
    assert (memory.status, memory.error_code) == (Status.FAILED, "worker_lost")
    assert memory.dead_letters.count() == 1


def test_a_memory_that_comes_back_while_a_claim_is_refused_is_not_given_up(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = claimed(memory)
    give_up = leases.give_up

    def hand_back_first(*args: Any, **kwargs: Any) -> int:
        run.hand_back()  # between the two statements of the other claim
        return give_up(*args, **kwargs)

    monkeypatch.setattr(leases, "give_up", hand_back_first)
    leases.claim(memory.pk, worker="other")
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED
    assert not memory.dead_letters.exists()


def test_handing_back_costs_no_attempt(memory: Memory) -> None:
    claimed(memory).hand_back()
    memory.refresh_from_db()
    assert (memory.status, memory.attempts, memory.lease_token) == (Status.QUEUED, 0, None)


def test_what_a_person_changed_is_not_overwritten(memory: Memory) -> None:
    Transcript.objects.create(memory=memory, text="Call Marta.", segments=[])
    Memory.objects.update(title="Mine", edited_fields=["title", "transcript", "tags"])
    run = claimed(memory)
    run.finish_transcription(WORDS)
    run.finish_analysis(FINDINGS)
    memory.refresh_from_db()
    assert (memory.title, memory.summary) == ("Mine", "Call Maria.")
    assert Transcript.objects.get().text == "Call Marta."


def test_findings_without_words_under_them_do_not_survive_the_save(memory: Memory) -> None:
    """The words were changed while the analyzer read the old ones."""
    run = claimed(memory)
    run.finish_transcription(WORDS)
    Transcript.objects.update(segments=[{"id": 0, "text": "Call Marta.", "start": 0.0, "end": 1.0}], text="Call Marta.")
    run.finish_analysis(FINDINGS)
    memory.refresh_from_db()
    assert not memory.taggings.exists()
    assert memory.findings_dropped == 1


def test_progress_is_written_keeps_the_lease_and_makes_a_new_version(memory: Memory) -> None:
    run = claimed(memory)
    let_lease_run_out(memory)
    version = Memory.objects.get().version
    run.report(0.42)
    memory.refresh_from_db()
    assert memory.progress == 42
    assert memory.version == version + 1
    assert memory.lease_expires_at is not None
    assert memory.lease_expires_at > timezone.now()


def test_progress_is_not_written_at_every_call(memory: Memory, django_assert_num_queries: Any) -> None:
    run = claimed(memory)
    run.report(0.1)
    with django_assert_num_queries(0):
        run.report(0.2)


def test_every_status_has_a_way_on_and_only_unfinished_ones_lead_to_an_end() -> None:
    assert set(TRANSITIONS) == set(Status)
    for status in FINISHED:
        assert TRANSITIONS[status] == {Status.QUEUED}
    for status in UNFINISHED:
        assert TRANSITIONS[status] & FINISHED


def test_a_move_that_does_not_exist_moves_nothing(memory: Memory) -> None:
    assert Memory.objects.filter(pk=memory.pk).move(Status.READY) == 0
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED
