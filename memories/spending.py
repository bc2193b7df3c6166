"""Paid work: what it may cost on a day, and the breaker that stops it for everybody.

A call is booked by its estimate before it is made, and corrected by its cost afterwards: what was under way when a
worker died stays booked, since it may have been paid.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from memories import errors
from memories.database import can_do_without
from memories.errors import BudgetSpent, BudgetTooSmall, MemoriesError, PaidWorkStopped
from memories.models import Breaker, DailySpending, Memory, MemoryQuerySet, Stage, Status
from memories.types import AnalysisResult, TranscriptResult

PROBE_EVERY = timedelta(minutes=5)  # how often one memory tries for all whether paid work is possible again
WAIT = 6 * 3600.0  # seconds; who waits for the breaker is woken when it closes, and comes by itself only in case
SPREAD = 300.0  # seconds after midnight over which those who waited for the budget come back

Result = TypeVar("Result", AnalysisResult, TranscriptResult)

_AT_ONCE: dict[str, Any] = {"next_attempt_at": None, "enqueued_at": None, "hidden_until": None}

BOOKED = "a call stays booked by its estimate."

logger = logging.getLogger(__name__)


# --- the breaker -------------------------------------------------------------------------------------------------


def check(stage: Stage) -> None:
    """Raise what stops paid work at this stage. When a probe is due, the first to ask is let through."""
    breaker, now = Breaker.objects.filter(stage=stage).first(), timezone.now()
    if breaker is None:
        return
    due = Breaker.objects.filter(stage=stage, probe_at=breaker.probe_at, probe_at__lte=now)
    if due.update(probe_at=now + PROBE_EVERY):
        logger.info("Trying whether %s works again", stage.value)
        return
    raise errors.BY_CODE[breaker.code](breaker.detail, billed=False)


def stop(stage: Stage, error: PaidWorkStopped) -> None:
    """The provider turned a call down for a reason that all calls share: open the breaker, or keep it open."""
    probe_at = timezone.now() + PROBE_EVERY
    _, opened = Breaker.objects.update_or_create(
        stage=stage, defaults={"code": error.code, "detail": error.detail, "probe_at": probe_at}
    )
    if opened:
        logger.error("Paid work at %s stops for everybody: %s", stage.value, error.code)


def worked(stage: Stage) -> None:
    """A paid call succeeded: close the breaker, and let those go on who waited for it."""
    if Breaker.objects.filter(stage=stage).delete()[0]:
        logger.warning("Paid work at %s goes on", stage.value)
        wake(stage)


def probe_when_due() -> None:
    """Wake the one who has waited longest behind each breaker whose time to probe has come."""
    for breaker in Breaker.objects.filter(probe_at__lte=timezone.now()):
        first = _waiting(Stage(breaker.stage)).order_by("created_at").values_list("pk", flat=True)[:1]
        Memory.objects.filter(pk__in=list(first)).touch(**_AT_ONCE)


def probe_now(stage: Stage) -> None:
    """Let one memory try at once, as somebody who has mended the account wants to see."""
    Breaker.objects.filter(stage=stage).update(probe_at=timezone.now())
    probe_when_due()


def wake(stage: Stage) -> int:
    """Make those due who wait for this stage's breaker; the sweep rings for them."""
    return _waiting(stage).touch(**_AT_ONCE)


def _waiting(stage: Stage) -> MemoryQuerySet:
    codes = [code for code, cls in errors.BY_CODE.items() if issubclass(cls, PaidWorkStopped)]
    return Memory.objects.filter(status=Status.QUEUED, stage=stage, error_code__in=codes)


# --- the budget --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reservation:
    """One call that is booked by its estimate until it is known what it cost."""

    stage: Stage
    owner_id: int
    day: date
    usd: Decimal

    def settle(self, cost: Decimal | None) -> None:
        """The call succeeded, so paid work is possible. Without a known cost the estimate stands."""
        with can_do_without(BOOKED):
            if cost is not None:
                self._correct(cost)
            worked(self.stage)

    def fail(self, error: Exception) -> None:
        """The call failed. What may have been paid all the same stays booked."""
        if not isinstance(error, MemoriesError):
            return
        with can_do_without(BOOKED):
            if error.usage and error.usage.cost_usd is not None:
                self._correct(error.usage.cost_usd)
            elif not error.billed:
                self._correct(Decimal(0))
            if isinstance(error, PaidWorkStopped):
                stop(self.stage, error)

    def _correct(self, cost: Decimal) -> None:
        if cost != self.usd:
            rows = DailySpending.objects.filter(day=self.day, owner__isnull=True)
            for row in (rows, DailySpending.objects.filter(day=self.day, owner=self.owner_id)):
                row.update(usd=F("usd") + (cost - self.usd))


def pay(stage: Stage, owner_id: int, estimate: Decimal, call: Callable[[], Result]) -> Result:
    """Make one paid call, on the budget. Raises what `reserve` and the call raise."""
    reservation = reserve(stage, owner_id, estimate)
    try:
        result = call()
    except Exception as error:
        reservation.fail(error)
        raise
    reservation.settle(result.usage.cost_usd)
    return result


def reserve(stage: Stage, owner_id: int, estimate: Decimal) -> Reservation:
    """Book a call on today's budgets (UTC), the site's and the person's. Raises BudgetSpent or BudgetTooSmall."""
    day = timezone.now().date()
    with transaction.atomic():
        _book(day, None, estimate, settings.MEMORIES_DAILY_BUDGET_USD)
        _book(day, owner_id, estimate, settings.MEMORIES_DAILY_BUDGET_USD_PER_USER)
    return Reservation(stage, owner_id, day, estimate)


def _book(day: date, owner_id: int | None, usd: Decimal, cap: float) -> None:
    row, _ = DailySpending.objects.get_or_create(day=day, owner_id=owner_id)
    free = DailySpending.objects.filter(pk=row.pk)
    if cap:
        limit = Decimal(str(cap))
        if usd > limit:
            raise BudgetTooSmall(f"One call would cost about {usd:.2f} USD, and a day's budget is {limit} USD.")
        free = free.filter(usd__lte=limit - usd)
    if not free.update(usd=F("usd") + usd):
        raise BudgetSpent(retry_after=_until_tomorrow(), billed=False)


def _until_tomorrow() -> float:
    now = timezone.now()
    midnight = datetime.combine(now.date() + timedelta(days=1), clock.min, tzinfo=now.tzinfo)
    return (midnight - now).total_seconds() + random.uniform(0.0, SPREAD)  # noqa: S311 (no secret)
