"""What a transcriber is to this service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from memories.types import Clip, Limits, Progress, TranscriptResult


class Transcriber(ABC):
    """Turns sound into text. Constructor keywords come from MEMORIES_TRANSCRIBER["OPTIONS"]."""

    limits: ClassVar[Limits]

    @abstractmethod
    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        """The words of one clip; segment times count from the beginning of the *clip*.

        `language` is ISO 639-1, None to detect it. `prompt` is text that came before, for context.
        `on_progress` may raise to interrupt; what it raises passes through.

        Raises TranscriberUnavailable, ModelUnusable (worth another attempt) or TranscriptionRefused (not).
        """

    def check(self) -> list[str]:
        """Why this transcriber cannot work as configured, one sentence each: system checks. Cheap, no network."""
        return []
