"""What the current period has cost so far, and where it is heading."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from backend_client.types.charges import Cadence, ChargeKind, FlatPer
from backend_client.types.common import Answer, Exact, Instant, Money
from backend_client.types.plan_terms import QuotaLimit


class Period(Answer):
    """A billing period, ``start`` inclusive, ``end`` exclusive."""

    start: Instant
    end: Instant
    time_zone: str


class TierSpend(Answer):
    """One tier's part of a line: ``quantity`` units at ``price`` per ``unit_size``.

    ``flat_fee`` is part of ``amount``.
    """

    up_to: Exact | None
    quantity: Exact
    price: Exact
    amount: Exact
    flat_fee: Exact = Decimal(0)


class FeeSpend(Answer):
    """A time in which a flat fee was asked for ``quantity`` times, at the line's price.

    ``share`` is which part of the month, or of a longer fee's time, that is; ``exact`` is the price
    of it, unrounded. Of a fee for a quarter or a year each change of the number is such a time, to
    the end of the quarter or year; with a ``quantity`` below zero it is given back.
    """

    start: Instant
    end: Instant
    quantity: Exact
    share: Exact
    exact: Exact


class SpendLine(Answer):
    """One charge in one stretch of a subscription.

    ``exact`` is what the arithmetic gives; ``amount`` is ``exact`` rounded half up to the minor
    unit. The total is the sum of the rounded lines and adjustments. ``price`` is for
    ``unit_size`` units, and null where tiers have prices.

    ``cadence`` says how long a flat fee is for (null on fees of long ago: a month). One for a year
    or a quarter is asked for in one amount; ``start`` to ``end`` is then the time that is asked for
    or, where ``quantity`` is below zero, given back, and ``quantity`` how many years or quarters of
    one that is. ``per`` says what a flat fee is for each of (null on fees of long ago). One
    ``in_advance`` is invoiced when its period begins. Where the number of seats or add-ons changed,
    ``quantity`` is the average and ``fee_parts`` has each number with its time.
    """

    charge_id: str
    name: str
    kind: ChargeKind
    plan: str
    plan_version: int
    start: Instant
    end: Instant
    meters: list[str] = []
    models: list[str] | None = None
    labels: dict[str, str] = {}
    window: str | None = None
    quantity: Exact
    included: Exact
    billable: Exact
    unit_size: int
    cadence: Cadence | None = None
    per: FlatPer | None = None
    in_advance: bool = False
    price: Exact | None
    tiers: list[TierSpend] = []
    fee_parts: list[FeeSpend] = []
    exact: Exact
    amount: Money


class SpendAdjustment(Answer):
    """A signed amount beside the lines: a charge's or the plan's limit, or a discount.

    ``id`` is the charge's, the discount's, the plan's, the coupon's or the contract's. Coupons and
    contracts are for the whole bill: their ``plan`` is empty.
    """

    kind: Literal[
        "maximum",
        "minimum",
        "discount",
        "trial",
        "coupon",
        "overage_discount",
        "true_up",
        "service_credit",
    ]
    id: str
    name: str
    plan: str
    plan_version: int
    exact: Exact
    amount: Money


class UnpricedUsage(Answer):
    """Usage that no charge of the plan prices: nothing is lost, nothing is billed."""

    model: str
    meter: str
    quantity: Exact


class SpendReport(Answer):
    """Spend in a billing period so far.

    ``exact_total`` sums the unrounded lines and adjustments.
    """

    period: Period
    as_of: Instant
    currency: str
    lines: list[SpendLine]
    adjustments: list[SpendAdjustment] = []
    exact_total: Exact
    total: Money
    unpriced: list[UnpricedUsage] = []
    version: int


class DailySpend(Answer):
    """One day of a forecast, as cumulative spend in its period; bands are null for the past."""

    day: Instant
    actual: Exact | None
    expected: Exact | None
    low: Exact | None
    high: Exact | None


class QuotaOutlook(Answer):
    """Whether a quota of the plan lasts, if usage goes on unhindered.

    ``chance`` (0 to 1) is that of passing it within the period. ``early`` is the first day by whose
    end a tenth of the simulated futures have passed it, ``likely`` the one by whose end half have.
    """

    meters: list[str]
    quantity: Exact
    limit: QuotaLimit
    used: Exact
    chance: float
    early: Instant | None
    likely: Instant | None


class PlanOutlook(Answer):
    """What the period would cost if all of it were on a plan; ``reason`` says why one won't fit.

    ``credit`` is what the credit that the plan brings each period, for every model, pays of what is
    ``expected`` (null in forecasts of long ago).
    """

    plan: str
    name: str
    plan_version: int
    current: bool
    expected: Money
    low: Money
    high: Money
    credit: Money | None = None
    fits: bool
    reason: str | None


class Trust(Answer):
    """How well forecasts from past days met what came, ``horizon_days`` on.

    ``coverage`` is the share of days whose cumulative value lay in the 80% band; ``error`` the mean
    absolute error at the horizon's end as a share of what came; ``naive_error`` that of saying the
    last seven days again, and ``ratio`` the one over the other: below 1 is better than naive.
    """

    measure: Literal["spend", "tokens"]
    trials: int
    horizon_days: int
    coverage: float
    error: float
    naive_error: float
    ratio: float | None
    computed_at: Instant


class BudgetOutlook(Answer):
    """Whether spend passes ``budget`` within the period; see ``QuotaOutlook`` for the days."""

    budget: Money
    spent: Money
    chance: float
    early: Instant | None
    likely: Instant | None
    computed_at: Instant


class OddDay(Answer):
    """A day far from what is usual for its weekday, which is over and was left out of the fit.

    ``used`` and ``usual`` are in units of the meter; ``day`` is where the day begins.
    """

    day: Instant
    model: str
    meter: str
    used: Exact
    usual: Exact


class Forecast(Answer):
    """Where spend is heading by the period's end.

    ``method`` is ``prophet`` or, with too little history, ``run_rate``; ``reason`` says why.
    ``expected`` is the median of the simulated outcomes; ``low`` and ``high`` hold 80% of them.
    Calls that a hard quota refuses cost nothing: ``demand`` is the median without such refusals,
    null where none is foreseen. ``plans`` are those on sale, the cheapest that fits first.
    ``trust`` is null while it is not known, or while the past is too short.
    """

    period: Period
    method: Literal["prophet", "run_rate"]
    reason: str | None
    history_days: int
    expected: Money
    low: Money
    high: Money
    demand: Money | None = None
    days: list[DailySpend]
    quotas: list[QuotaOutlook] = []
    plans: list[PlanOutlook] = []
    trust: Trust | None = None
    odd_days: list[OddDay] = []
    computed_at: Instant
    version: int
