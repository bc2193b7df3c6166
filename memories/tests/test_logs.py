"""Log lines say which memory and which attempt they are about, and never what was said."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.utils import timezone

from memories import logs
from memories.analyzers.openai import OpenAIAnalyzer
from memories.errors import TranscriberUnavailable
from memories.models import Status
from memories.processing import process_memory
from memories.tests.factories import make_memory
from memories.tests.fakes import FakeTranscriber
from memories.tests.openai_stub import OpenAIStub
from memories.tests.speech import wav
from memories.types import TranscriptResult


def written(formatter: str, message: str) -> str:
    """A line as our configuration formats it."""
    config: dict[str, Any] = settings.LOGGING
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    configurator = logging.config.DictConfigurator(config)
    handler.setFormatter(configurator.configure_formatter(config["formatters"][formatter]))
    handler.addFilter(logs.JobFilter())
    handler.handle(logging.LogRecord("memories.x", logging.INFO, __file__, 1, message, (), None))
    return stream.getvalue()


def test_a_line_in_production_is_one_json_object_with_the_job() -> None:
    with logs.job("some-id", 2):
        line = json.loads(written("json", "Done"))
    assert (line["message"], line["memory_id"], line["attempt"], line["levelname"]) == ("Done", "some-id", 2, "INFO")


def test_a_line_at_home_names_the_job_at_its_end() -> None:
    with logs.job("some-id", 2):
        assert written("readable", "Done").rstrip().endswith("Done [some-id attempt 2]")
    assert written("readable", "Done").rstrip().endswith("Done")


@pytest.mark.django_db
def test_no_line_of_a_whole_run_holds_what_was_said(
    owner: User, transcriber: FakeTranscriber, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    transcriber.text = "Xylophone secrets."
    transcriber.raise_exc(TranscriberUnavailable())
    memory = make_memory(owner, status=Status.QUEUED, audio=wav((1.0, True)), audio_filename="xylophone.wav")
    for _ in range(2):
        process_memory(memory.pk, worker="w")
        type(memory).objects.update(next_attempt_at=None)
    memory.refresh_from_db()
    assert memory.status == Status.READY
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("django.db")]
    assert ours
    assert not [line for line in ours if "ylophone" in line]


def test_what_is_sent_to_a_language_model_is_not_logged_on_debug_either(
    openai_stub: OpenAIStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = TranscriptResult("Xylophone secrets.", "en", (), "fake")
    OpenAIAnalyzer(base_url=openai_stub.url).analyze(said, recorded_at=timezone.now())
    assert len(openai_stub.calls) == 1
    assert "ylophone" not in caplog.text
