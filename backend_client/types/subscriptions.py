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
    plan: Plan = Field(description="The plan's version that is in force.")
    start: Instant
    end: Instant | None
    next_plan: Plan | None = Field(
        None, description="The plan from `end` on, if a change of plan is scheduled; else null."
    )
    state: SubscriptionState = Field(
        SubscriptionState.ACTIVE,
        description="`active`, on `trial` (nothing is asked for) or `paused` (calls are "
        "refused and no fee runs).",
    )
    state_until: Instant | None = Field(
        None, description="Until when the state holds; null for as long as the plan does."
    )
    seats: int = Field(1, description="How many seats fees and included units per seat count.")
    add_ons: dict[str, int] = Field(
        {}, description="How many of each add-on are chosen, by the id of its charge."
    )
    renews_at: Instant | None = Field(
        None,
        description="Where the next year or quarter of its yearly or quarterly fees begins; "
        "null if it has none, or ends or is changed before.",
    )


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

    plan: str = Field(description="The plan to move to, by its id; its latest version is taken.")
    at: Instant | None = Field(
        None,
        description="The quarter hour at which it changes, null for the next. Only the "
        "operator may give one that is past.",
    )
    seats: int | None = Field(
        None,
        ge=0,
        le=1_000_000,
        description="How many seats there are from then on; null leaves them.",
    )
    add_ons: AddOns | None = Field(
        None,
        description="How many of each add-on there are from then on, by the id of its charge; "
        "null leaves them, or chooses none on another plan.",
    )
    prices: list[OwnPrice] | None = Field(
        None,
        max_length=500,
        description="The tenant's own prices for charges of the plan, for the operator to "
        "set; null keeps them on the same plan, an empty list takes them away.",
    )


class SubscriptionPause(Wire):
    """Pause at the next quarter hour, or ``at`` one to come; until resumed, or ``until`` one."""

    at: Instant | None = Field(
        None, description="The quarter hour to come at which it pauses; null for the next."
    )
    until: Instant | None = Field(
        None,
        description="The quarter hour at which it goes on by itself; null until somebody "
        "resumes it.",
    )


class SubscriptionCancel(Wire):
    """End the subscription with its billing period, with its year, or with this quarter hour.

    With ``year_end``, for plans with yearly fees, nothing of them is given back.
    """

    when: Literal["period_end", "year_end", "now"] = Field(
        "period_end",
        description="When it ends: with the billing period, with the year of its yearly fees, "
        "or with this quarter hour (`now`).",
    )


class BillingAnchor(Wire):
    """The day of the month that billing periods begin with; a shorter month's last day if over."""

    day: int = Field(
        ge=1,
        le=31,
        description="The day of the month, 1 to 31, that billing periods begin with; in a "
        "shorter month its last day.",
    )
