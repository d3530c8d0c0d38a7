"""What a tenant may do: the models, limits, quotas and features of its plan, as they stand."""

from __future__ import annotations

from backend_client.types.accounts import RateLimits
from backend_client.types.charges import Id, Units
from backend_client.types.common import Answer, Exact, Instant
from backend_client.types.events import MeterName, Name
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


class Entitlements(Answer):
    """What a tenant is entitled to at ``as_of``.

    ``models`` are those on sale that its plan allows. While the subscription is paused, and while
    an invoice is so long overdue that calls are refused (``suspended``), there are none, and no
    ``features``.
    """

    as_of: Instant
    plan: Id
    plan_version: int
    state: SubscriptionState
    suspended: bool
    models: list[Name]
    limits: RateLimits
    features: list[Id]
    quotas: list[QuotaStanding]
