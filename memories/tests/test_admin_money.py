"""Staff see why paid work stands still, and what the days cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from memories import spending
from memories.errors import KeyRefused
from memories.models import Breaker, Memory, Stage, Status
from memories.processing import Next
from memories.tests.jobs import Recorded, process
from memories.tests.test_admin import act, page, staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def stopped(recorded: Recorded) -> Memory:
    """A memory that waits because the provider refuses our key."""
    spending.stop(Stage.TRANSCRIPTION, KeyRefused())
    return recorded(
        status=Status.QUEUED, error_code=KeyRefused.code, next_attempt_at=timezone.now() + spending.PROBE_EVERY
    )


@pytest.fixture
def root(admin_client: Client) -> Client:
    return admin_client


def test_the_breaker_says_what_is_wrong_what_to_do_and_who_waits(root: Client, stopped: Memory) -> None:
    text = page(root, "memories/breaker/")
    for expected in ("provider_key_refused", "OPENAI_API_KEY", '<td class="field-waiting">1</td>'):
        assert expected in text


def test_staff_who_have_mended_the_account_let_one_memory_try_now(stopped: Memory, settings: Any) -> None:
    settings.MEMORIES_TRANSCRIBER = {"BACKEND": "memories.tests.fakes.PaidTranscriber"}
    assert process(stopped).next is Next.DONE  # not due: the row says when
    assert stopped.status == Status.QUEUED
    act(staff("view_breaker", "change_memory"), "breaker", "try_now", "transcription")
    process(stopped)
    assert stopped.status == Status.READY
    assert not Breaker.objects.exists()


def test_who_may_not_requeue_may_not_probe_either(stopped: Memory) -> None:
    before = Breaker.objects.get().probe_at
    act(staff("view_breaker"), "breaker", "try_now", "transcription")
    assert Breaker.objects.get().probe_at == before


def test_what_the_days_cost_is_listed_for_all_and_for_each(root: Client, owner: User) -> None:
    spending.reserve(Stage.ANALYSIS, owner.pk, Decimal("0.25"))
    text = page(root, "memories/dailyspending/")
    assert "everybody" in text
    assert owner.username in text
    assert text.count("0.250000") == 2


@pytest.mark.parametrize("model", ["breaker", "dailyspending"])
def test_nothing_can_be_added_or_typed_in(model: str, root: Client) -> None:
    page(root, f"memories/{model}/add/", 403)


@pytest.mark.parametrize("model", ["breaker", "dailyspending"])
def test_the_lists_are_for_staff_with_the_permission(model: str) -> None:
    page(staff(f"view_{model}"), f"memories/{model}/")
    page(staff(), f"memories/{model}/", 403)
