"""What a tenant is subscribed to, and how it asks for a change of that."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from backend_client.types.charges import Id
from backend_client.types.common import Answer, Instant, Wire
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.plans import Plan


class SubscriptionState(StrEnum):
    """On trial nothing is asked for; while paused, calls are refused and no fee runs."""

    ACTIVE = "active"
    TRIAL = "trial"
    PAUSED = "paused"


class Subscription(Answer):
    """A tenant's plan from ``start`` until ``end`` (null while it runs).

    ``next_plan`` is the plan from ``end`` on, when a change is scheduled. ``state`` holds until
    ``state_until`` (null: for as long as the plan does). ``add_ons`` has how many of each are
    chosen, by charge. ``renews_at`` is where the next year of the plan's yearly fees begins, or the
    next quarter of quarterly ones (null: it has none, or ends or is changed before).
    """

    id: str
    plan: Plan
    start: Instant
    end: Instant | None
    next_plan: Plan | None = None
    state: SubscriptionState = SubscriptionState.ACTIVE
    state_until: Instant | None = None
    seats: int = 1
    add_ons: dict[str, int] = {}
    renews_at: Instant | None = None


AddOns = dict[Id, Annotated[int, Field(ge=0, le=1_000_000)]]


class SubscriptionChange(Wire):
    """Move to a plan's latest version, at the next quarter hour unless ``at`` says when.

    ``at`` must be a quarter hour (minute 0, 15, 30 or 45) that has not begun; from a plan that
    asks for no money, the present one will do. The operator may give one that is past, back to the
    beginning of the first period that is not invoiced: usage since is rated anew. ``seats`` and
    ``add_ons`` stay as they are if null; on another plan none of its add-ons is chosen. ``prices``
    are the tenant's own for charges of the plan, which the operator alone sets; null keeps them on
    the same plan, and an empty list takes them away, as another plan does.
    """

    plan: str
    at: Instant | None = None
    seats: int | None = Field(None, ge=0, le=1_000_000)
    add_ons: AddOns | None = None
    prices: list[OwnPrice] | None = Field(None, max_length=500)


class SubscriptionPause(Wire):
    """Pause at the next quarter hour, or ``at`` one to come; until resumed, or ``until`` one."""

    at: Instant | None = None
    until: Instant | None = None


class SubscriptionCancel(Wire):
    """End the subscription with its billing period, with its year, or with this quarter hour.

    With ``year_end``, for plans with yearly fees, nothing of them is given back.
    """

    when: Literal["period_end", "year_end", "now"] = "period_end"


class BillingAnchor(Wire):
    """The day of the month that billing periods begin with; a shorter month's last day if over."""

    day: int = Field(ge=1, le=31)
