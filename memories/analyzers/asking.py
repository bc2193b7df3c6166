"""One question to a language model, answered in a form: by either of the two calls that OpenAI's protocol has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from memories import openai_api
from memories.errors import AnalysisRefused, AnalyzerUnavailable
from memories.types import Usage

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse
    from pydantic import BaseModel

    Form = TypeVar("Form", bound=BaseModel)

MAX_OUTPUT_TOKENS = 16_000  # of one call to OpenAI, thoughts included; others bound it by other names
AGAINST_POLICY = frozenset({"bio_policy", "invalid_prompt", "misalignment_policy_violation"})
NO_SUCH_CALL = frozenset({404, 405, 501})


@dataclass
class LanguageModel:
    name: str
    api_key: str
    base_url: str
    timeout: float
    _chat_only: bool = False  # the server has no /responses, as was seen

    def ask(self, instructions: str, data: str, form: type[Form]) -> tuple[Form, Usage]:
        """Raises errors of our tree only, with the usage where that is known."""
        try:
            client = openai_api.client(self.api_key, self.base_url, self.timeout)
            return self._read(self._call(client, instructions, data, form))
        except Exception as error:
            # The message of the other may quote what was said.
            raise openai_api.as_error(error, unavailable=AnalyzerUnavailable, refused=AnalysisRefused) from None

    def _call(self, client: OpenAI, instructions: str, data: str, form: type[Form]) -> LegacyAPIResponse[Any]:
        from openai import APIStatusError

        if not self._chat_only:
            try:
                return client.responses.with_raw_response.parse(
                    model=self.name,
                    instructions=instructions,
                    input=[{"role": "user", "content": data}],
                    text_format=form,
                    max_output_tokens=MAX_OUTPUT_TOKENS,
                    store=False,  # what was said is kept nowhere else
                )
            except APIStatusError as error:
                if error.status_code not in NO_SUCH_CALL or openai_api.says_model_is_gone(error):
                    raise
        answer = client.chat.completions.with_raw_response.parse(
            model=self.name,
            messages=[{"role": "system", "content": instructions}, {"role": "user", "content": data}],
            response_format=form,
        )
        self._chat_only = True
        return answer

    def _read(self, answer: LegacyAPIResponse[Any]) -> tuple[Any, Usage]:
        """What was answered, in its form. The SDK alone would take an answer that was cut off for a malformed one."""
        content = openai_api.content(answer.http_response)
        usage = self._usage(content.get("usage") or {})
        if reason := _why_not(content):
            raise AnalysisRefused(f"{AnalysisRefused.detail} ({reason})", usage=usage)
        try:
            parsed = answer.parse()
            found = parsed.choices[0].message.parsed if "choices" in content else parsed.output_parsed
        except ValueError:
            found = None
        if found is None:
            raise AnalyzerUnavailable("The analyzer's answer was not of the promised form.", usage=usage)
        return found, usage

    def _usage(self, usage: Mapping[str, Any]) -> Usage:
        """Tokens go by two pairs of names."""
        read = cast("int | None", usage.get("input_tokens", usage.get("prompt_tokens")))
        written = cast("int | None", usage.get("output_tokens", usage.get("completion_tokens")))
        price = openai_api.token_price(self.name)
        if price is None or read is None or written is None:
            return Usage(input_tokens=read, output_tokens=written)
        return Usage(input_tokens=read, output_tokens=written, cost_usd=price.cost(read, written))


def _why_not(content: Mapping[str, Any]) -> str:
    """Why the model did not answer, in a word; empty when it did."""
    if "choices" in content:
        choice = content["choices"][0]
        if choice["finish_reason"] in ("length", "content_filter"):
            return str(choice["finish_reason"])
        return "refusal" if choice["message"].get("refusal") else ""
    if incomplete := content.get("incomplete_details"):
        return str(incomplete["reason"])
    if (error := content.get("error")) and error["code"] in AGAINST_POLICY:
        return str(error["code"])
    parts = [part for item in content["output"] if item["type"] == "message" for part in item["content"]]
    return "refusal" if any(part["type"] == "refusal" for part in parts) else ""
