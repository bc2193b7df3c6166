"""Chunks in parallel lanes: each saved once, with its context, whatever happens to the others."""

from __future__ import annotations

import threading
import wave
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import InternalError, OperationalError, connection

from memories import leases, ports, processing, recovery, transcription
from memories.errors import TranscriberUnavailable, TranscriptionRefused
from memories.models import Attempt, Chunk, Memory, Stage, Status
from memories.processing import Next
from memories.tests.conftest import SAMPLES
from memories.tests.fakes import FakeTranscriber, PaidTranscriber
from memories.tests.jobs import Recorded, process, wait_over
from memories.tests.speech import wav

pytestmark = pytest.mark.django_db

BEEP = ((4.0, True), (1.0, False))  # a quiet place each five seconds
SIX_CHUNKS = wav(*BEEP * 6)


@pytest.fixture
def paid(settings: Any) -> PaidTranscriber:
    settings.MEMORIES_TRANSCRIBER = {
        "BACKEND": "memories.tests.fakes.PaidTranscriber",
        "OPTIONS": {"parallel": 3, "max_seconds": 6.0},
    }
    transcriber = ports.transcriber()
    assert isinstance(transcriber, PaidTranscriber)
    return transcriber


def together(count: int) -> Callable[[], None]:
    """Lets nobody pass before so many have come."""
    barrier = threading.Barrier(count, timeout=30)

    def meet() -> None:
        barrier.wait()

    return meet


def test_as_many_calls_run_at_once_as_the_transcriber_takes(recorded: Recorded, paid: PaidTranscriber) -> None:
    paid.during = together(3)
    memory = recorded(SIX_CHUNKS)
    process(memory)
    assert memory.status == Status.READY
    assert len(paid.calls) == 6


def test_the_words_are_in_order_and_in_recording_time(recorded: Recorded, paid: PaidTranscriber) -> None:
    memory = recorded(SIX_CHUNKS)
    process(memory)
    starts = [segment["start"] for segment in memory.transcript.segments]
    assert starts == sorted(starts)
    assert starts[0] == 0.0
    assert len(starts) == 6
    assert [segment["id"] for segment in memory.transcript.segments] == list(range(6))


def test_all_but_the_first_chunk_of_a_lane_have_the_words_before_them(
    recorded: Recorded, paid: PaidTranscriber
) -> None:
    process(recorded(SIX_CHUNKS))
    assert sorted(paid.prompts) == [""] * 3 + [paid.text] * 3


def test_a_chunk_that_was_saved_is_context_for_a_later_attempt(recorded: Recorded, paid: PaidTranscriber) -> None:
    memory = recorded(SIX_CHUNKS)
    paid.during = together(3)
    process(memory, should_stop=lambda: len(paid.calls) == 3)
    assert memory.chunks.count() == 3  # the first of each lane
    process(memory)
    assert paid.prompts[3:] == [paid.text] * 3


def test_when_one_chunk_fails_those_under_way_are_saved(recorded: Recorded, paid: PaidTranscriber) -> None:
    barrier = threading.Barrier(3, timeout=30)

    def fail_in_company() -> None:
        if len(paid.calls) <= 3 and barrier.wait() == 0:
            raise TranscriberUnavailable

    paid.during = fail_in_company
    memory = recorded(SIX_CHUNKS)
    assert process(memory).next is Next.AGAIN
    assert memory.status == Status.QUEUED
    assert memory.chunks.count() == len(paid.calls) - 1 >= 2

    wait_over(memory)
    process(memory)
    assert memory.status == Status.READY
    assert len(paid.calls) == 6 + 1


def test_told_to_stop_it_saves_what_is_under_way_and_begins_nothing_new(
    recorded: Recorded, paid: PaidTranscriber
) -> None:
    memory = recorded(SIX_CHUNKS)
    disposition = process(memory, should_stop=lambda: len(paid.calls) > 0)
    assert disposition.next is Next.AGAIN
    assert (memory.status, memory.attempts) == (Status.QUEUED, 0)
    assert memory.chunks.count() == len(paid.calls) >= 1
    process(memory)
    assert memory.status == Status.READY
    assert len(paid.calls) == 6


def test_each_call_is_booked_on_the_attempt(recorded: Recorded, paid: PaidTranscriber) -> None:
    process(recorded(SIX_CHUNKS))
    attempt = Attempt.objects.get(stage="transcription")
    assert float(attempt.cost_usd or 0) == pytest.approx(0.06)
    assert attempt.audio_seconds == pytest.approx(30.0, abs=0.1)


def test_a_recording_that_fits_goes_through_as_it_came(recorded: Recorded, paid: PaidTranscriber) -> None:
    process(recorded(wav((3.0, True))))
    assert paid.formats == ["wav"]


def test_a_transcriber_that_does_not_decode_gets_sound_as_it_wants_it(
    recorded: Recorded, transcriber: FakeTranscriber
) -> None:
    forms: list[tuple[int, int, int]] = []

    def look() -> None:
        with wave.open(str(transcriber.clips[-1].path)) as source:
            forms.append((source.getnchannels(), source.getsampwidth(), source.getframerate()))

    transcriber.during = look
    process(recorded((SAMPLES / "speech_en_ulaw8k.wav").read_bytes()))
    assert forms == [(1, 2, 16_000)]


def test_what_is_refused_as_it_came_is_sent_once_more_as_flac(recorded: Recorded, paid: PaidTranscriber) -> None:
    paid.raise_exc(TranscriptionRefused(billed=False))
    memory = recorded(wav((3.0, True)))
    process(memory)
    assert memory.status == Status.READY
    assert paid.formats == ["wav", "flac"]


def test_what_is_refused_as_flac_too_is_given_up(recorded: Recorded, paid: PaidTranscriber) -> None:
    paid.raise_exc(TranscriptionRefused(billed=False), TranscriptionRefused(billed=False))
    memory = recorded(wav((3.0, True)))
    process(memory)
    assert (memory.status, memory.error_code) == (Status.FAILED, "transcription_refused")


def test_what_does_not_fit_is_sent_as_flac(recorded: Recorded, paid: PaidTranscriber) -> None:
    process(recorded(SIX_CHUNKS))
    assert paid.formats == ["flac"] * 6


def test_a_format_that_the_transcriber_does_not_take_is_sent_as_flac(recorded: Recorded, paid: PaidTranscriber) -> None:
    process(recorded((SAMPLES / "speech_en.amr").read_bytes()))
    assert set(paid.formats) == {"flac"}


class FailingOnce:
    """For connection.execute_wrapper: the first statement that begins so is lost with its transaction."""

    def __init__(self, beginning: str, error: Exception | None = None) -> None:
        self.beginning, self.failed = beginning, False
        self.error = error or OperationalError("server closed the connection unexpectedly")

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if not self.failed and sql.startswith(self.beginning):
            self.failed = True
            raise self.error
        return execute(sql, params, many, context)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["memories_chunk", "memories_transcript", "memories_attempt", "memories_tagging"])
def test_a_database_that_is_away_when_paid_words_come_back_is_waited_for(
    table: str, recorded: Recorded, paid: PaidTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "PAUSES", (0.001, 0.002))
    memory = recorded(wav((3.0, True)))
    run = leases.claim(memory.pk, worker="w").run
    assert run
    with connection.execute_wrapper(FailingOnce(f'INSERT INTO "{table}"')):
        transcription.transcribe(run, lambda: False)
        processing.analyze(run, lambda: False)
    memory.refresh_from_db()
    assert memory.status == Status.READY
    assert len(paid.calls) == 1
    booked = Attempt.objects.order_by("id").values_list("stage", "outcome", "cost_usd")
    assert list(booked) == [
        ("transcription", "succeeded", Decimal("0.01")),
        ("analysis", "succeeded", Decimal("0.02")),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_read_only_for_a_moment_costs_no_paid_words(
    recorded: Recorded, paid: PaidTranscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "PAUSES", (0.001, 0.002))
    memory = recorded(wav((3.0, True)))
    with connection.execute_wrapper(FailingOnce('INSERT INTO "memories_chunk"', InternalError("read-only"))):
        process(memory)
    assert memory.status == Status.READY
    assert len(paid.calls) == 1


@pytest.mark.django_db(transaction=True)
def test_when_the_books_cannot_be_kept_the_words_are_kept_all_the_same(
    recorded: Recorded, paid: PaidTranscriber
) -> None:
    barrier = threading.Barrier(3, timeout=30)

    def fail_in_company() -> None:
        if barrier.wait() == 0:
            raise TranscriberUnavailable(billed=False)

    paid.during = fail_in_company
    memory = recorded(wav(*BEEP * 3))
    correcting = 'UPDATE "memories_dailyspending" SET "usd" = ("memories_dailyspending"."usd" + -'
    with connection.execute_wrapper(FailingOnce(correcting)):
        process(memory)
    assert (memory.status, memory.error_code) == (Status.QUEUED, "transcriber_unavailable")
    assert memory.chunks.count() == 2


def test_while_a_call_is_under_way_its_lease_is_kept(
    recorded: Recorded, paid: PaidTranscriber, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "BEAT", 0.01)
    settings.MEMORIES_LEASE_SECONDS = 0.1  # kept each quarter of that
    leases_seen: set[Any] = set()
    kept = threading.Event()

    def look() -> bool:
        if paid.calls:
            leases_seen.add(Memory.objects.get().lease_expires_at)
        if len(leases_seen) > 2:
            kept.set()
        return False

    def answer_late() -> None:
        assert kept.wait(30)

    paid.during = answer_late
    memory = recorded(wav((3.0, True)))
    process(memory, should_stop=look)
    assert memory.status == Status.READY


def test_another_model_does_not_go_on_from_the_checkpoints_of_the_one_before(
    recorded: Recorded, paid: PaidTranscriber
) -> None:
    memory = recorded(wav((3.0, True)))
    old = {"text": "Old.", "language": "en", "segments": [], "model": "another"}
    Chunk.objects.create(memory=memory, start=0.0, end=3.0, result=old)
    process(memory)
    assert memory.transcript.text == paid.text
    assert len(paid.calls) == 1


def test_what_is_saved_is_kept_when_it_is_reprocessed_by_the_same_model(
    recorded: Recorded, paid: PaidTranscriber
) -> None:
    memory = recorded(SIX_CHUNKS)
    process(memory, should_stop=lambda: len(paid.calls) > 0)
    saved = memory.chunks.count()
    recovery.reprocess(memory.pk, stage=Stage.TRANSCRIPTION)
    process(memory)
    assert memory.status == Status.READY
    assert saved >= 1
    assert len(paid.calls) == 6


def test_the_lease_outlives_the_wait_for_the_database(settings: Any) -> None:
    assert sum(leases.PAUSES) < settings.MEMORIES_LEASE_SECONDS
