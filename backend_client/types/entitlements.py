"""What a tenant may do: the models, limits, quotas and features of its plan, as they stand."""

from __future__ import annotations

from pydantic import Field

from backend_client.types.charges import Id, Units
from backend_client.types.common import Answer, Currency, Exact, Instant
from backend_client.types.events import MeterName, Name
from backend_client.types.limits import ModelLimits, RateLimits
from backend_client.types.plan_terms import QuotaLimit
from backend_client.types.subscriptions import SubscriptionState


class QuotaStanding(Answer):
    """A quota of ``quantity`` units, and what was ``used`` of it until it starts anew.

    One ``of_trial`` counts from the trial's beginning, and is gone when the trial ends.
    """

    meters: list[MeterName] = Field(description="The meters whose units are added up.")
    quantity: Units = Field(description="How many units are allowed.")
    limit: QuotaLimit = Field(
        description="What happens at its end: `hard` refuses calls, `soft` only shows it."
    )
    used: Exact = Field(description="How many units were used since it last began anew.")
    remaining: Exact = Field(description="How many units are left; 0 if it is used up or exceeded.")
    resets_at: Instant
    of_trial: bool = Field(
        False,
        description="Whether it is of the trial, from its beginning to its end, and not of "
        "the billing period.",
    )


class TrialStanding(Answer):
    """The ``amount`` that a trial may be used for, and what was ``used`` of it, unrounded.

    Each unit counts by the plan's prices, included ones too. Calls are refused once it is used up.
    """

    amount: Exact = Field(description="What usage on trial may be worth.")
    currency: Currency
    used: Exact = Field(
        description="What it is worth so far by the plan's prices, unrounded; included units "
        "count too."
    )
    remaining: Exact = Field(description="What is left of it; 0 if it is used up.")
    ends_at: Instant = Field(description="When the trial ends.")


class Entitlements(Answer):
    """What a tenant is entitled to at ``as_of``.

    ``models`` are those on sale that its plan allows. While the subscription is paused, and while
    an invoice is so long overdue that calls are refused (``suspended``), there are none, and no
    ``features``. ``trial`` is there on a trial with an amount of its own.
    """

    as_of: Instant
    plan: Id = Field(description="The plan in force, by its id.")
    plan_version: int
    state: SubscriptionState = Field(
        description="`active`, on `trial`, or `paused`, which refuses calls."
    )
    suspended: bool = Field(
        description="Whether calls are refused because an invoice is long overdue."
    )
    models: list[Name] = Field(
        description="The models that may be called; none while paused or suspended."
    )
    limits: RateLimits = Field(
        description="What all calls of the tenant together may do at a time."
    )
    model_limits: list[ModelLimits] = []
    features: list[Id] = Field(
        description="The plan's words for the seller's own programs; none while paused or "
        "suspended."
    )
    quotas: list[QuotaStanding] = Field(description="How much of each quota is used and left.")
    trial: TrialStanding | None = Field(
        None,
        description="How much of a trial's amount is used and left; null off trial, or if the "
        "trial has none.",
    )
