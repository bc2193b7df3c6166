"""The client, how long to wait, what it costs and until when: what both kinds of calls stand on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest

from memories import openai_api
from memories.openai_api import closing, minute_price, retry_after, token_price, troubles


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, 3600.0),
        ({"retry-after": "86400"}, 3600.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "?", "retry-after": "9"}, 9.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
    ],
)
def test_what_the_headers_say_on_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_an_http_date_says_when_to_come_back_too() -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    seconds = retry_after({"retry-after": then})
    assert seconds is not None
    assert 60 < seconds <= 90


@pytest.mark.parametrize(
    ("model", "today", "sentence"),
    [
        ("whisper-1", date(2026, 11, 27), None),
        ("whisper-1", date(2026, 11, 28), "OpenAI closes the model whisper-1 on 2027-02-26."),
        ("gpt-5-mini", date(2026, 12, 10), "OpenAI closes the model gpt-5-mini on 2026-12-11."),
        ("gpt-5-mini-2025-08-07", date(2026, 12, 11), "OpenAI closed the model gpt-5-mini-2025-08-07 on 2026-12-11."),
        ("gpt-4", date(2026, 11, 24), "OpenAI closed the model gpt-4 on 2026-10-23."),
        ("gpt-4o-2024-05-13", date(2026, 11, 24), "OpenAI closed the model gpt-4o-2024-05-13 on 2026-10-23."),
        ("gpt-4o", date(2026, 11, 24), "OpenAI closes the model gpt-4o on 2027-01-14."),
        (
            "gpt-4o-transcribe",
            date(2027, 1, 20),
            "OpenAI closes the model gpt-4o-transcribe on 2027-02-26.",
        ),
        ("gpt-5.4-mini", date(2030, 1, 1), None),
        ("gpt-transcribe", date(2030, 1, 1), None),
        ("a-model-of-our-own", date(2030, 1, 1), None),
    ],
)
def test_a_model_that_closes_within_ninety_days_is_named_with_the_day(
    model: str, today: date, sentence: str | None
) -> None:
    assert closing(model, today) == sentence


def test_prices_are_known_by_name_with_or_without_the_date_of_a_snapshot() -> None:
    assert minute_price("gpt-transcribe") == Decimal("0.0045")
    assert minute_price("gpt-4o-mini-transcribe-2025-12-15") == Decimal("0.003")
    price = token_price("gpt-5.4-mini-2026-03-17")
    assert price is not None
    assert price.cost(1_000_000, 0) == Decimal("0.75")
    assert price.cost(0, 1_000_000) == Decimal("4.5")
    assert minute_price("large-v3") is None
    assert token_price("llama") is None


def test_both_defaults_have_a_price_and_no_end() -> None:
    assert minute_price("gpt-transcribe")
    assert token_price("gpt-5.4-mini")
    assert {"gpt-transcribe", "gpt-5.4-mini"}.isdisjoint(openai_api.CLOSES)


def test_a_client_is_shared_and_never_tries_again_by_itself() -> None:
    client = openai_api.client("key", "", 30.0)
    assert client is openai_api.client("key", "", 30.0)
    assert client.max_retries == 0
    assert str(client.base_url) == "https://api.openai.com/v1/"
    assert openai_api.client("", "http://localhost:1/v1", 30.0).api_key


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (("model", "key", "", 60.0), []),
        (("model", "", "http://localhost:8000/v1", 60.0), []),
        (("model", "", "", 60.0), ["OPENAI_API_KEY"]),
        (("model", "key", "localhost:8000", 60.0), ["OPENAI_BASE_URL"]),
        (("", "key", "", 0.0), ["OPENAI_ANALYSIS_MODEL", "OPENAI_TIMEOUT"]),
    ],
)
def test_what_cannot_work_is_named_before_the_first_call(config: tuple[str, str, str, float], named: list[str]) -> None:
    model, key, url, timeout = config
    found = troubles(model, "OPENAI_ANALYSIS_MODEL", key, url, timeout)
    assert [sentence.split()[0] for sentence in found] == named
