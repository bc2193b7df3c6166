"""What a transcriber is to this service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date
from decimal import Decimal

from memories.types import Clip, Limits, Progress, TranscriptResult


class Transcriber(ABC):
    """Turns sound into text. Constructor keywords come from MEMORIES_TRANSCRIBER["OPTIONS"]."""

    limits: Limits
    name: str  # of the model, as its results say it
    paid = False  # whether its calls cost money: then the breaker and the daily budget stand before each

    def estimate(self, seconds: float) -> Decimal:
        """What transcribing so much audio will cost, in USD; zero where no price is known."""
        return Decimal(0)

    @abstractmethod
    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        """The words of one clip; segment times count from the beginning of the *clip*.

        `language` is ISO 639-1, None to detect it. `prompt` is text that came before, for context.
        `on_progress` may raise to interrupt; what it raises passes through. Where `limits.parallel` is more than 1,
        several threads call at the same time.

        Raises TranscriberUnavailable, ModelUnusable (worth another attempt), TranscriptionRefused (not), or a
        PaidWorkStopped (nothing paid will work until somebody mends the account).
        """

    def check(self) -> list[str]:
        """Why this transcriber cannot work as configured, one sentence each: system checks. Cheap, no network."""
        return []

    def warnings(self, today: date) -> list[str]:
        """What will stop it from working before long, one sentence each: system checks. Cheap, no network."""
        return []
