"""manage.py, as operators and their scripts use it."""

from __future__ import annotations

import json
import uuid
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from memories import leases, migrated
from memories.errors import NotAudio
from memories.management.commands import run_worker
from memories.models import DeadLetter, Memory, Stage, Status, Transcript
from memories.tests.fakes import FakeTranscriber
from memories.tests.speech import wav

pytestmark = pytest.mark.django_db
by_itself = pytest.mark.django_db(transaction=True)  # the worker closes its connection after each turn


@pytest.fixture
def memory(owner: User) -> Memory:
    memory = Memory(owner=owner, duration_seconds=120.0)
    memory.audio.save("note.wav", ContentFile(wav((2.0, True))), save=False)
    memory.save()
    return memory


@pytest.fixture
def failed(memory: Memory) -> DeadLetter:
    run = leases.claim(memory.pk, worker="w").run
    assert run
    run.give_up(NotAudio())
    return memory.dead_letters.get()


def run(*args: str, code: int = 0) -> tuple[str, str]:
    """What a command prints, on both streams."""
    out, err = StringIO(), StringIO()
    try:
        call_command(*args, stdout=out, stderr=err)
        ended = 0
    except SystemExit as end:
        ended = int(end.code or 0)
    assert ended == code
    return out.getvalue(), err.getvalue()


@pytest.mark.parametrize("command", ["run_worker", "reprocess", "deadletters", "sweep", "transcribe"])
def test_every_command_shows_an_example_in_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command(command, "--help")
    assert f"manage.py {command}" in capsys.readouterr().out


# --- run_worker ---


@by_itself
def test_a_burst_works_until_nothing_is_due(memory: Memory, owner: User) -> None:
    call_command("run_worker", "--burst")
    memory.refresh_from_db()
    assert memory.status == Status.READY


@by_itself
def test_once_takes_one_message(memory: Memory, owner: User) -> None:
    Memory.objects.create(owner=owner)
    call_command("run_worker", "--once")
    assert Memory.objects.filter(status=Status.QUEUED, attempts=0).count() == 1


@by_itself
def test_once_ends_at_once_when_there_is_nothing() -> None:
    call_command("run_worker", "--once")


@by_itself
def test_sigterm_hands_back_what_is_under_way(memory: Memory, transcriber: FakeTranscriber) -> None:
    command = run_worker.Command()
    transcriber.during = lambda: command.stop(15, None)
    command.handle(once=False, burst=False)
    memory.refresh_from_db()
    assert (memory.status, memory.attempts) == (Status.QUEUED, 0)


def test_a_worker_does_not_start_on_a_database_without_our_tables() -> None:
    migrated._all_applied.cache_clear()
    (latest,) = MigrationLoader(connection).graph.leaf_nodes("memories")
    MigrationRecorder(connection).record_unapplied(*latest)
    with pytest.raises(CommandError, match="The database is not up to date"):
        call_command("run_worker", "--once")


@by_itself
def test_the_worker_sweeps_before_it_works(memory: Memory) -> None:
    leases.claim(memory.pk, worker="dead")
    Memory.objects.update(lease_expires_at=memory.created_at)
    call_command("run_worker", "--burst")
    memory.refresh_from_db()
    assert memory.status == Status.READY
    assert memory.attempt_log.filter(outcome="lost").count() == 1


# --- reprocess ---


def test_reprocess_says_what_it_will_do_and_asks(failed: DeadLetter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    with pytest.raises(CommandError, match="Nothing was done"):
        run("reprocess", "--status", "FAILED")
    failed.refresh_from_db()
    assert failed.resolved_at is None


def test_reprocess_where_nobody_can_answer_does_nothing_and_says_how(
    failed: DeadLetter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO())
    with pytest.raises(CommandError, match="say --yes where nobody can answer"):
        run("reprocess", "--status", "FAILED")
    assert DeadLetter.objects.unresolved().count() == 1


def test_reprocess_counts_the_recordings_whose_length_nobody_knows_yet(memory: Memory) -> None:
    Memory.objects.update(status=Status.READY, duration_seconds=None)
    _, err = run("reprocess", "--status", "READY", "--yes")
    assert "1 memory will be processed again from transcription" in err
    assert "Recordings of a length not known yet (1) will be transcribed again." in err
    assert "0.0 minutes" not in err


def test_reprocess_says_what_is_known_of_its_price(memory: Memory, settings: Any) -> None:
    Memory.objects.update(status=Status.READY)
    assert "costs nothing" in run("reprocess", "--status", "READY", "--yes")[1]
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.PaidTranscriber"}
    settings.MEMORIES_ANALYZER = {"BACKEND": "memories.tests.fakes.PaidAnalyzer"}
    assert "costs about 0.02 USD" in run("reprocess", str(memory.pk), "--yes")[1]


def test_reprocess_takes_days_in_one_form(memory: Memory) -> None:
    with pytest.raises(CommandError, match="'tomorrow' is not a day; use YYYY-MM-DD"):
        run("reprocess", "--after", "tomorrow", "--yes")


def test_reprocess_by_status(failed: DeadLetter, memory: Memory) -> None:
    out, err = run("reprocess", "--status", "FAILED", "--yes", "--json")
    assert json.loads(out) == {"queued": 1, "refused": {}}
    assert "1 memory will" in err
    assert "2.0 minutes of sound" in err
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED


def test_reprocess_by_id_from_the_analysis(memory: Memory) -> None:
    Transcript.objects.create(memory=memory, text="Words.", segments=[{"id": 0, "text": "Words."}])
    Memory.objects.update(status=Status.READY)
    run("reprocess", str(memory.pk), "--from", "analysis", "--yes")
    memory.refresh_from_db()
    assert (memory.status, memory.stage) == (Status.QUEUED, Stage.ANALYSIS)


def test_reprocess_by_date(memory: Memory) -> None:
    Memory.objects.update(status=Status.READY)
    day = memory.recorded_at.date().isoformat()
    out, _ = run("reprocess", "--after", day, "--yes", "--json")
    assert json.loads(out)["queued"] == 1
    with pytest.raises(CommandError, match="No memory fits"):
        run("reprocess", "--before", day, "--yes")


def test_reprocess_names_what_it_refused_and_why(memory: Memory) -> None:
    leases.claim(memory.pk, worker="w")
    out, err = run("reprocess", str(memory.pk), "--yes", "--json", code=1)
    assert "being processed" in json.loads(out)["refused"][str(memory.pk)]
    assert str(memory.pk) in err


def test_reprocess_wants_to_be_told_which() -> None:
    with pytest.raises(CommandError, match="Name memories") as caught:
        run("reprocess", "--yes")
    assert caught.value.returncode == 2


def test_reprocess_of_an_unknown_id_does_nothing() -> None:
    err = StringIO()
    with pytest.raises(CommandError, match="No memory fits"):
        call_command("reprocess", str(uuid.uuid4()), "--yes", stderr=err)
    assert err.getvalue() == ""


# --- deadletters ---


def test_open_dead_letters_are_listed_and_tell_a_monitor(failed: DeadLetter) -> None:
    out, _ = run("deadletters", "list", code=1)
    assert "not_audio" in out
    out, _ = run("deadletters", "list", "--json", code=1)
    assert json.loads(out)[0]["next_step"]


def test_no_dead_letters_is_fine() -> None:
    assert run("deadletters", "list") == ("", "")


def test_one_dead_letter_is_shown_with_its_next_step(failed: DeadLetter) -> None:
    out, _ = run("deadletters", "show", str(failed.pk))
    assert "Send audio as" in out


def test_a_dead_letter_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(CommandError, match="no dead letter 99"):
        run("deadletters", "show", "99")


def test_dead_letters_are_requeued_one_or_all(failed: DeadLetter, memory: Memory) -> None:
    out, _ = run("deadletters", "requeue", "--all", "--json")
    assert json.loads(out) == {"requeued": 1, "refused": {}}
    memory.refresh_from_db()
    assert memory.status == Status.QUEUED
    assert run("deadletters", "list") == ("", "")


def test_a_resolved_dead_letter_is_not_requeued_again(failed: DeadLetter) -> None:
    run("deadletters", "requeue", str(failed.pk))
    _, err = run("deadletters", "requeue", str(failed.pk), code=1)
    assert "resolved already" in err


def test_a_malformed_message_is_not_requeued_but_purged() -> None:
    letter = DeadLetter.objects.create(code="delivery_failed", body="garbage")
    _, err = run("deadletters", "requeue", str(letter.pk), code=1)
    assert "names no memory" in err
    out, _ = run("deadletters", "purge")
    assert "Purged: 1" in out


def test_purge_leaves_what_is_open(failed: DeadLetter) -> None:
    run("deadletters", "purge")
    assert DeadLetter.objects.count() == 1


def test_requeue_wants_to_be_told_which(failed: DeadLetter) -> None:
    with pytest.raises(CommandError, match="by id, or --all"):
        run("deadletters", "requeue")


def test_a_dead_letter_that_is_nothing_to_try_again_is_marked_as_resolved(failed: DeadLetter, memory: Memory) -> None:
    assert run("deadletters", "resolve", str(failed.pk))[0] == "Resolved: 1. Refused: 0.\n"
    failed.refresh_from_db()
    memory.refresh_from_db()
    assert failed.resolution == "dismissed"
    assert failed.resolved_at
    assert memory.status == Status.FAILED
    assert run("deadletters", "list") == ("", "")
    _, err = run("deadletters", "resolve", str(failed.pk), code=1)
    assert "resolved already" in err


def test_all_dead_letters_are_resolved_malformed_ones_too(failed: DeadLetter) -> None:
    DeadLetter.objects.create(code="delivery_failed", body="garbage")
    assert json.loads(run("deadletters", "resolve", "--all", "--json")[0]) == {"resolved": 2, "refused": {}}
    with pytest.raises(CommandError, match="by id, or --all"):
        run("deadletters", "resolve")


# --- sweep ---


def test_sweep_counts_what_it_did(memory: Memory) -> None:
    counts: dict[str, Any] = json.loads(run("sweep", "--json")[0])
    assert counts["rung"] == 1
    assert counts["orphans"] == 0
    assert "rung: " in run("sweep", "--jobs")[0]
