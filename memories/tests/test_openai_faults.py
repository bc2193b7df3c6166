"""Each way in which OpenAI fails, over the wire, and what it is to us, as memories/openai_api.py has it in a table."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memories.analyzers.openai import OpenAIAnalyzer
from memories.errors import MemoriesError
from memories.tests.openai_answers import CHAT, RESPONSES, TRANSCRIPTIONS
from memories.tests.openai_stub import FAULTS, Fault, OpenAIStub
from memories.transcribers.openai import OpenAITranscriber
from memories.types import Clip, Segment, TranscriptResult

pytestmark = pytest.mark.wire

PATIENCE = 0.5  # seconds: our time-out
SAID = TranscriptResult("Call Maria tomorrow.", "en", (Segment(0, "Call Maria tomorrow."),), "fake")


@dataclass(frozen=True)
class Means:
    """`code` is REFUSED or UNAVAILABLE where each stage has its own. `billed`: it may have been paid."""

    code: str
    permanent: bool = False
    retry_after: float | None = None
    billed: bool = False
    usage: bool = False  # what it used is known


REFUSED, UNAVAILABLE = "{refused}", "{unavailable}"
MEANS: dict[str, Means] = {
    "bad request": Means(REFUSED, permanent=True),
    "key refused": Means("provider_key_refused"),
    "not allowed": Means("provider_key_refused"),
    "model gone": Means("provider_model_gone"),
    "too large": Means(REFUSED, permanent=True),
    "unprocessable": Means(REFUSED, permanent=True),
    "too fast": Means(UNAVAILABLE, retry_after=17.0),
    "too fast, in ms": Means(UNAVAILABLE, retry_after=1.7),
    "too fast, and no word how long": Means(UNAVAILABLE),
    "quota spent": Means("provider_account_spent"),
    "project spent": Means("provider_account_spent"),
    "limit reached": Means("provider_account_spent"),
    "server error": Means(UNAVAILABLE),
    "bad gateway": Means(UNAVAILABLE),
    "overloaded": Means(UNAVAILABLE, retry_after=23.0),
    "time-out": Means(UNAVAILABLE, billed=True),
    "dropped before": Means(UNAVAILABLE, billed=True),
    "dropped in the middle": Means(UNAVAILABLE, billed=True),
    "garbage": Means(UNAVAILABLE, billed=True),
    "empty": Means(UNAVAILABLE, billed=True),
    "wrong schema": Means(UNAVAILABLE, billed=True, usage=True),
    "refusal": Means(REFUSED, permanent=True, billed=True, usage=True),
    "length": Means(REFUSED, permanent=True, billed=True, usage=True),
    "filter": Means(REFUSED, permanent=True, billed=True, usage=True),
}
ONLY_OF_LANGUAGE_MODELS = frozenset({"refusal", "length", "filter"})
ALL_FAULTS = FAULTS | {"time-out": Fault(delay=4 * PATIENCE)}

Call = Callable[[], object]
TRANSCRIPTION = {"refused": "transcription_refused", "unavailable": "transcriber_unavailable"}
ANALYSIS = {"refused": "analysis_refused", "unavailable": "analyzer_unavailable"}


@pytest.fixture(scope="module")
def stub() -> Iterator[OpenAIStub]:
    with OpenAIStub() as running:
        yield running


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = tmp_path / "clip.flac"
    path.write_bytes(b"sound")
    return Clip(path, 0.0, 60.0, "flac")


def failure(call: Call) -> MemoriesError:
    with pytest.raises(MemoriesError) as caught:
        call()
    return caught.value


def check(error: MemoriesError, means: Means, codes: dict[str, str]) -> None:
    assert error.code == means.code.format(**codes)
    assert (error.permanent, error.retry_after, error.billed) == (means.permanent, means.retry_after, means.billed)
    assert "secret" not in error.detail
    assert "what was said" not in error.detail


def test_every_fault_of_the_stub_has_a_meaning() -> None:
    assert MEANS.keys() == ALL_FAULTS.keys()


@pytest.mark.parametrize("name", sorted(MEANS.keys() - ONLY_OF_LANGUAGE_MODELS))
def test_a_transcription_fails_as_the_table_says(stub: OpenAIStub, clip: Clip, name: str) -> None:
    stub.forget()
    stub.fail(ALL_FAULTS[name], path=TRANSCRIPTIONS)
    transcriber = OpenAITranscriber(base_url=stub.url, timeout=PATIENCE)
    check(failure(lambda: transcriber.transcribe(clip)), MEANS[name], TRANSCRIPTION)
    assert transcriber.transcribe(clip).text  # and the next one works


@pytest.mark.parametrize("name", sorted(MEANS))
@pytest.mark.parametrize("path", [RESPONSES, CHAT])
def test_an_analysis_fails_as_the_table_says(stub: OpenAIStub, path: str, name: str) -> None:
    stub.forget()
    stub.behave(chat_only=path == CHAT)
    stub.fail(ALL_FAULTS[name], path=path)
    analyzer = OpenAIAnalyzer(base_url=stub.url, timeout=PATIENCE)
    error = failure(lambda: analyzer.analyze(SAID, recorded_at=datetime.now(UTC)))
    check(error, MEANS[name], ANALYSIS)
    assert (error.usage is not None) == MEANS[name].usage
    assert error.usage is None or error.usage.cost_usd
    assert analyzer.analyze(SAID, recorded_at=datetime.now(UTC)).title


def test_where_nobody_listens_nothing_was_paid(clip: Clip) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failure(lambda: OpenAITranscriber(base_url=f"http://127.0.0.1:{port}/v1").transcribe(clip))
    assert (error.code, error.billed) == ("transcriber_unavailable", False)


def test_a_server_that_knows_neither_call_stops_paid_work(stub: OpenAIStub) -> None:
    nowhere = OpenAIAnalyzer(base_url=f"{stub.url}/nowhere")
    error = failure(lambda: nowhere.analyze(SAID, recorded_at=datetime.now(UTC)))
    assert (error.code, error.billed) == ("provider_model_gone", False)
