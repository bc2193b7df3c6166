"""Insights without a language model, from statistics, patterns and word lists; nothing leaves the machine.

English and Spanish get everything; other languages a title, a summary and, where stop words are known, tags.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from decimal import Decimal
from importlib.util import find_spec

from memories.analyzers import ranking
from memories.analyzers.actions import find_actions
from memories.analyzers.base import Analyzer
from memories.analyzers.mood import find_mood
from memories.analyzers.names import Names, find_names
from memories.analyzers.text import Document
from memories.types import AnalysisResult, Progress, Segment, TranscriptResult, Usage

MODEL = "offline-1"
LIBRARIES = ("dateparser", "sentencex", "snowballstemmer", "stopwordsiso", "vaderSentiment")
NAMED_LANGUAGES = ("en", "es")


class OfflineAnalyzer(Analyzer):
    """The same transcript gives the same result. Never raises for what a transcript says."""

    def analyze(
        self, transcript: TranscriptResult, *, recorded_at: datetime, on_progress: Progress | None = None
    ) -> AnalysisResult:
        # Without segments there can be no evidence, but still a title and a summary.
        segments = transcript.segments or (Segment(id=0, text=transcript.text),)
        document = Document(segments, _language(transcript))
        if not document.sentences:
            return AnalysisResult(title="", summary="", model=MODEL, usage=Usage(cost_usd=Decimal(0)))
        ranked = ranking.central_sentences(document)
        names = find_names(document) if document.language in NAMED_LANGUAGES else Names(people=(), places=())
        return AnalysisResult(
            title=ranking.title(document, ranked),
            summary=ranking.summary(document, ranked),
            model=MODEL,
            tags=ranking.tags(document, [finding.name for finding in names.people + names.places]),
            people=names.people,
            places=names.places,
            mood=find_mood(document, ranked),
            action_items=find_actions(document, recorded_at),
            usage=Usage(cost_usd=Decimal(0)),
        )

    def check(self) -> list[str]:
        missing = [name for name in LIBRARIES if find_spec(name) is None]
        return [f"The offline analyzer needs {name}: pip install -r requirements-local.txt." for name in missing]


def _language(transcript: TranscriptResult) -> str:
    """The transcript's own, else the one of English and Spanish whose function words it uses, else "und"."""
    if transcript.language:
        return transcript.language.split("-")[0].casefold()
    words = Counter(transcript.text.casefold().split())
    english = sum(words[word] for word in ("the", "and", "to", "of", "is", "my", "that", "was", "with"))
    spanish = sum(words[word] for word in ("el", "la", "de", "que", "y", "los", "con", "para", "es", "una"))
    if english == spanish:
        return "und"
    return "en" if english > spanish else "es"
