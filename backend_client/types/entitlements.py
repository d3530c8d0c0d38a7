"""What a tenant may do: the models, limits, quotas and features of its plan, as they stand."""

from __future__ import annotations

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

    meters: list[MeterName]
    quantity: Units
    limit: QuotaLimit
    used: Exact
    remaining: Exact
    resets_at: Instant
    of_trial: bool = False


class TrialStanding(Answer):
    """The ``amount`` that a trial may be used for, and what was ``used`` of it, unrounded.

    Each unit counts by the plan's prices, included ones too. Calls are refused once it is used up.
    """

    amount: Exact
    currency: Currency
    used: Exact
    remaining: Exact
    ends_at: Instant


class Entitlements(Answer):
    """What a tenant is entitled to at ``as_of``.

    ``models`` are those on sale that its plan allows. While the subscription is paused, and while
    an invoice is so long overdue that calls are refused (``suspended``), there are none, and no
    ``features``. ``trial`` is there on a trial with an amount of its own.
    """

    as_of: Instant
    plan: Id
    plan_version: int
    state: SubscriptionState
    suspended: bool
    models: list[Name]
    limits: RateLimits
    model_limits: list[ModelLimits] = []
    features: list[Id]
    quotas: list[QuotaStanding]
    trial: TrialStanding | None = None
