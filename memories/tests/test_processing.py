"""From a queued row to its end, with a transcriber and an analyzer that do as they are told."""

from __future__ import annotations

import errno
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import OperationalError

from memories import leases, processing, recovery
from memories.errors import (
    AnalysisRefused,
    AnalyzerUnavailable,
    TranscriberUnavailable,
    TranscriptionRefused,
)
from memories.models import Attempt, Memory, Stage, Status, Transcript
from memories.processing import Disposition, Next, process_memory, process_next
from memories.queues.database import DatabaseQueue
from memories.tests.fakes import FakeAnalyzer, FakeTranscriber
from memories.tests.jobs import Recorded, process, wait_over
from memories.tests.speech import wav

pytestmark = pytest.mark.django_db


def long_sound() -> bytes:
    return wav((55.0, True), (1.0, False), (40.0, True))  # two chunks for a transcriber that takes a minute


def test_a_recording_becomes_a_memory(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded()
    assert process(memory) == Disposition(Next.DONE)
    assert memory.status == Status.READY
    assert memory.title == "About Call"
    assert memory.transcript.text == transcriber.text
    assert memory.duration_seconds == pytest.approx(2.0, abs=0.05)
    assert [tag.name for tag in memory.tags.all()] == ["call"]
    assert memory.findings_dropped == 1  # the fake's lie
    assert list(Attempt.objects.order_by("id").values_list("stage", "outcome", "model")) == [
        ("transcription", "succeeded", "fake-speech"),
        ("analysis", "succeeded", "fake-analysis"),
    ]


def test_a_message_for_a_finished_memory_costs_nothing(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded()
    process(memory)
    assert process(memory).next is Next.DONE
    assert len(transcriber.calls) == 1


def test_a_message_for_a_memory_at_work_elsewhere_is_kept(recorded: Recorded) -> None:
    memory = recorded()
    leases.claim(memory.pk, worker="other")
    disposition = process(memory)
    assert disposition.next is not Next.DONE
    assert disposition.delay > 0


def test_a_message_for_an_erased_memory_is_acknowledged(recorded: Recorded) -> None:
    memory = recorded()
    pk = memory.pk
    memory.delete()
    assert process_memory(pk, worker="w").next is Next.DONE


def test_nobody_spoke_and_the_analyzer_is_not_asked(recorded: Recorded, settings: Any, analyzer: FakeAnalyzer) -> None:
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.FakeTranscriber", "OPTIONS": {"text": ""}}
    memory = recorded()
    assert process(memory).next is Next.DONE
    assert memory.status == Status.NO_SPEECH
    assert analyzer.calls == 0


def test_a_long_recording_is_transcribed_in_chunks_with_true_times_and_context(
    recorded: Recorded, transcriber: FakeTranscriber
) -> None:
    memory = recorded(long_sound())
    process(memory)
    assert len(transcriber.calls) == 2
    assert transcriber.prompts == ["", transcriber.text]
    second = transcriber.calls[1][0]
    assert 54.5 < second < 56.5
    assert [(s["id"], s["start"]) for s in memory.transcript.segments] == [(0, 0.0), (1, pytest.approx(second))]


def test_a_retry_redoes_only_the_missing_chunks(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded(long_sound())

    def fail_at_the_second_chunk() -> None:
        if len(transcriber.calls) == 2:
            raise TranscriberUnavailable

    transcriber.during = fail_at_the_second_chunk
    assert process(memory).next is not Next.DONE
    assert (memory.status, memory.error_code) == (Status.QUEUED, "transcriber_unavailable")
    wait_over(memory)
    assert process(memory).next is Next.DONE
    assert memory.status == Status.READY
    starts = [start for start, _ in transcriber.calls]
    assert starts[0] == 0.0
    assert starts[1] == starts[2] > 0


def test_a_retry_of_the_analysis_makes_no_transcription_call(
    recorded: Recorded, transcriber: FakeTranscriber, analyzer: FakeAnalyzer
) -> None:
    memory = recorded()
    analyzer.raise_exc(AnalyzerUnavailable())
    process(memory)
    assert (memory.status, memory.stage) == (Status.QUEUED, Stage.ANALYSIS)
    wait_over(memory)
    process(memory)
    assert memory.status == Status.READY
    assert len(transcriber.calls) == 1


def test_a_permanent_error_is_not_tried_again(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded()
    transcriber.raise_exc(TranscriptionRefused())
    assert process(memory).next is Next.DONE
    assert (memory.status, memory.error_code) == (Status.FAILED, "transcription_refused")
    assert memory.next_step
    assert memory.dead_letters.count() == 1
    assert memory.audio


def test_three_attempts_and_then_it_fails(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded()
    transcriber.raise_exc(*(TranscriberUnavailable() for _ in range(3)))
    assert [self_paced(memory).next for _ in range(3)] == [Next.AGAIN, Next.AGAIN, Next.DONE]
    assert memory.status == Status.FAILED
    assert Attempt.objects.filter(outcome="retried").count() == 2
    assert Attempt.objects.filter(outcome="failed").count() == 1


def self_paced(memory: Memory) -> Disposition:
    wait_over(memory)
    return process(memory)


def test_three_attempts_at_the_analysis_keep_the_transcript(recorded: Recorded, analyzer: FakeAnalyzer) -> None:
    memory = recorded()
    analyzer.raise_exc(*(AnalyzerUnavailable() for _ in range(3)))
    for _ in range(3):
        self_paced(memory)
    assert (memory.status, memory.error_code) == (Status.TRANSCRIBED, "analyzer_unavailable")
    assert memory.transcript.text
    recovery.reprocess(memory.pk, stage=Stage.ANALYSIS)
    process(memory)
    assert memory.status == Status.READY


def test_a_refused_analysis_keeps_the_transcript_at_once(recorded: Recorded, analyzer: FakeAnalyzer) -> None:
    memory = recorded()
    analyzer.raise_exc(AnalysisRefused())
    process(memory)
    assert memory.status == Status.TRANSCRIBED


def test_the_pause_before_another_attempt_grows_and_what_the_service_asks_for_is_honoured(
    recorded: Recorded, transcriber: FakeTranscriber, settings: Any
) -> None:
    settings.MEMORIES_RETRY_SECONDS = 10.0
    assert [processing.backoff(attempts) for attempts in (1, 2, 9)] == [10, 40, 3600]
    assert len({processing.spread(10) for _ in range(20)}) > 1  # not all come back at once
    memory = recorded()
    transcriber.raise_exc(TranscriberUnavailable(retry_after=77))
    assert 77 <= process(memory).delay <= 77 * 1.3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "storage_full"),
        (OSError(errno.EIO, "Input/output error"), "storage_unavailable"),
        (OperationalError("server closed the connection"), "database_unavailable"),
        (ZeroDivisionError(), "internal_error"),
    ],
)
def test_what_we_stand_on_may_fail_and_is_tried_again(
    recorded: Recorded, transcriber: FakeTranscriber, error: Exception, code: str
) -> None:
    memory = recorded()
    transcriber.raise_exc(error)
    assert process(memory).next is not Next.DONE
    assert (memory.status, memory.error_code) == (Status.QUEUED, code)


def test_a_file_that_is_gone_is_said_to_be_missing(recorded: Recorded) -> None:
    memory = recorded()
    memory.audio.storage.delete(str(memory.audio))
    process(memory)
    assert (memory.status, memory.error_code) == (Status.FAILED, "audio_missing")


def test_what_cannot_be_decoded_fails_for_good(recorded: Recorded) -> None:
    memory = recorded(b"RIFF nothing that sounds")
    process(memory)
    assert (memory.status, memory.error_code) == (Status.FAILED, "not_audio")


def test_longer_than_the_limit_fails_for_good(recorded: Recorded, settings: Any, transcriber: FakeTranscriber) -> None:
    settings.MEMORIES_MAX_AUDIO_HOURS = 1 / 3600
    memory = recorded()
    process(memory)
    assert (memory.status, memory.error_code) == (Status.FAILED, "audio_too_long")
    assert transcriber.calls == []


def test_told_to_stop_it_hands_back_what_it_has_and_the_next_goes_on_from_there(
    recorded: Recorded, transcriber: FakeTranscriber
) -> None:
    memory = recorded(long_sound())
    disposition = process(memory, should_stop=lambda: len(transcriber.calls) >= 2)
    assert disposition.next is not Next.DONE
    assert (memory.status, memory.attempts) == (Status.QUEUED, 0)
    assert memory.chunks.count() == 1
    process(memory)
    assert memory.status == Status.READY
    assert len(transcriber.calls) == 3


def test_erased_while_it_is_transcribed_leaves_nothing(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded()
    transcriber.during = lambda: Memory.objects.filter(pk=memory.pk).delete() and None
    assert process_memory(memory.pk, worker="w").next is not Next.DONE
    assert not Transcript.objects.exists()
    assert process_memory(memory.pk, worker="w").next is Next.DONE


def test_a_transcript_that_a_person_corrected_is_not_transcribed_again(
    recorded: Recorded, transcriber: FakeTranscriber
) -> None:
    memory = recorded(edited_fields=["transcript"])
    Transcript.objects.create(memory=memory, text="Mine.", segments=[{"id": 0, "text": "Mine."}])
    process(memory)
    assert memory.status == Status.READY
    assert memory.transcript.text == "Mine."
    assert transcriber.calls == []


def test_what_is_due_is_counted_by_the_clock_of_the_place_of_recording(
    recorded: Recorded, analyzer: FakeAnalyzer
) -> None:
    evening = datetime(2026, 5, 5, 0, 0, tzinfo=UTC)  # the fourth of May, eight o'clock, in New York
    process(recorded(recorded_at=evening, recorded_offset=-240))
    assert analyzer.asked_at is not None
    assert (analyzer.asked_at.date(), analyzer.asked_at.hour) == (date(2026, 5, 4), 20)


def test_an_error_that_is_over_is_not_shown_any_more(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    memory = recorded()
    transcriber.raise_exc(TranscriberUnavailable())
    process(memory)
    wait_over(memory)
    seen: list[str] = []
    transcriber.during = lambda: seen.extend(Memory.objects.values_list("error_code", flat=True))
    process(memory)
    assert seen == [""]


def test_the_language_that_the_person_named_is_passed_on(recorded: Recorded, transcriber: FakeTranscriber) -> None:
    process(recorded(language="es"))
    process(recorded())
    assert transcriber.hints == ["es", None]


def test_the_queue_is_drained_one_by_one(recorded: Recorded) -> None:
    memories = [recorded(), recorded()]
    queue = DatabaseQueue()
    worked = [process_next(queue, worker="w", should_stop=lambda: False) for _ in range(3)]
    assert worked == [True, True, False]
    assert {Memory.objects.get(pk=memory.pk).status for memory in memories} == {Status.READY}
