"""Analysis by a language model, at OpenAI or at any server that speaks its protocol (OPENAI_BASE_URL).

What is too long for one call is described part by part; then one more call writes the title and the summary.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from time import sleep
from typing import TYPE_CHECKING, TypeVar

from memories import openai_api
from memories.analyzers import findings, prompts
from memories.analyzers.asking import LanguageModel
from memories.analyzers.base import Analyzer
from memories.errors import AnalyzerUnavailable, MemoriesError
from memories.types import AnalysisResult, Progress, Segment, TranscriptResult, Usage

if TYPE_CHECKING:
    from pydantic import BaseModel

    from memories.analyzers.answers import Overview

    Form = TypeVar("Form", bound=BaseModel)

LIKELY_OUTPUT_TOKENS = 3_000  # of one call
PAUSES = (2.0, 20.0)  # seconds before a call is tried again, where those before it were paid for


class OpenAIAnalyzer(Analyzer):
    """`timeout`: seconds for one call. `part_tokens`: about how much of a transcript goes into one call, to be made
    smaller for a model of little context. `max_parts`: the most calls that read; parts grow rather than be more."""

    paid = True

    def __init__(
        self,
        model: str = "gpt-5.4-mini",
        api_key: str = "",
        base_url: str = "",
        timeout: float = 120.0,
        part_tokens: int = 30_000,
        max_parts: int = 12,
    ) -> None:
        self.model = LanguageModel(model, api_key, base_url, timeout)
        self.part_tokens, self.max_parts = part_tokens, max_parts

    def estimate(self, transcript: TranscriptResult) -> Decimal:
        price = openai_api.token_price(self.model.name)
        if price is None:
            return Decimal(0)
        parts = self._parts(transcript)
        calls = _calls(parts)
        read = sum(prompts.size(part) for part in parts) + calls * prompts.tokens(prompts.INSIGHTS)
        return price.cost(read, calls * LIKELY_OUTPUT_TOKENS)

    def analyze(
        self, transcript: TranscriptResult, *, recorded_at: datetime, on_progress: Progress | None = None
    ) -> AnalysisResult:
        from memories.analyzers.answers import Insights, Overview

        parts = self._parts(transcript)
        account = _Account(self.model, _calls(parts), on_progress)
        found = [
            account.ask(prompts.INSIGHTS, prompts.transcript(part, recorded_at, number, len(parts)), Insights)
            for number, part in enumerate(parts, 1)
        ]
        whole: Overview = found[0]
        if len(found) > 1:
            whole = account.ask(prompts.OVERVIEW, prompts.overview(found), Overview)
        return findings.result(found, whole, transcript, model=self.model.name, usage=account.total())

    def check(self) -> list[str]:
        model = self.model
        return openai_api.troubles(model.name, "OPENAI_ANALYSIS_MODEL", model.api_key, model.base_url, model.timeout)

    def warnings(self, today: date) -> list[str]:
        sentence = openai_api.closing(self.model.name, today)
        return [sentence] if sentence else []

    def _parts(self, transcript: TranscriptResult) -> list[list[Segment]]:
        segments: Sequence[Segment] = transcript.segments or (Segment(0, transcript.text),)
        most = self.part_tokens
        parts = prompts.split(segments, most)
        while len(parts) > self.max_parts:
            most *= 2
            parts = prompts.split(segments, most)
        return parts


class _Account:
    """The calls of one analysis and what they have used: a failure in the middle was paid up to there."""

    def __init__(self, model: LanguageModel, calls: int, on_progress: Progress | None) -> None:
        self._model, self._calls, self._on_progress = model, calls, on_progress
        self._spent: list[Usage] = []
        self._answered = 0

    def ask(self, instructions: str, data: str, form: type[Form]) -> Form:
        if self._on_progress:
            self._on_progress(self._answered / self._calls)
        for pause in (*PAUSES, None):
            try:
                answer, usage = self._model.ask(instructions, data, form)
            except MemoriesError as error:
                if pause is None or not self._answered or not isinstance(error, AnalyzerUnavailable):
                    raise self._with_what_was_paid(error) from None
                if error.usage:
                    self._spent.append(error.usage)
                sleep(min(error.retry_after or pause, PAUSES[-1]))
            else:
                self._spent.append(usage)
                self._answered += 1
                return answer
        raise AssertionError("not reached")

    def _with_what_was_paid(self, error: MemoriesError) -> MemoriesError:
        if self._spent and (error.usage or not error.billed):
            error.usage = self.total(error.usage or Usage(None, 0, 0, Decimal(0)))
            error.billed = True
        return error

    def total(self, last: Usage | None = None) -> Usage:
        spent = [*self._spent, last] if last else self._spent
        return Usage(
            input_tokens=_sum([usage.input_tokens for usage in spent]),
            output_tokens=_sum([usage.output_tokens for usage in spent]),
            cost_usd=_sum([usage.cost_usd for usage in spent]),
        )


Number = TypeVar("Number", int, Decimal)


def _sum(numbers: Sequence[Number | None]) -> Number | None:
    known = [number for number in numbers if number is not None]
    return sum(known[1:], known[0]) if len(known) == len(numbers) else None


def _calls(parts: Sequence[object]) -> int:
    """One to read each part, and one to put several together."""
    return len(parts) if len(parts) == 1 else len(parts) + 1
