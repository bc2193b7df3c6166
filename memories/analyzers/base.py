"""What an analyzer is to this service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import date, datetime
from decimal import Decimal

from memories.types import AnalysisResult, Progress, TranscriptResult


class Analyzer(ABC):
    """Reads a transcript. Constructor keywords come from MEMORIES_ANALYZER["OPTIONS"]."""

    paid = False  # whether its calls cost money: then the breaker and the daily budget stand before each

    def estimate(self, transcript: TranscriptResult) -> Decimal:
        """What analyzing this will cost, in USD; zero where no price is known."""
        return Decimal(0)

    @abstractmethod
    def analyze(
        self, transcript: TranscriptResult, *, recorded_at: datetime, on_progress: Progress | None = None
    ) -> AnalysisResult:
        """Title, summary and findings, each with its evidence; nobody has verified the evidence yet.

        `recorded_at` (aware) is what "tomorrow" is resolved against.

        `on_progress` is called between steps, and may raise to interrupt; what it raises passes through.

        Raises AnalyzerUnavailable (worth another attempt), AnalysisRefused (not), or a PaidWorkStopped (nothing paid
        will work until somebody mends the account).
        """

    def check(self) -> list[str]:
        """Why this analyzer cannot work as configured, one sentence each: system checks. Cheap, no network."""
        return []

    def warnings(self, today: date) -> list[str]:
        """What will stop it from working before long, one sentence each: system checks. Cheap, no network."""
        return []
