"""Stand-ins for what is slow, paid or far away: small real classes that keep count and fail when told to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from memories.analyzers.base import Analyzer
from memories.errors import QueueUnavailable
from memories.queues.base import DeadMessage, Message, Queue
from memories.transcribers.base import Transcriber
from memories.types import (
    AnalysisResult,
    Clip,
    Evidence,
    Finding,
    Limits,
    Progress,
    Segment,
    TranscriptResult,
    Usage,
)


class Failing:
    """Raises the errors it was given, one a call, before it works again."""

    def __init__(self) -> None:
        self.errors: deque[BaseException] = deque()

    def raise_exc(self, *errors: BaseException) -> None:
        self.errors.extend(errors)

    def fail_if_told(self) -> None:
        if self.errors:
            raise self.errors.popleft()


class FakeTranscriber(Failing, Transcriber):
    """Says the same sentence for each clip; `calls` holds the (start, seconds) of each."""

    limits = Limits(max_bytes=None, max_seconds=60.0, formats=frozenset({"wav"}))
    name = "fake-speech"

    def __init__(self, text: str = "Call Maria tomorrow about the garden.", language: str = "en") -> None:
        super().__init__()
        self.text, self.language = text, language
        self.calls: list[tuple[float, float]] = []
        self.clips: list[Clip] = []
        self.prompts: list[str] = []
        self.hints: list[str | None] = []
        self.during: Callable[[], None] = lambda: None  # what happens elsewhere while a call is under way

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        self.calls.append((clip.start, clip.seconds))
        self.clips.append(clip)
        self.prompts.append(prompt)
        self.hints.append(language)
        self.fail_if_told()
        self.during()
        if on_progress:
            on_progress(0.5)
        if not self.text:
            return TranscriptResult("", None, (), "fake-speech", Usage(seconds=clip.seconds))
        segments = (Segment(0, self.text, 0.0, clip.seconds, confidence=0.9),)
        usage = Usage(seconds=clip.seconds, cost_usd=Decimal("0.01"))
        return TranscriptResult(self.text, self.language, segments, "fake-speech", usage)


class PaidTranscriber(FakeTranscriber):
    """Costs a cent a call, and is estimated at two; takes FLAC and several calls at a time, like a service far away."""

    paid = True

    def __init__(self, parallel: int = 3, max_seconds: float = 60.0) -> None:
        super().__init__()
        formats = frozenset({"wav", "flac", "mp3"})
        self.limits = Limits(
            max_bytes=25_000_000, max_seconds=max_seconds, formats=formats, parallel=parallel, decodes=True
        )
        self.formats: list[str] = []
        self._lock = threading.Lock()

    def estimate(self, seconds: float) -> Decimal:
        return Decimal("0.02")

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        assert clip.path.stat().st_size
        with self._lock:
            self.formats.append(clip.format)
        return super().transcribe(clip, language=language, prompt=prompt, on_progress=on_progress)


class FakeAnalyzer(Failing, Analyzer):
    """Finds the first word of the transcript, and swears that "nobody said this" was said too."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.asked_at: datetime | None = None
        self.during: Callable[[], None] = lambda: None

    def analyze(
        self, transcript: TranscriptResult, *, recorded_at: datetime, on_progress: Progress | None = None
    ) -> AnalysisResult:
        self.calls += 1
        self.asked_at = recorded_at
        self.fail_if_told()
        self.during()
        word = transcript.text.split()[0]
        return AnalysisResult(
            title=f"About {word}",
            summary=transcript.text,
            model="fake-analysis",
            tags=(
                Finding(word.lower(), Evidence((0,), word)),
                Finding("lie", Evidence((0,), "nobody said this")),
            ),
            usage=Usage(input_tokens=10, output_tokens=5, cost_usd=Decimal("0.02")),
        )


class PaidAnalyzer(FakeAnalyzer):
    """Costs two cents, as estimated; FakeAnalyzer's answer says so."""

    paid = True

    def estimate(self, transcript: TranscriptResult) -> Decimal:
        return Decimal("0.02")


class FakeQueue(Queue):
    """A queue with its rings written down, dead messages in it, and an off switch."""

    def __init__(self) -> None:
        self.rung: list[UUID] = []
        self.dead: list[DeadMessage] = []
        self.away = False

    def enqueue(self, memory_id: UUID, delay: float = 0) -> None:
        if self.away:
            raise QueueUnavailable
        self.rung.append(memory_id)

    def receive(self, wait: float = 0) -> Message | None:
        return Message(self.rung.pop(0), receipt=None) if self.rung else None

    def ack(self, message: Message) -> None:
        pass

    def release(self, message: Message, delay: float = 0) -> None:
        self.rung.append(message.memory_id)

    def dead_letters(self) -> Iterator[DeadMessage]:
        yield from list(self.dead)

    def discard(self, dead: DeadMessage) -> None:
        self.dead.remove(dead)

    def depth(self) -> int:
        return len(self.rung)
