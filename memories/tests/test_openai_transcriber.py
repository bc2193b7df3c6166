"""What each model of OpenAI is sent, and what becomes of each shape of answer."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from memories.errors import Interrupted, TranscriberUnavailable, TranscriptionRefused
from memories.openai_api import MINUTE_PRICES
from memories.tests.openai_stub import Fault, OpenAIStub
from memories.transcribers.languages import code
from memories.transcribers.openai import DIALECTS, OpenAITranscriber
from memories.types import Clip, Segment, TranscriptResult

DOCS = Path(__file__).parents[2] / "docs/operations.md"


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    path = tmp_path / "clip.flac"
    path.write_bytes(b"sound")
    return Clip(path, 0.0, 60.0, "flac")


def heard(stub: OpenAIStub, clip: Clip, model: str, *, answer: Any = None, **call: Any) -> TranscriptResult:
    """What becomes of this answer; without one, of the stub's own."""
    if answer is not None:
        stub.fail(Fault(200, body=json.dumps(answer)))
    return OpenAITranscriber(model, base_url=stub.url).transcribe(clip, **call)


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("gpt-transcribe", {"response_format": "json", "languages[]": "es", "prompt": "Antes."}),
        ("gpt-4o-transcribe", {"response_format": "json", "language": "es", "prompt": "Antes."}),
        ("gpt-4o-mini-transcribe-2025-12-15", {"response_format": "json", "language": "es", "prompt": "Antes."}),
        (
            "gpt-4o-transcribe-diarize",
            {"response_format": "diarized_json", "language": "es", "chunking_strategy": "auto"},
        ),
        (
            "whisper-1",
            {
                "response_format": "verbose_json",
                "language": "es",
                "prompt": "Antes.",
                "timestamp_granularities[]": "segment",
            },
        ),
    ],
)
def test_each_model_is_sent_what_it_takes(
    openai_stub: OpenAIStub, clip: Clip, model: str, sent: dict[str, str]
) -> None:
    heard(openai_stub, clip, model, language="es", prompt="Antes.")
    (call,) = openai_stub.calls
    assert call.fields == {"model": model, **sent}
    assert (call.filename, call.size) == ("audio.flac", 5)


def test_a_language_that_openai_does_not_list_is_left_to_be_detected(openai_stub: OpenAIStub, clip: Clip) -> None:
    heard(openai_stub, clip, "gpt-transcribe", language="xx")
    assert "languages[]" not in openai_stub.calls[0].fields


def test_verbose_json_gives_times_and_confidence(openai_stub: OpenAIStub, clip: Clip) -> None:
    pieces = [
        {"text": " Hola  Sara.", "start": 0.0, "end": 2.04, "avg_logprob": -0.1, "no_speech_prob": 0.01},
        {"text": " Adiós.", "start": 2.04, "end": 61.5, "avg_logprob": 0.2, "no_speech_prob": 0.01},
    ]
    result = heard(
        openai_stub, clip, "whisper-1", answer={"text": "Hola  Sara. Adiós.", "language": "spanish", "segments": pieces}
    )
    assert result == TranscriptResult(
        "Hola Sara. Adiós.",
        "es",
        (Segment(0, "Hola Sara.", 0.0, 2.04, confidence=0.905), Segment(1, "Adiós.", 2.04, 60.0, confidence=1.0)),
        "whisper-1",
        result.usage,
    )


@pytest.mark.parametrize(
    ("no_speech", "logprob", "kept"), [(0.9, -1.5, False), (0.9, -0.5, True), (0.5, -1.5, True), (None, None, True)]
)
def test_what_whisper_itself_takes_for_silence_is_left_out(
    openai_stub: OpenAIStub, clip: Clip, no_speech: float | None, logprob: float | None, kept: bool
) -> None:
    pieces = [
        {"text": "Hello.", "start": 0.0, "end": 2.0, "avg_logprob": -0.1, "no_speech_prob": 0.01},
        {"text": "Bye.", "start": 2, "end": 5, "avg_logprob": logprob, "no_speech_prob": no_speech},
    ]
    answer = {"text": "Hello. Bye.", "language": "english", "segments": pieces}
    result = heard(openai_stub, clip, "whisper-1", answer=answer)
    assert result.text == ("Hello. Bye." if kept else "Hello.")
    assert len(result.segments) == 1 + kept


def test_only_what_is_silence_is_nobody_speaking(openai_stub: OpenAIStub, clip: Clip) -> None:
    silence = {"text": "Thank you.", "start": 0.0, "end": 9.0, "avg_logprob": -1.4, "no_speech_prob": 0.95}
    answer = {"text": "Thank you.", "language": "english", "segments": [silence]}
    result = heard(openai_stub, clip, "whisper-1", answer=answer)
    assert (result.text, result.language, result.segments) == ("", None, ())


def test_diarized_json_gives_speakers(openai_stub: OpenAIStub, clip: Clip) -> None:
    result = heard(openai_stub, clip, "gpt-4o-transcribe-diarize")
    assert [segment.speaker for segment in result.segments] == ["A", "B", "A"]
    assert all(segment.start is not None for segment in result.segments)


def test_speakers_of_a_later_clip_are_not_taken_for_those_of_the_first(openai_stub: OpenAIStub, clip: Clip) -> None:
    later = Clip(clip.path, 600.0, clip.seconds, clip.format)
    result = heard(openai_stub, later, "gpt-4o-transcribe-diarize")
    assert result.segments[0].speaker == "A from 600 s"


def test_text_without_times_becomes_sentences_between_the_ends_of_the_clip(openai_stub: OpenAIStub, clip: Clip) -> None:
    text = 'Hola. ¿Qué tal?  "Bien…" Son 3.5 metros\ny nada más'
    result = heard(openai_stub, clip, "gpt-transcribe", answer={"text": text, "languages": [{"code": "es"}]})
    assert result.text == 'Hola. ¿Qué tal? "Bien…" Son 3.5 metros y nada más'
    assert [(segment.text, segment.start, segment.end) for segment in result.segments] == [
        ("Hola.", 0.0, None),
        ("¿Qué tal?", None, None),
        ('"Bien…"', None, None),
        ("Son 3.5 metros y nada más", None, 60.0),
    ]
    assert result.language == "es"


def test_languages_that_write_without_spaces_have_sentences_too(openai_stub: OpenAIStub, clip: Clip) -> None:
    answer = {"text": "今天我去了东京。天气很好。", "languages": [{"code": "zh"}]}
    result = heard(openai_stub, clip, "gpt-transcribe", answer=answer)
    assert [segment.text for segment in result.segments] == ["今天我去了东京。", "天气很好。"]


@pytest.mark.parametrize("answer", [{"text": "", "languages": []}, {"text": " \n", "languages": [{"code": "en"}]}])
def test_no_text_is_nobody_speaking(openai_stub: OpenAIStub, clip: Clip, answer: dict[str, Any]) -> None:
    result = heard(openai_stub, clip, "gpt-transcribe", answer=answer, language="en")
    assert (result.text, result.language, result.segments) == ("", None, ())


@pytest.mark.parametrize(
    ("text", "is_echo"),
    [
        ("about the garden for a while, and then we went home by train.", True),
        ("Then we talked about the garden for a while.", False),
        ("We went home by train.", False),  # too short not to be said twice
    ],
)
def test_context_that_comes_back_from_silence_is_not_said_again(
    openai_stub: OpenAIStub, clip: Clip, text: str, is_echo: bool
) -> None:
    before = "We talked about the garden for a while, and then we went home by train."
    result = heard(openai_stub, clip, "gpt-transcribe", answer={"text": text, "languages": []}, prompt=before)
    assert result.text == ("" if is_echo else text)


def test_where_the_answer_names_no_language_that_of_the_person_stands(openai_stub: OpenAIStub, clip: Clip) -> None:
    answer = {"text": "Hola."}
    assert heard(openai_stub, clip, "gpt-4o-transcribe", answer=answer, language="es").language == "es"
    assert heard(openai_stub, clip, "gpt-4o-transcribe", answer=answer).language is None


@pytest.mark.parametrize(
    "answer", [[], "text", {"text": None}, {"text": 3}, {}, {"text": "a", "segments": [{"start": 0}]}, None]
)
def test_an_answer_of_another_shape_is_worth_another_attempt(openai_stub: OpenAIStub, clip: Clip, answer: Any) -> None:
    openai_stub.fail(Fault(200, body=json.dumps(answer)))
    with pytest.raises(TranscriberUnavailable) as caught:
        heard(openai_stub, clip, "whisper-1")
    assert caught.value.billed


def test_a_whisper_elsewhere_without_times_is_asked_without_from_then_on(openai_stub: OpenAIStub, clip: Clip) -> None:
    transcriber = OpenAITranscriber("whisper-large-v3", base_url=openai_stub.url)
    openai_stub.fail("unprocessable")
    assert transcriber.transcribe(clip).text
    transcriber.transcribe(clip)
    asked = [call.fields["response_format"] for call in openai_stub.calls]
    assert asked == ["verbose_json", "json", "json"]
    assert [call.size for call in openai_stub.calls] == [5, 5, 5]


def test_a_recording_that_is_refused_either_way_is_refused(openai_stub: OpenAIStub, clip: Clip) -> None:
    transcriber = OpenAITranscriber("whisper-large-v3", base_url=openai_stub.url)
    openai_stub.fail("bad request", "bad request")
    with pytest.raises(TranscriptionRefused):
        transcriber.transcribe(clip)
    transcriber.transcribe(clip)
    assert openai_stub.calls[-1].fields["response_format"] == "verbose_json"


def test_a_passing_trouble_says_nothing_about_times(openai_stub: OpenAIStub, clip: Clip) -> None:
    transcriber = OpenAITranscriber("whisper-large-v3", base_url=openai_stub.url)
    openai_stub.fail("server error")
    with pytest.raises(TranscriberUnavailable):
        transcriber.transcribe(clip)
    assert len(openai_stub.calls) == 1


def test_one_of_openais_own_is_not_asked_twice(openai_stub: OpenAIStub, clip: Clip) -> None:
    openai_stub.fail("bad request")
    with pytest.raises(TranscriptionRefused):
        heard(openai_stub, clip, "whisper-1")
    assert len(openai_stub.calls) == 1


@pytest.mark.parametrize(
    ("model", "usage", "seconds", "tokens", "cost"),
    [
        ("gpt-transcribe", {"type": "duration", "seconds": 30.0}, 30.0, None, "0.00225"),
        ("gpt-transcribe", None, 60.0, None, "0.0045"),
        ("gpt-4o-transcribe", {"type": "tokens", "input_tokens": 600, "output_tokens": 200}, 60.0, 600, "0.006"),
        ("large-v3", None, 60.0, None, None),
    ],
)
def test_usage_and_cost_of_each_shape(
    openai_stub: OpenAIStub, clip: Clip, model: str, usage: Any, seconds: float, tokens: int | None, cost: str | None
) -> None:
    used = heard(openai_stub, clip, model, answer={"text": "Hello.", "usage": usage}).usage
    assert (used.seconds, used.input_tokens) == (seconds, tokens)
    assert used.cost_usd == (Decimal(cost) if cost else None)


def test_an_estimate_is_the_price_of_so_much_sound() -> None:
    assert OpenAITranscriber("gpt-transcribe").estimate(600.0) == Decimal("0.045")
    assert OpenAITranscriber("large-v3").estimate(600.0) == Decimal(0)


def test_interrupting_costs_nothing(openai_stub: OpenAIStub, clip: Clip) -> None:
    def stop(fraction: float) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        heard(openai_stub, clip, "gpt-transcribe", on_progress=stop)
    assert openai_stub.calls == []


def test_limits_are_those_of_the_model() -> None:
    assert OpenAITranscriber("gpt-transcribe", parallel=3).limits.parallel == 3
    assert OpenAITranscriber("gpt-transcribe").limits.take("m4a", 26_214_400, 600.0)
    assert not OpenAITranscriber("gpt-transcribe").limits.take("m4a", 26_214_401, 600.0)
    assert not OpenAITranscriber("gpt-transcribe").limits.take("m4a", 1, 601.0)
    assert not OpenAITranscriber("gpt-4o-transcribe").limits.take("m4a", 1, 301.0)
    assert not OpenAITranscriber("gpt-transcribe").limits.take("mp4", 1, 1.0)


def test_the_table_of_models_in_the_docs_is_true() -> None:
    rows = re.findall(r"^\| `([\w.-]+)`.*?\| (\d+) min \| ([\d.]+) \|$", DOCS.read_text(), re.MULTILINE)
    assert {model for model, _, _ in rows} == DIALECTS.keys() == MINUTE_PRICES.keys()
    for model, minutes, price in rows:
        assert DIALECTS[model].max_seconds == 60 * int(minutes)
        assert MINUTE_PRICES[model] == Decimal(price)


def test_it_says_what_is_missing_and_what_closes() -> None:
    assert OpenAITranscriber("whisper-1").check()
    assert OpenAITranscriber("whisper-1").warnings(date(2027, 1, 1))
    assert OpenAITranscriber("gpt-transcribe").warnings(date(2027, 1, 1)) == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Spanish", "es"),
        ("english", "en"),
        ("es", "es"),
        ("es-MX", "es"),
        (" EN ", "en"),
        ("klingon", None),
        ("", None),
    ],
)
def test_languages_go_by_name_or_code(name: str, found: str | None) -> None:
    assert code(name) == found
