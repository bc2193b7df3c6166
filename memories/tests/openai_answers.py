"""What the stub of OpenAI answers: derived from the bytes, or the transcript, that it is given."""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from memories.tests.obedience import obey

TRANSCRIPTIONS, RESPONSES, CHAT = "/v1/audio/transcriptions", "/v1/responses", "/v1/chat/completions"
PEOPLE = ("Sarah", "Tom", "Priya", "Martin", "Olga", "Kevin", "Julia", "Chloe")
PLACES = ("Lisbon", "Chicago", "Brighton", "Madrid", "Segovia", "Boston", "Toledo", "Granada")
THINGS = ("garden", "budget", "kitchen", "report", "harvest", "contract", "journey", "roof")


@dataclass
class Behaviour:
    delay: float = 0.0  # seconds for each call
    text: str | None = None  # what is heard in any recording; None: what `said` derives, "" that nobody speaks
    language: str = "en"
    obedient: bool = False  # does what a transcript tells it to
    chat_only: bool = False  # has no /v1/responses, as most compatible servers


@dataclass(frozen=True)
class Request:
    path: str
    fields: Mapping[str, Any]  # of the form, or the JSON
    filename: str = ""
    audio: bytes = b""

    @property
    def model(self) -> str:
        return str(self.fields.get("model", ""))


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    obeyed: tuple[str, ...] = ()


def answer(request: Request, behaviour: Behaviour, spoil: str) -> Answer:
    obeyed: list[str] = []
    content: dict[str, Any] | None = None
    if request.path == TRANSCRIPTIONS:
        content = {"words": 3} if spoil == "schema" else transcription(request, behaviour)
    elif request.path == CHAT:
        content = completion(request, _written(request, behaviour, spoil, obeyed), spoil)
    elif request.path == RESPONSES and not behaviour.chat_only:
        content = response(request, _written(request, behaviour, spoil, obeyed), spoil)
    if content is None:
        return Answer(404, b'{"detail": "Not Found"}')
    return Answer(200, json.dumps(content).encode(), obeyed=tuple(obeyed))


# --- transcription -------------------------------------------------------------------------------------------------


def said(audio: bytes) -> str:
    """What is heard in these bytes: three sentences, with a word that no other recording has."""
    digest = hashlib.sha256(audio).digest()
    person, place, thing = (names[digest[i] % len(names)] for i, names in enumerate((PEOPLE, PLACES, THINGS)))
    return f"Today I met {person} in {place}. We spoke about the {thing} {digest.hex()[:8]}. I have to call {person}."


def transcription(request: Request, behaviour: Behaviour) -> dict[str, Any]:
    """As the model at hand answers; names that OpenAI does not have are Whisper somewhere else."""
    text = said(request.audio) if behaviour.text is None else behaviour.text
    seconds = _seconds(request.audio)
    if request.model == "gpt-transcribe":
        languages = [{"code": behaviour.language}] if text else []
        return {"text": text, "languages": languages, "usage": {"type": "duration", "seconds": seconds}}
    if request.model.startswith("gpt-4o") and "diarize" not in request.model:
        tokens = {"type": "tokens", "input_tokens": 10, "output_tokens": len(text) // 4, "total_tokens": 10}
        return {"text": text, "usage": tokens}
    if request.fields.get("response_format") == "json":
        return {"text": text}
    sentences = re.findall(r"\S.*?[.!?](?=\s|$)|\S.*$", text)
    step = seconds / max(1, len(sentences))
    spans = [(round(i * step, 2), round((i + 1) * step, 2), sentence) for i, sentence in enumerate(sentences)]
    usage = {"type": "duration", "seconds": seconds}
    if "diarize" in request.model:
        pieces = [_spoken(number, *span) for number, span in enumerate(spans)]
        return {"task": "transcribe", "duration": seconds, "text": text, "segments": pieces, "usage": usage}
    language = {"en": "english", "es": "spanish"}.get(behaviour.language, behaviour.language)
    pieces = [_timed(number, *span) for number, span in enumerate(spans)]
    return {"text": text, "language": language, "duration": seconds, "segments": pieces, "usage": usage}


def _spoken(number: int, start: float, end: float, text: str) -> dict[str, Any]:
    speaker = "AB"[number % 2]
    kind = "transcript.text.segment"
    return {"id": f"seg_{number}", "type": kind, "start": start, "end": end, "text": text, "speaker": speaker}


def _timed(number: int, start: float, end: float, text: str) -> dict[str, Any]:
    guess = {"temperature": 0.0, "avg_logprob": -0.2, "compression_ratio": 1.2, "no_speech_prob": 0.01}
    return {"id": number, "seek": 0, "start": start, "end": end, "text": f" {text}", "tokens": [1, 2], **guess}


def _seconds(audio: bytes) -> float:
    import av

    try:
        with av.open(io.BytesIO(audio), "r") as container:
            return round((container.duration or av.time_base) / av.time_base, 3)
    except (av.error.FFmpegError, OSError):
        return 1.0


# --- structured output -----------------------------------------------------------------------------------------------


def _written(request: Request, behaviour: Behaviour, spoil: str, obeyed: list[str]) -> str:
    """The JSON that a model would write: what the schema wants, filled from the segments in the prompt."""
    instructions, prompt, schema = _prompt(request)
    if spoil == "schema":
        return json.dumps({"headline": "This was not asked for."})
    pieces = _pieces(prompt)
    found = insights(pieces)
    if behaviour.obedient and found["tags"]:
        orders = obey(" ".join(piece["text"] for piece in pieces), instructions, found)
        obeyed.extend(orders)
    wanted = json.dumps({name: found.get(name) for name in schema.get("properties", {})})
    return wanted[: len(wanted) // 2] if spoil == "length" else wanted


def _prompt(request: Request) -> tuple[str, str, dict[str, Any]]:
    """Instructions, what the user is made to say, and the schema, of either form of call."""
    if request.path == RESPONSES:
        prompt = "\n".join(str(message["content"]) for message in request.fields["input"])
        return str(request.fields["instructions"]), prompt, dict(request.fields["text"]["format"]["schema"])
    messages = request.fields["messages"]
    prompt = "\n".join(str(message["content"]) for message in messages if message["role"] == "user")
    instructions = "\n".join(str(message["content"]) for message in messages if message["role"] != "user")
    return instructions, prompt, dict(request.fields["response_format"]["json_schema"]["schema"])


def _pieces(prompt: str) -> list[dict[str, Any]]:
    """Things with a text, out of the JSON in the prompt."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\[", prompt):
        try:
            value, _ = decoder.raw_decode(prompt, match.start())
        except ValueError:
            continue
        if value and all(isinstance(piece, dict) for piece in value):
            return [
                {"id": i, "text": piece.get("text") or piece.get("summary", "")} | piece
                for i, piece in enumerate(value)
            ]
    return []


def insights(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """A title of the first words, a summary of the first sentences, and findings with true quotes."""
    spoken = [piece for piece in pieces if piece["text"].split()]
    if not spoken:
        return {"title": "", "summary": "", "tags": [], "people": [], "places": [], "mood": None, "action_items": []}
    first = spoken[0]
    words = first["text"].split()
    people = [_finding(piece, name) for piece in spoken for name in PEOPLE if name in piece["text"]]
    places = [_finding(piece, name) for piece in spoken for name in PLACES if name in piece["text"]]
    todo = [piece for piece in spoken if "have to" in piece["text"]]
    return {
        "title": " ".join(words[:6]).strip(".,;:!?"),
        "summary": " ".join(piece["text"] for piece in spoken[:2]),
        "tags": [_finding(first, max(words, key=len).strip(".,;:!?").lower())],
        "people": people,
        "places": places,
        "mood": {"label": "neutral", "quote": first["text"], "segment_ids": [first["id"]]},
        "action_items": [
            {
                "text": piece["text"],
                "due": None,
                "due_quote": None,
                "quote": piece["text"],
                "segment_ids": [piece["id"]],
            }
            for piece in todo
        ],
    }


def _finding(piece: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {"name": name, "quote": piece["text"], "segment_ids": [piece["id"]]}


def response(request: Request, text: str, spoil: str) -> dict[str, Any]:
    """As /v1/responses answers."""
    content: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    if spoil == "refusal":
        content = {"type": "refusal", "refusal": "I cannot help with that."}
    reasons = {"length": "max_output_tokens", "filter": "content_filter"}
    incomplete = {"reason": reasons[spoil]} if spoil in reasons else None
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [content]}
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if incomplete else "completed",
        "incomplete_details": incomplete,
        "error": None,
        "model": request.model,
        "output": [] if spoil == "filter" else [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 1000,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 200,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 1200,
        },
    }


def completion(request: Request, text: str, spoil: str) -> dict[str, Any]:
    """As /v1/chat/completions answers."""
    refused = spoil == "refusal"
    message = {
        "role": "assistant",
        "content": None if refused else text,
        "refusal": "I cannot help with that." if refused else None,
    }
    reason = {"length": "length", "filter": "content_filter"}.get(spoil, "stop")
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": request.model,
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200},
    }
