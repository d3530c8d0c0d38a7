"""What the current period has cost so far, and where it is heading."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

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

    up_to: Exact | None = Field(description="The last unit of the tier; null for all above.")
    quantity: Exact = Field(description="How many units fall in it.")
    price: Exact = Field(description="What `unit_size` of them, or a package, cost.")
    amount: Exact = Field(description="What they come to, unrounded, `flat_fee` included.")
    flat_fee: Exact = Field(
        Decimal(0), description="What is asked for once a period because the tier was reached."
    )


class FeeSpend(Answer):
    """A time in which a flat fee was asked for ``quantity`` times, at the line's price.

    ``share`` is which part of the month, or of a longer fee's time, that is; ``exact`` is the price
    of it, unrounded. Of a fee for a quarter or a year each change of the number is such a time, to
    the end of the quarter or year; with a ``quantity`` below zero it is given back.
    """

    start: Instant
    end: Instant
    quantity: Exact = Field(
        description="How often the fee was asked for in this time; below zero if it is given back."
    )
    share: Exact = Field(description="Which part of the month, or of a longer fee's time, this is.")
    exact: Exact = Field(description="What that comes to, unrounded.")


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

    charge_id: str = Field(description="The charge of the plan, by its id.")
    name: str = Field(description="What the line says.")
    kind: ChargeKind = Field(
        description="How the charge prices: by unit, tiers, packages, a percentage, or as a "
        "flat fee."
    )
    plan: str = Field(description="Which plan, by its id in the catalog.")
    plan_version: int
    start: Instant
    end: Instant
    meters: list[str] = Field(
        [], description="The meters whose units are added up; empty for a fee."
    )
    models: list[str] | None = Field(
        None, description="The models whose usage it prices; null for all."
    )
    labels: dict[str, str] = Field(
        {}, description="Labels that the usage had to have; empty for any."
    )
    window: str | None = Field(
        None, description="The time window that the usage fell in, by id; null for any time."
    )
    quantity: Exact = Field(
        description="How many units were used, or how often the fee is asked for."
    )
    included: Exact = Field(description="How many of these were free.")
    billable: Exact = Field(
        description="How many are priced: `quantity` less `included`, never below zero."
    )
    unit_size: int = Field(description="For how many units the price is.")
    cadence: Cadence | None = Field(None, description="How long a fee is for; null for usage.")
    per: FlatPer | None = Field(
        None,
        description="What a fee is asked for: the subscription, each seat, or each add-on; "
        "null for usage.",
    )
    in_advance: bool = Field(False, description="Whether it is invoiced when its period begins.")
    price: Exact | None = Field(
        description="What `unit_size` units or the fee cost; null where tiers have prices."
    )
    tiers: list[TierSpend] = Field(
        [], description="Each tier's part; empty for a charge without tiers."
    )
    fee_parts: list[FeeSpend] = Field(
        [], description="Each number of seats or add-ons with its time; empty if it did not change."
    )
    exact: Exact = Field(description="What the arithmetic gives, unrounded.")
    amount: Money = Field(
        description="What the line comes to: `exact`, rounded once, half up to the minor unit."
    )


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
    ] = Field(
        description="What it is: a limit (`minimum`, `maximum`), a `discount`, a `coupon`, a "
        "`trial`, or what a contract says."
    )
    id: str = Field(
        description="What it comes from, by id: a charge, discount, plan, coupon or contract."
    )
    name: str = Field(description="What the line says.")
    plan: str = Field(description="The plan, by its id; empty for what is of the whole bill.")
    plan_version: int
    exact: Exact = Field(
        description="What the arithmetic gives, unrounded; below zero if it is taken off."
    )
    amount: Money = Field(
        description="What it comes to: `exact`, rounded once, half up to the minor unit."
    )


class UnpricedUsage(Answer):
    """Usage that no charge of the plan prices: nothing is lost, nothing is billed."""

    model: str
    meter: str
    quantity: Exact = Field(description="How many units were used, which no charge prices.")


class SpendReport(Answer):
    """Spend in a billing period so far.

    ``exact_total`` sums the unrounded lines and adjustments.
    """

    period: Period = Field(description="The billing period that it is of.")
    as_of: Instant
    currency: str
    lines: list[SpendLine] = Field(description="What is asked for, charge by charge.")
    adjustments: list[SpendAdjustment] = Field(
        [], description="What limits, discounts, coupons and contracts add or take off."
    )
    exact_total: Exact = Field(
        description="The sum of all lines and adjustments before they are rounded."
    )
    total: Money = Field(description="The sum of the rounded lines and adjustments, before tax.")
    unpriced: list[UnpricedUsage] = Field(
        [], description="Usage that no charge of the plan prices: it is not billed."
    )
    version: int = Field(description="Grows with every change to the tenant's usage.")


class DailySpend(Answer):
    """One day of a forecast, as cumulative spend in its period; bands are null for the past."""

    day: Instant = Field(description="Where the day begins.")
    actual: Exact | None = Field(
        description="Spend from the period's start to the day's end; null for days to come."
    )
    expected: Exact | None = Field(
        description="The median of what it is expected to be; null for the past."
    )
    low: Exact | None = Field(
        description="Below it end one in ten of the simulated futures; null for the past."
    )
    high: Exact | None = Field(
        description="Above it end one in ten of the simulated futures; null for the past."
    )


class QuotaOutlook(Answer):
    """Whether a quota of the plan lasts, if usage goes on unhindered.

    ``chance`` (0 to 1) is that of passing it within the period. ``early`` is the first day by whose
    end a tenth of the simulated futures have passed it, ``likely`` the one by whose end half have.
    """

    meters: list[str] = Field(description="The meters whose units the quota adds up.")
    quantity: Exact = Field(description="How many units the quota allows.")
    limit: QuotaLimit = Field(
        description="What happens at its end: `hard` refuses calls, `soft` only shows it."
    )
    used: Exact = Field(description="How many are used so far.")
    chance: float = Field(description="How likely it is passed within the period, from 0 to 1.")
    early: Instant | None = Field(
        description="The first day by whose end a tenth of the simulated futures have passed "
        "it; null if fewer do."
    )
    likely: Instant | None = Field(
        description="The first day by whose end half of the simulated futures have passed it; "
        "null if fewer do."
    )


class PlanOutlook(Answer):
    """What the period would cost if all of it were on a plan; ``reason`` says why one won't fit.

    ``credit`` is what the credit that the plan brings each period, for every model, pays of what is
    ``expected`` (null in forecasts of long ago).
    """

    plan: str = Field(description="Which plan, by its id in the catalog.")
    name: str = Field(description="What people read it as.")
    plan_version: int
    current: bool = Field(description="Whether it is the plan that the tenant is on.")
    expected: Money = Field(description="What the period would cost on it: the median.")
    low: Money = Field(description="Below it end one in ten of the simulated futures.")
    high: Money = Field(description="Above it end one in ten of the simulated futures.")
    credit: Money | None = Field(
        None,
        description="What credit that the plan brings pays of what is expected; null in "
        "forecasts of long ago.",
    )
    fits: bool = Field(description="Whether the plan could carry the usage.")
    reason: str | None = Field(description="Why it could not; null if it fits.")


class Trust(Answer):
    """How well forecasts from past days met what came, ``horizon_days`` on.

    ``coverage`` is the share of days whose cumulative value lay in the 80% band; ``error`` the mean
    absolute error at the horizon's end as a share of what came; ``naive_error`` that of saying the
    last seven days again, and ``ratio`` the one over the other: below 1 is better than naive.
    """

    measure: Literal["spend", "tokens"] = Field(
        description="What was forecast: `spend`, or `tokens` if the plan prices none of them."
    )
    trials: int = Field(
        description="How many past days a forecast was made from, to compare it with what came."
    )
    horizon_days: int = Field(description="How many days ahead each of these forecasts looked.")
    coverage: float = Field(
        description="Which part of days lay in the band that should hold 80%, from 0 to 1."
    )
    error: float = Field(
        description="How far forecasts were from what came on the last day, on average, as a "
        "part of what came."
    )
    naive_error: float = Field(
        description="The same of saying that the last seven days come again."
    )
    ratio: float | None = Field(
        description="`error` over `naive_error`: below 1 is better than naive; null if that "
        "was never wrong."
    )
    computed_at: Instant


class BudgetOutlook(Answer):
    """Whether spend passes ``budget`` within the period; see ``QuotaOutlook`` for the days."""

    budget: Money = Field(description="The amount that the tenant wants to be warned about.")
    spent: Money = Field(description="What is spent so far.")
    chance: float = Field(description="How likely it is passed within the period, from 0 to 1.")
    early: Instant | None = Field(
        description="The first day by whose end a tenth of the simulated futures have passed "
        "it; null if fewer do."
    )
    likely: Instant | None = Field(
        description="The first day by whose end half of the simulated futures have passed it; "
        "null if fewer do."
    )
    computed_at: Instant


class OddDay(Answer):
    """A day far from what is usual for its weekday, which is over and was left out of the fit.

    ``used`` and ``usual`` are in units of the meter; ``day`` is where the day begins.
    """

    day: Instant = Field(description="Where the day begins.")
    model: str
    meter: str
    used: Exact = Field(description="How many units were used on it.")
    usual: Exact = Field(description="How many are usual on such a day of the week.")


class Forecast(Answer):
    """Where spend is heading by the period's end.

    ``method`` is ``prophet`` or, with too little history, ``run_rate``; ``reason`` says why.
    ``expected`` is the median of the simulated outcomes; ``low`` and ``high`` hold 80% of them.
    Calls that a hard quota refuses cost nothing: ``demand`` is the median without such refusals,
    null where none is foreseen. ``plans`` are those on sale, the cheapest that fits first.
    ``trust`` is null while it is not known, or while the past is too short.
    """

    period: Period = Field(description="The billing period that it is of.")
    method: Literal["prophet", "run_rate"] = Field(
        description="How it was made: `prophet`, or `run_rate` with too little history."
    )
    reason: str | None = Field(description="Why it was made by `run_rate`; null otherwise.")
    history_days: int = Field(description="How many past days it was made from.")
    expected: Money = Field(
        description="What the period will cost: the median of the simulated futures."
    )
    low: Money = Field(description="Below it end one in ten of the simulated futures.")
    high: Money = Field(description="Above it end one in ten of the simulated futures.")
    demand: Money | None = Field(
        None,
        description="What the period would cost if hard quotas refused no calls; null where "
        "none is foreseen to.",
    )
    days: list[DailySpend] = Field(
        description="Spend day by day, added up from the period's start."
    )
    quotas: list[QuotaOutlook] = Field([], description="Whether each of the plan's quotas lasts.")
    plans: list[PlanOutlook] = Field(
        [],
        description="What the period would cost on the plans on sale, the cheapest that fits "
        "first.",
    )
    trust: Trust | None = Field(
        None, description="How well such forecasts met what came; null while that is not known."
    )
    odd_days: list[OddDay] = Field(
        [], description="Past days that were far from what is usual, and were left out."
    )
    computed_at: Instant
    version: int = Field(
        description="Grows with every change to the tenant's usage: the one that it was made from."
    )
