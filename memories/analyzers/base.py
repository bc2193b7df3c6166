"""What an analyzer is to this service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime

from memories.types import AnalysisResult, TranscriptResult


class Analyzer(ABC):
    """Reads a transcript. Constructor keywords come from MEMORIES_ANALYZER["OPTIONS"]."""

    @abstractmethod
    def analyze(self, transcript: TranscriptResult, *, recorded_at: datetime) -> AnalysisResult:
        """Title, summary and findings, each with its evidence; nobody has verified the evidence yet.

        `recorded_at` (aware) is what "tomorrow" is resolved against.

        Raises AnalyzerUnavailable (worth another attempt) or AnalysisRefused (not).
        """

    def check(self) -> list[str]:
        """Why this analyzer cannot work as configured, one sentence each: system checks. Cheap, no network."""
        return []
