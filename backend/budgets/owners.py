"""Whose budgets there are, and which day or month each is for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from backend.budgets.errors import (
    ApplicationBudgetExhausted,
    KeyBudgetExhausted,
    LabelBudgetExhausted,
)
from backend.errors import BudgetExhausted
from backend.outbox.notices import LATE
from backend.pricing.periods import billing_period, day_start
from backend_client.types.accounts import Tenant
from backend_client.types.common import plain
from backend_client.types.limits import KeyBudget
from backend_client.types.problems import FieldError

BudgetKind = Literal["key", "application", "label"]

_REFUSALS: Mapping[BudgetKind, type[BudgetExhausted]] = {
    "key": KeyBudgetExhausted,
    "application": ApplicationBudgetExhausted,
    "label": LabelBudgetExhausted,
}


@dataclass(frozen=True, slots=True)
class BudgetOwner:
    """A key, an application, or usage with a label; ``id`` is what its use is kept under."""

    kind: BudgetKind
    id: str
    label: tuple[str, str] | None = None
    """Name and value; of a label's alone."""

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether a call with these labels, of the key and application, is to be paid by it."""
        return self.label is None or labels.get(self.label[0]) == self.label[1]

    @property
    def words(self) -> str:
        """The beginning of a sentence about its budget."""
        if self.label is not None:
            return f"The budget of {self.label[0]}={self.label[1]}, which is"
        return "This key's budget of" if self.kind == "key" else "The application's budget of"


@dataclass(frozen=True, slots=True)
class OwnBudget:
    """A budget and whose it is."""

    owner: BudgetOwner
    budget: KeyBudget


@dataclass(frozen=True, slots=True)
class BudgetedCall:
    """A call that has to be within some budgets. ``made_at`` decides whose period pays."""

    tenant: Tenant
    budgets: tuple[OwnBudget, ...]
    call_id: str
    made_at: datetime

    @property
    def in_order(self) -> list[OwnBudget]:
        """Its budgets in the order in which their rows are locked everywhere."""
        return sorted(self.budgets, key=lambda own: own.owner.id)


@dataclass(frozen=True, slots=True)
class BudgetPeriod:
    """The day or month that a budget is for; ``end`` is exclusive."""

    start: datetime
    end: datetime


def budget_period(budget: KeyBudget, tenant: Tenant, at: datetime) -> BudgetPeriod:
    """Return the day or the calendar month of the tenant's time zone that ``at`` is in."""
    if budget.period == "month":
        month = billing_period(at, tenant.time_zone)
        return BudgetPeriod(month.start, month.end)
    zone = ZoneInfo(tenant.time_zone)
    today = at.astimezone(zone).date()
    # Clocks set back over a midnight show the old day again after it
    if at >= day_start(today + timedelta(days=1), zone):
        today += timedelta(days=1)
    return BudgetPeriod(day_start(today, zone), day_start(today + timedelta(days=1), zone))


def times_to_tell(
    budget: KeyBudget, tenant: Tenant, now: datetime, *, since: datetime
) -> list[datetime]:
    """Return a time in each period whose passing is to be told: this one's, and one just ended.

    The latter not of an owner that there is only ``since`` its end.
    """
    start = budget_period(budget, tenant, now).start
    just_ended = start - timedelta(microseconds=1)
    return [just_ended, now] if since < start and now - start < LATE else [now]


def exhausted(
    own: OwnBudget, tenant: Tenant, period: BudgetPeriod, cost: Decimal, left: Decimal
) -> BudgetExhausted:
    """Return the error for a call that can cost more than is left of a hard budget."""
    budget, owner = own.budget, own.owner
    whose = f"{owner.words} {plain(budget.amount)} {tenant.currency} a {budget.period}"
    whose += "," if owner.label is not None else ""
    until = f"it begins anew at {period.end:%Y-%m-%d %H:%M} UTC"
    if left <= 0:
        detail = f"{whose} is used up; {until}, or can be raised."
    else:
        detail = (
            f"This call can cost up to {plain(cost)}, and {whose[0].lower()}{whose[1:]} has "
            f"{plain(left)} left. Lower max_tokens or shorten the prompt; {until}."
        )
    field = f"{owner.kind}.budget"
    return _REFUSALS[owner.kind](detail, errors=[FieldError(field=field, detail=detail)])
