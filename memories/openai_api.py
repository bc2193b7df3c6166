"""OpenAI's API, or any server that speaks its protocol: the client, what its failures mean to us, what it costs.

Nothing of the SDK leaves this room and the two implementations that stand on it. The SDK is imported where it is
used: a process that only polls does not pay for it.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from memories.errors import AccountSpent, KeyRefused, MemoriesError, ModelGone, PaidWorkStopped

if TYPE_CHECKING:
    import httpx2
    from openai import APIStatusError, OpenAI

OPENAI = "https://api.openai.com/v1"
CONNECT_TIMEOUT = 10.0  # seconds; what takes longer is not there


_making = threading.Lock()


def client(api_key: str, base_url: str, timeout: float) -> OpenAI:
    """One for all threads, with its pool of connections.

    `timeout`: seconds without a byte in either direction. An empty `base_url` is OpenAI's own; a key may be empty where
    another server wants none.
    """
    with _making:  # several lanes begin at once, and a client takes time and memory to make
        return _client(api_key, base_url, timeout)


@lru_cache(maxsize=8)
def _client(api_key: str, base_url: str, timeout: float) -> OpenAI:
    import httpx2
    from openai import OpenAI

    return OpenAI(
        api_key=api_key or "none",  # the SDK insists on one
        base_url=base_url or OPENAI,
        timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
        max_retries=0,  # our attempts are the retries: counted, spaced, and paid for knowingly
    )


def content(response: httpx2.Response) -> dict[str, Any]:
    """The JSON object that was answered; ValueError for anything else."""
    found = response.json()
    if not isinstance(found, dict):
        raise ValueError("The answer is no JSON object.")
    return found


def troubles(model: str, variable: str, api_key: str, base_url: str, timeout: float) -> list[str]:
    """Why no call could work as configured, one sentence each; `variable` is where the model's name comes from."""
    found = []
    if not api_key and not base_url:
        found.append("OPENAI_API_KEY is empty, and OPENAI_BASE_URL names no server that could do without.")
    if base_url and not re.match(r"https?://[^/\s]+", base_url):
        found.append(
            f"OPENAI_BASE_URL is {base_url!r}, which is not the address of a server: http://localhost:8000/v1."
        )
    if not model:
        found.append(f"{variable} is empty.")
    if timeout <= 0:
        found.append(f"OPENAI_TIMEOUT is {timeout}, and no call could end in that.")
    return found


# --- failures ------------------------------------------------------------------------------------------------------

# A 429 is "too fast" or "nothing left", its code tells which: https://developers.openai.com/api/docs/guides/error-codes.
SPENT = frozenset(
    {
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
    }
)
GONE = frozenset({"model_not_found", "model_not_available", "model_deprecated"})
STOPPED: Mapping[int, type[PaidWorkStopped]] = {401: KeyRefused, 402: AccountSpent, 403: KeyRefused, 404: ModelGone}
REFUSED = frozenset({400, 413, 415, 422})
MAX_RETRY_AFTER = 3600.0  # seconds; whoever asks for more is asked again after that


def as_error(error: Exception, *, unavailable: type[MemoriesError], refused: type[MemoriesError]) -> MemoriesError:
    """The error of our tree that says what the SDK's says: the one table.

    | the server says | to us it is | paid |
    |---|---|---|
    | a code of SPENT, or 402 | AccountSpent | no |
    | a code of GONE, or 404 | ModelGone | no |
    | 401, 403 | KeyRefused | no |
    | 400, 413, 415, 422 | `refused` | no |
    | 429, 5xx, any other status | `unavailable`, after what Retry-After says | no |
    | nothing: it could not be connected to | `unavailable` | no |
    | nothing in time, half an answer, or one of another shape | `unavailable` | maybe |
    """
    import httpx2
    from openai import APIConnectionError, APIResponseValidationError, APIStatusError

    if isinstance(error, MemoriesError):
        return error
    if isinstance(error, APIStatusError):
        return _of_status(error, unavailable, refused)
    if isinstance(error, APIConnectionError):
        never_sent = isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout))
        return unavailable(billed=not never_sent)
    if isinstance(error, (APIResponseValidationError, ValueError, KeyError, TypeError, AttributeError)):
        return unavailable(f"{unavailable.detail} Its answer was not of the promised form.")
    return unavailable(f"{unavailable.detail} ({type(error).__name__})")


def says_model_is_gone(error: APIStatusError) -> bool:
    return not GONE.isdisjoint({error.code, error.type})


def _of_status(error: APIStatusError, unavailable: type[MemoriesError], refused: type[MemoriesError]) -> MemoriesError:
    if not SPENT.isdisjoint({error.code, error.type}):
        cls: type[MemoriesError] = AccountSpent
    elif says_model_is_gone(error):
        cls = ModelGone
    else:
        cls = STOPPED.get(error.status_code) or (refused if error.status_code in REFUSED else unavailable)
    # Its message stays out: it may quote what we sent, and a part of the key.
    named = next((word for word in (error.code, error.type) if word and re.fullmatch(r"[\w.-]{1,60}", word)), "")
    detail = f"{cls.detail} (HTTP {error.status_code}{', ' if named else ''}{named})"
    wait = retry_after(error.response.headers) if cls is unavailable else None
    return cls(detail, retry_after=wait, billed=False)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, as retry-after-ms or Retry-After (a number or an HTTP date) say; at most an hour."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        seconds = _number(value) * unit
        if math.isnan(seconds) and name == "retry-after":
            seconds = _until(value)
        if seconds > 0:
            return min(seconds, MAX_RETRY_AFTER)
    return None


def _number(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan


def _until(http_date: str) -> float:
    try:
        then = parsedate_to_datetime(http_date)
    except (ValueError, TypeError):
        return math.nan
    return (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


# --- models: prices, and closing dates -----------------------------------------------------------------------------

AS_OF = date(2026, 11, 24)


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """USD for a million tokens."""

    input: Decimal
    output: Decimal

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal:
        return usd((self.input * input_tokens + self.output * output_tokens) / 1_000_000)


def usd(amount: Decimal) -> Decimal:
    """To the millionth, as it is kept."""
    return amount.quantize(Decimal("0.000001"))


def _price(input_usd: str, output_usd: str) -> TokenPrice:
    return TokenPrice(Decimal(input_usd), Decimal(output_usd))


# Both as of AS_OF, from https://developers.openai.com/api/docs/pricing and each model's page: standard tier, nothing
# cached. A name that is served elsewhere counts as if OpenAI served it: a budget rather ends too early than too late.
MINUTE_PRICES: Mapping[str, Decimal] = {  # USD for a minute of audio
    "gpt-transcribe": Decimal("0.0045"),
    "whisper-1": Decimal("0.006"),
    "gpt-4o-transcribe": Decimal("0.006"),  # these three are billed by tokens, and a minute is OpenAI's own estimate
    "gpt-4o-transcribe-diarize": Decimal("0.006"),
    "gpt-4o-mini-transcribe": Decimal("0.003"),
}
TOKEN_PRICES: Mapping[str, TokenPrice] = {
    "gpt-4.1": _price("2", "8"),
    "gpt-4.1-mini": _price("0.40", "1.60"),
    "gpt-4o": _price("2.50", "10"),
    "gpt-4o-mini": _price("0.15", "0.60"),
    "gpt-5": _price("1.25", "10"),
    "gpt-5-mini": _price("0.25", "2"),
    "gpt-5-nano": _price("0.05", "0.40"),
    "gpt-5.1": _price("1.25", "10"),
    "gpt-5.2": _price("1.75", "14"),
    "gpt-5.4": _price("2.50", "15"),
    "gpt-5.4-mini": _price("0.75", "4.50"),
    "gpt-5.4-nano": _price("0.20", "1.25"),
    "gpt-5.5": _price("5", "30"),
    "gpt-6-luna": _price("0.10", "0.50"),
    "gpt-6-sol": _price("2", "10"),
    "gpt-6.1-sol": _price("2", "10"),
    "gpt-6.1-terra": _price("1", "5"),
}


def minute_price(model: str) -> Decimal | None:
    """USD for a minute of audio; None where it is not known."""
    return MINUTE_PRICES.get(model) or MINUTE_PRICES.get(undated(model))


def token_price(model: str) -> TokenPrice | None:
    """None where it is not known."""
    return TOKEN_PRICES.get(model) or TOKEN_PRICES.get(undated(model))


# As of AS_OF, from https://developers.openai.com/api/docs/deprecations; a model that is not here has no announced end.
CLOSES: Mapping[str, date] = {
    **dict.fromkeys(
        ("gpt-3.5-turbo", "gpt-4", "gpt-4-turbo", "gpt-4.1-nano", "o1", "o1-pro", "o3-mini", "o4-mini"),
        date(2026, 10, 23),
    ),
    "gpt-4o-2024-05-13": date(2026, 10, 23),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro"), date(2026, 12, 11)),
    **dict.fromkeys(("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"), date(2027, 1, 14)),
    **dict.fromkeys(
        ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize"), date(2027, 2, 26)
    ),
    **dict.fromkeys(("gpt-5.1", "gpt-5.4-nano"), date(2027, 4, 1)),
}
WARN_BEFORE = timedelta(days=90)


def closing(model: str, today: date) -> str | None:
    """One sentence when OpenAI has closed the model, or closes it within WARN_BEFORE."""
    closes = CLOSES.get(model) or CLOSES.get(undated(model))
    if closes is None or closes - today > WARN_BEFORE:
        return None
    return f"OpenAI {'closed' if closes <= today else 'closes'} the model {model} on {closes}."


def undated(model: str) -> str:
    """The name without the date of its snapshot: gpt-5-mini of gpt-5-mini-2025-08-07."""
    return re.sub(r"-\d{4}-\d\d-\d\d$", "", model)
