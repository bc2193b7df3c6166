"""A setting that cannot work has a name, a reason and a way out, before the service starts."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.utils import timezone
from rest_framework.throttling import SimpleRateThrottle

from memories.tests.fakes import FakeTranscriber
from memories.transcribers.base import Transcriber
from memories.types import Clip, Limits, Progress, TranscriptResult

ROOT = Path(__file__).parents[2]


def ids() -> set[str]:
    found = [message for message in run_checks() if (message.id or "").startswith("memories.")]
    assert all(message.hint for message in found)
    return {str(message.id) for message in found}


class Crippled(Transcriber):
    """Says of itself that it cannot work."""

    limits = Limits(None, 60.0, frozenset({"wav"}))

    def transcribe(
        self, clip: Clip, *, language: str | None = None, prompt: str = "", on_progress: Progress | None = None
    ) -> TranscriptResult:
        raise NotImplementedError

    def check(self) -> list[str]:
        return ["The model folder does not exist."]


@pytest.fixture(autouse=True)
def _at_home(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]  # the test runner adds a host of its own


def test_the_defaults_pass() -> None:
    assert ids() == set()


def test_an_unknown_environment_is_an_error(settings: Any) -> None:
    settings.MEMORIES_ENV = "staging"
    assert ids() == {"memories.E001"}


def test_production_refuses_each_fallback_by_name(settings: Any) -> None:
    settings.PRODUCTION, settings.FALLBACKS = True, ["DATABASE_URL", "DJANGO_SECRET_KEY"]
    named = [message.msg for message in run_checks() if message.id == "memories.E002"]
    assert [message.split()[0] for message in named] == ["DATABASE_URL", "DJANGO_SECRET_KEY"]


def test_production_refuses_debug(settings: Any) -> None:
    settings.PRODUCTION, settings.FALLBACKS, settings.DEBUG = True, [], True
    assert ids() == {"memories.E003"}


def test_the_known_key_is_a_warning_once_others_can_reach_the_server(settings: Any) -> None:
    settings.SECRET_KEY, settings.ALLOWED_HOSTS = settings.INSECURE_KEY, ["memories.example.org"]
    assert ids() == {"memories.W001"}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("MAX_UPLOAD_MB", 0, "memories.E004"),
        ("AUDIO_RETENTION_DAYS", -1, "memories.E004"),
        ("MEMORIES_LEASE_SECONDS", 1, "memories.E004"),
        ("MEMORIES_UPLOAD_MINUTES", 0, "memories.E004"),
        ("MEMORIES_MAX_WAITERS", -1, "memories.E004"),
        ("MEMORIES_PROXIES", -1, "memories.E004"),
        ("MEMORIES_DAILY_BUDGET_USD", -1.0, "memories.E004"),
        ("MEMORIES_DAILY_BUDGET_USD_PER_USER", -0.5, "memories.E004"),
        ("MEMORIES_QUOTA_GB", 0, "memories.E005"),
        ("MEMORIES_MAX_AUDIO_HOURS", -1.0, "memories.E005"),
    ],
)
def test_a_limit_that_nothing_could_pass_is_an_error(settings: Any, name: str, value: float, error: str) -> None:
    setattr(settings, name, value)
    assert ids() == {error}


@pytest.mark.parametrize(
    ("port", "config"),
    [
        ("MEMORIES_QUEUE", {"BACKEND": "memories.queues.nowhere.Queue"}),
        ("MEMORIES_QUEUE", {"BACKEND": "memories.queues.database.DatabaseQueue", "OPTIONS": {"colour": "red"}}),
        ("MEMORIES_QUEUE", {"BACKEND": "memories.queues.sqs.SQSQueue", "OPTIONS": {"url": "foo"}}),
        ("MEMORIES_ANALYZER", {"BACKEND": "memories.queues.database.DatabaseQueue"}),
        ("MEMORIES_TRANSCRIBER", {"BACKEND": "memories.tests.test_checks.Crippled"}),
    ],
)
def test_a_port_that_cannot_work_is_an_error(settings: Any, port: str, config: dict[str, Any]) -> None:
    setattr(settings, port, config)
    assert ids() == {"memories.E006"}


class Priceless(FakeTranscriber):
    """Costs money, and nobody knows how much; and will be gone before long."""

    paid = True

    def warnings(self, today: date) -> list[str]:
        return [f"It is {today.year}, and the model closes."]


def test_a_model_that_closes_is_a_warning_that_says_so(settings: Any) -> None:
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.test_checks.Priceless"}
    assert ids() == {"memories.W002"}
    (warning,) = (message.msg for message in run_checks() if message.id == "memories.W002")
    assert warning == f"It is {timezone.now().year}, and the model closes."


@pytest.mark.parametrize("budget", ["MEMORIES_DAILY_BUDGET_USD", "MEMORIES_DAILY_BUDGET_USD_PER_USER"])
def test_a_budget_that_cannot_count_the_model_is_a_warning(settings: Any, budget: str) -> None:
    setattr(settings, budget, 5.0)
    assert ids() == set()
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.test_checks.Priceless"}
    assert ids() == {"memories.W002", "memories.W003"}


def test_a_budget_that_can_count_the_models_passes(settings: Any) -> None:
    settings.MEMORIES_DAILY_BUDGET_USD = 5.0
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.PaidTranscriber"}
    settings.MEMORIES_ANALYZER = {"BACKEND": "memories.tests.fakes.PaidAnalyzer"}
    assert ids() == set()


@pytest.mark.parametrize("scope", ["user", "login"])
@pytest.mark.parametrize("rate", ["fast", "10/fortnight", "10/month", "10", "", "/min", "-1/min", "0/min", "1.5/h"])
def test_a_rate_that_cannot_be_read_is_an_error(settings: Any, scope: str, rate: str) -> None:
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] | {scope: rate}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    assert ids() == {"memories.E009"}


@pytest.mark.parametrize("rate", ["1/s", "10/min", "600/minute", "5/hour", "1000/day"])
def test_a_rate_that_can_be_read_passes_and_throttles(settings: Any, rate: str) -> None:
    rates = {"user": rate, "login": rate}
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": rates}
    assert ids() == set()
    assert SimpleRateThrottle.parse_rate(None, rate)[0] == int(rate.split("/")[0])  # type: ignore[arg-type]


@pytest.mark.parametrize("level", ["LOUD", "", "10"])
def test_a_level_of_logs_that_does_not_exist_is_an_error(settings: Any, level: str) -> None:
    settings.MEMORIES_LOG_LEVEL = level
    assert ids() == {"memories.E010"}


@pytest.mark.parametrize(
    "storage",
    [
        {"BACKEND": "memories.storage.nowhere.Storage"},
        {"BACKEND": "memories.storage.DurableFileSystemStorage", "OPTIONS": {"colour": "red"}},
    ],
)
def test_a_storage_that_cannot_work_is_an_error(settings: Any, storage: dict[str, Any]) -> None:
    settings.STORAGES = settings.STORAGES | {"default": storage}
    assert ids() == {"memories.E011"}


def test_a_folder_that_cannot_be_written_is_an_error(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "file" / "incoming"
    assert "memories.E007" in ids()


def test_the_environment_is_read_in_settings_only() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for folder in ("memories", "config")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts and re.search(r"os\.(environ\[|environ\.get|getenv)", path.read_text())
    ]
    assert readers == ["config/healthcheck.py"]  # runs each half minute, and is not to load the settings for two names
