"""Transcription at OpenAI, or at any server that speaks its protocol (OPENAI_BASE_URL)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO

from memories import openai_api
from memories.errors import MemoriesError, TranscriberUnavailable, TranscriptionRefused
from memories.evidence import fold
from memories.transcribers.base import Transcriber
from memories.transcribers.languages import code
from memories.types import Clip, Limits, Progress, Segment, TranscriptResult, Usage

MAX_BYTES = 26_214_400
# It takes mp4, mpeg and mpga as well; those with a picture are better decoded here, and only their sound sent.
FORMATS = frozenset({"flac", "m4a", "mp3", "ogg", "wav", "webm"})
NO_SPEECH, UNLIKELY = 0.6, -1.0  # Whisper's own rule (no_speech_threshold, logprob_threshold): both, and it is silence
ECHO = 40  # characters: shorter words may well be said twice


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of models is spoken to."""

    response_format: str
    max_seconds: float
    language: str = "language"  # the name of the parameter
    prompt: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


_WHISPER = Dialect("verbose_json", 600.0, extra={"timestamp_granularities": ["segment"]})
DIALECTS: Mapping[str, Dialect] = {
    # It takes "unstructured context" as prompt, but its limit of duration is unknown.
    "gpt-transcribe": Dialect("json", 600.0, language="languages"),
    # 1,500 s go in, but no more than 2,000 tokens come out, and what is over is cut off without a word.
    "gpt-4o-transcribe": Dialect("json", 300.0),
    "gpt-4o-mini-transcribe": Dialect("json", 300.0),
    # The longer a clip, the longer "A" is the same person; 1,400 s is its limit.
    "gpt-4o-transcribe-diarize": Dialect("diarized_json", 1200.0, prompt=False, extra={"chunking_strategy": "auto"}),
    "whisper-1": _WHISPER,
}


class OpenAITranscriber(Transcriber):
    """A model that OpenAI does not have is taken for a Whisper at another server, with or without times.

    `timeout`: seconds for one call. `parallel`: calls at the same time.
    """

    paid = True

    def __init__(
        self,
        model: str = "gpt-transcribe",
        api_key: str = "",
        base_url: str = "",
        timeout: float = 120.0,
        parallel: int = 8,
    ) -> None:
        self.model = self.name = model
        self.api_key, self.base_url, self.timeout = api_key, base_url, timeout
        self.dialect = DIALECTS.get(openai_api.undated(model), _WHISPER)
        self.limits = Limits(MAX_BYTES, self.dialect.max_seconds, FORMATS, parallel, decodes=True)
        self._without_times = False  # a server of Whispers that has no verbose_json

    def estimate(self, seconds: float) -> Decimal:
        return self._cost(seconds) or Decimal(0)

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        if on_progress:
            on_progress(0.0)  # the last moment to interrupt: what comes after is paid
        hint = code(language) if language else None
        with clip.path.open("rb") as file:
            try:
                answer = self._ask(f"audio.{clip.format}", file, hint, prompt)
                return self._result(answer, clip, hint, prompt)
            except Exception as error:
                raise self._as_error(error) from None  # the message of the other may quote what was said

    def check(self) -> list[str]:
        return openai_api.troubles(self.model, "OPENAI_TRANSCRIPTION_MODEL", self.api_key, self.base_url, self.timeout)

    def warnings(self, today: date) -> list[str]:
        sentence = openai_api.closing(self.model, today)
        return [sentence] if sentence else []

    # --- the call ----------------------------------------------------------------------------------------------------

    def _ask(self, name: str, file: BinaryIO, language: str | None, prompt: str) -> dict[str, Any]:
        """The JSON of the answer; not the SDK's objects, which take any shape for the one that was promised."""
        try:
            return self._post(name, file, language, prompt)
        except Exception as error:
            may_be_the_times = self.model not in DIALECTS and not self._without_times
            if not (may_be_the_times and isinstance(self._as_error(error), TranscriptionRefused)):
                raise
        answer = self._post(name, file, language, prompt, without_times=True)  # httpx sends a file from its beginning
        self._without_times = True
        return answer

    def _post(
        self, name: str, file: BinaryIO, language: str | None, prompt: str, *, without_times: bool = False
    ) -> dict[str, Any]:
        dialect = self.dialect
        fields: dict[str, Any] = {"response_format": dialect.response_format, **dialect.extra}
        if without_times or self._without_times:
            fields = {"response_format": "json"}
        if language:
            fields[dialect.language] = [language] if dialect.language == "languages" else language
        if prompt and dialect.prompt:
            fields["prompt"] = prompt
        calls = openai_api.client(self.api_key, self.base_url, self.timeout).audio.transcriptions.with_raw_response
        return openai_api.content(calls.create(model=self.model, file=(name, file), **fields).http_response)

    def _as_error(self, error: Exception) -> MemoriesError:
        return openai_api.as_error(error, unavailable=TranscriberUnavailable, refused=TranscriptionRefused)

    # --- the answer --------------------------------------------------------------------------------------------------

    def _result(self, answer: dict[str, Any], clip: Clip, language: str | None, prompt: str) -> TranscriptResult:
        """Raises KeyError, TypeError, ValueError or AttributeError for an answer of another shape."""
        text = " ".join(answer["text"].split())
        if text and answer.get("segments"):
            segments = _timed(answer["segments"], clip)
            text = " ".join(segment.text for segment in segments)
        elif not _echoes(text, prompt):
            segments = _sentences(text, clip.seconds)
        else:
            segments, text = (), ""
        return TranscriptResult(
            text=text,
            language=(_language(answer) or language) if text else None,  # of silence it is a guess
            segments=segments,
            model=self.model,
            usage=self._usage(answer.get("usage") or {}, clip.seconds),
        )

    def _usage(self, usage: Mapping[str, Any], seconds: float) -> Usage:
        """Of all the shapes of usage; a server that says nothing is taken to have heard the whole clip."""
        heard = float(usage.get("seconds") or seconds)
        return Usage(heard, usage.get("input_tokens"), usage.get("output_tokens"), self._cost(heard))

    def _cost(self, seconds: float) -> Decimal | None:
        price = openai_api.minute_price(self.model)
        return None if price is None else openai_api.usd(price * Decimal(str(seconds)) / 60)


def _timed(pieces: list[dict[str, Any]], clip: Clip) -> tuple[Segment, ...]:
    """Segments of verbose_json or diarized_json, without those that Whisper itself takes for silence."""
    spoken = [piece for piece in pieces if piece["text"].strip() and not _is_silence(piece)]
    return tuple(
        Segment(
            id=number,
            text=" ".join(piece["text"].split()),
            start=round(min(float(piece["start"]), clip.seconds), 3),
            end=round(min(float(piece["end"]), clip.seconds), 3),
            speaker=_speaker(piece.get("speaker"), clip),
            confidence=_confidence(piece.get("avg_logprob")),
        )
        for number, piece in enumerate(spoken)
    )


def _speaker(label: str | None, clip: Clip) -> str | None:
    """Labels are one call's own: the A of a later clip may be somebody else, and is told apart by where that begins."""
    return f"{label} from {clip.start:.0f} s" if label and clip.start else label


def _is_silence(piece: Mapping[str, Any]) -> bool:
    return (piece.get("no_speech_prob") or 0.0) > NO_SPEECH and (piece.get("avg_logprob") or 0.0) < UNLIKELY


def _confidence(logprob: float | None) -> float | None:
    return None if logprob is None else round(math.exp(min(0.0, logprob)), 3)


def _sentences(text: str, seconds: float) -> tuple[Segment, ...]:
    """Text without times as sentences; what is known is where the clip begins and ends."""
    sentences = list(_split(text))
    last = len(sentences) - 1
    return tuple(
        Segment(number, sentence, 0.0 if number == 0 else None, seconds if number == last else None)
        for number, sentence in enumerate(sentences)
    )


def _split(text: str) -> Iterator[str]:
    for match in re.finditer(r"\S.*?(?:[.!?\u2026]+[\"'\u00bb\u201d\u2019)]*(?=\s|$)|[\u3002\uff01\uff1f]+|$)", text):
        yield match.group()


def _language(answer: Mapping[str, Any]) -> str | None:
    """`language` is a name or a code, `languages` a list of {code}; both may be missing."""
    detected = answer.get("languages") or []
    name = answer.get("language") or (detected[0]["code"] if detected else "")
    return code(name) if name else None


def _echoes(text: str, prompt: str) -> bool:
    """Where nobody speaks, a model that takes context may give that back."""
    return len(text) >= ECHO and fold(text) in fold(prompt)
