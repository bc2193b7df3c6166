"""The promise under interleaving: workers, crashes, leases that run out, edits, erasures and sweeps, in any order.

Nothing is lost, stuck, transcribed twice or overwritten against a person's edit.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from memories import leases, privacy, recovery
from memories.editing import Changes, edit
from memories.errors import KeyRefused, LeaseLost, MemoriesError, NotAudio, TranscriberUnavailable
from memories.leases import Answer, Run
from memories.models import (
    FINISHED,
    RUNNING,
    Attempt,
    Chunk,
    DeadLetter,
    Memory,
    SearchDocument,
    Stage,
    Status,
    Transcript,
)
from memories.types import AnalysisResult, Evidence, Finding, Segment, TranscriptResult

CUTS = [(0.0, 60.0), (60.0, 90.0)]
TRANSCRIBED_PIECE = TranscriptResult("Call Maria.", "en", (Segment(0, "Call Maria.", 0.0, 1.0),), "fake")
NO_WORDS = TranscriptResult("", None, (), "fake")
FINDINGS = AnalysisResult("Machine", "Call Maria.", "fake", people=(Finding("Maria", Evidence((0,), "Maria")),))


class Memories(RuleBasedStateMachine):
    """Each rule is one thing that can happen between two statements of a real run."""

    ids = Bundle("ids")
    runs = Bundle("runs")

    @initialize()
    def begin(self) -> None:
        self.owner = get_user_model().objects.create_user(f"user{timezone.now().timestamp()}")
        self.alive: set[UUID] = set()
        self.titles: dict[UUID, str] = {}
        self.holder: dict[UUID, Run] = {}  # who the model says may write
        self.paid: Counter[tuple[UUID, tuple[float, float]]] = Counter()  # chunks transcribed and saved
        self.asked: Counter[UUID] = Counter()  # how often it was asked for from transcription

    @rule(target=ids)
    def accept(self) -> UUID:
        memory = Memory.objects.create(owner=self.owner, audio="audio/x.wav")
        self.alive.add(memory.pk)
        self.asked[memory.pk] = 1
        return memory.pk

    @rule(target=runs, pk=ids)
    def claim(self, pk: UUID) -> Any:
        claim = leases.claim(pk, worker="w")
        if claim.run is None:
            assert (claim.answer is Answer.GONE) == (pk not in self.alive)
            return multiple()
        self.holder[pk] = claim.run
        return claim.run

    @rule(run=runs)
    def transcribe_next_chunk(self, run: Run) -> None:
        pk = run.memory.pk
        if run.stage is not Stage.TRANSCRIPTION:
            return
        missing = [cut for cut in CUTS if cut not in run.chunks(model=TRANSCRIBED_PIECE.model)]
        if missing and self.write(run, lambda: run.keep_chunk(*missing[0], TRANSCRIBED_PIECE)):
            self.paid[pk, missing[0]] += 1

    @rule(run=runs, speech=st.booleans())
    def finish_transcription(self, run: Run, speech: bool) -> None:
        if run.stage is Stage.TRANSCRIPTION and len(run.chunks(model=TRANSCRIBED_PIECE.model)) == len(CUTS):
            wrote = self.write(run, lambda: run.finish_transcription(TRANSCRIBED_PIECE if speech else NO_WORDS))
            if wrote and not speech:
                self.holder.pop(run.memory.pk)

    @rule(run=runs)
    def finish_analysis(self, run: Run) -> None:
        if run.stage is Stage.ANALYSIS and self.write(run, lambda: run.finish_analysis(FINDINGS)):
            self.holder.pop(run.memory.pk)

    @rule(pk=ids)
    def a_worker_goes_all_the_way(self, pk: UUID) -> None:
        run = leases.claim(pk, worker="w").run
        if run is None:
            return
        self.holder.pop(pk, None)
        if run.stage is Stage.TRANSCRIPTION:
            run.finish_transcription(TRANSCRIBED_PIECE)
        run.finish_analysis(FINDINGS)

    @rule(pk=ids)
    def workers_die_on_it_until_its_attempts_are_spent(self, pk: UUID) -> None:
        for _ in range(4):
            claim = leases.claim(pk, worker="w")
            if claim.answer is Answer.CLAIMED:
                self.holder.pop(pk, None)
            self.lease_runs_out(pk)
        assert pk not in self.alive or Memory.objects.get(pk=pk).status != Status.TRANSCRIBING

    @rule(run=runs)
    def report(self, run: Run) -> None:
        self.write(run, lambda: run.describe_audio(seconds=90.0, damage=None))

    @rule(run=consumes(runs))
    def fail_for_now(self, run: Run) -> None:
        if run.memory.attempts < 3 and self.write(run, lambda: run.retry(TranscriberUnavailable(), delay=3600)):
            self.holder.pop(run.memory.pk)

    @rule(run=consumes(runs))
    def fail_for_good(self, run: Run) -> None:
        if self.write(run, lambda: run.give_up(NotAudio())):
            self.holder.pop(run.memory.pk)

    @rule(run=consumes(runs))
    def hand_back(self, run: Run) -> None:
        if self.write(run, run.hand_back):
            self.holder.pop(run.memory.pk)

    @rule(run=consumes(runs))
    def postpone(self, run: Run) -> None:
        if self.write(run, lambda: run.postpone(KeyRefused(), delay=60)):
            self.holder.pop(run.memory.pk)

    @rule(run=consumes(runs))
    def crash(self, run: Run) -> None:
        """The worker is gone; its row does not know."""

    @rule(pk=ids)
    def lease_runs_out(self, pk: UUID) -> None:
        Memory.objects.filter(pk=pk, status__in=RUNNING).update(lease_expires_at=timezone.now() - timedelta(seconds=1))

    @rule(pk=ids)
    def time_passes(self, pk: UUID) -> None:
        Memory.objects.filter(pk=pk, next_attempt_at__isnull=False).update(next_attempt_at=timezone.now())

    @rule()
    def sweep(self) -> None:
        lost = set(Memory.objects.lease_expired(timezone.now()).values_list("pk", flat=True))
        recovery.sweep()
        for pk in lost:
            self.holder.pop(pk, None)

    @rule(pk=ids, title=st.sampled_from(["Mine", "Still mine"]))
    def person_edits(self, pk: UUID, title: str) -> None:
        if pk in self.alive:
            edit(Memory.objects.get(pk=pk), Changes(title=title))
            self.titles[pk] = title

    @rule(pk=ids)
    def person_erases(self, pk: UUID) -> None:
        if pk in self.alive:
            privacy.erase(Memory.objects.get(pk=pk))
            self.alive.discard(pk)
            self.holder.pop(pk, None)

    @rule(pk=ids, stage=st.sampled_from(list(Stage)))
    def reprocess(self, pk: UUID, stage: Stage) -> None:
        if pk not in self.alive:
            return
        unfinished_chunks = Chunk.objects.filter(memory=pk).exists()
        try:
            recovery.reprocess(pk, stage=stage)
        except MemoriesError:
            return
        self.holder.pop(pk, None)
        if stage is Stage.TRANSCRIPTION and not unfinished_chunks:
            self.asked[pk] += 1

    def write(self, run: Run, action: Any) -> bool:
        """A holder's write goes through; anybody else's changes nothing."""
        pk = run.memory.pk
        if self.holder.get(pk) is run:
            action()
            return True
        before = Memory.objects.filter(pk=pk).values().first()
        with pytest.raises(LeaseLost):
            action()
        assert Memory.objects.filter(pk=pk).values().first() == before
        return False

    @invariant()
    def nothing_is_lost(self) -> None:
        if hasattr(self, "alive"):
            assert set(Memory.objects.values_list("pk", flat=True)) == self.alive

    @invariant()
    def nothing_is_left_of_the_erased(self) -> None:
        for model in (Transcript, Chunk, Attempt, DeadLetter, SearchDocument):
            known: Q = Q(memory__in=Memory.objects.all())
            assert not model._default_manager.exclude(known).exists()

    @invariant()
    def nothing_is_stuck(self) -> None:
        for memory in Memory.objects.all():
            if memory.status in RUNNING:
                assert memory.lease_token
                assert memory.lease_expires_at  # it will run out
                assert memory.attempts <= 3
            else:
                assert memory.lease_token is None
            if memory.status == Status.QUEUED:  # due, or due at a known time
                far = timezone.now() + timedelta(hours=2)
                assert Memory.objects.filter(pk=memory.pk).due(far).exists()

    @invariant()
    def nothing_fails_without_a_dead_letter(self) -> None:
        for memory in Memory.objects.filter(status__in=[Status.FAILED, Status.TRANSCRIBED]):
            assert memory.dead_letters.unresolved().exists()
            assert memory.error_code

    @invariant()
    def no_chunk_is_transcribed_twice(self) -> None:
        for (pk, _), times in getattr(self, "paid", {}).items():
            assert times <= self.asked[pk]

    @invariant()
    def edits_stand(self) -> None:
        for pk, title in getattr(self, "titles", {}).items():
            if pk in self.alive:
                assert Memory.objects.get(pk=pk).title == title

    @invariant()
    def one_worker_at_a_time(self) -> None:
        for memory in Memory.objects.filter(status__in=RUNNING):
            assert memory.attempt_log.filter(outcome="running").count() == 1
        assert not Attempt.objects.filter(outcome="running", memory__status__in=FINISHED).exists()

    def teardown(self) -> None:
        """Whatever happened: one healthy worker brings everything to an end."""
        Memory.objects.filter(status__in=RUNNING).update(lease_expires_at=timezone.now())
        Memory.objects.update(next_attempt_at=None)
        recovery.sweep()
        for pk in Memory.objects.filter(status=Status.QUEUED).values_list("pk", flat=True):
            run = leases.claim(pk, worker="healthy").run
            if run is None:
                continue
            if run.stage is Stage.TRANSCRIPTION:
                run.finish_transcription(TRANSCRIBED_PIECE)
            run.finish_analysis(FINDINGS)
        assert not Memory.objects.exclude(status__in=FINISHED).exists()
        get_user_model().objects.all().delete()


@pytest.mark.django_db
@pytest.mark.parametrize("examples", [20, pytest.param(80, marks=pytest.mark.slow)])
def test_nothing_is_lost_stuck_paid_twice_or_overwritten_in_any_order_of_events(examples: int) -> None:
    run_state_machine_as_test(
        Memories,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
