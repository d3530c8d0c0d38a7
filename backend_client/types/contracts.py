"""Contracts and coupons: what a tenant has agreed beside its plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backend_client.types.charges import Id, Percent, Price, Units, UnitSize
from backend_client.types.common import Answer, Currency, Exact, Instant, Wire, plain
from backend_client.types.events import MeterName
from backend_client.types.texts import Prose, Title


class Ramp(Wire):
    """``amount`` committed in each of the next ``periods`` billing periods."""

    amount: Units = Field(
        description="What is committed in each of these periods: money in the tenant's "
        "currency, or units if the commitment has `meters`."
    )
    periods: int = Field(
        ge=1, le=120, description="For how many billing periods, before the next ramp begins."
    )


class CommitmentTerms(Wire):
    """What is committed: money, or units of ``meters`` with what ``unit_size`` of them cost.

    With ``true_up`` ``period`` each period stands alone; with ``term`` all count together, and what
    is missing is asked for in the last. ``overage_discount`` is the percentage off what is beyond.
    """

    ramps: list[Ramp] = Field(
        min_length=1,
        max_length=120,
        description="What is committed, one time after another; together they are the "
        "contract's term.",
    )
    true_up: Literal["period", "term"] = Field(
        "period",
        description="When what is missing is asked for: after each `period`, or once for the "
        "whole `term`, in its last period.",
    )
    overage_discount: Percent = Field(
        Decimal(0), description="How many percent are taken off what is used beyond the commitment."
    )
    meters: list[MeterName] | None = Field(
        None,
        min_length=1,
        description="The meters whose units are committed; null for a commitment of money.",
    )
    unit_price: Price = Field(
        Decimal(1),
        description="What `unit_size` units that are missing cost; 1 for a commitment of money.",
    )
    unit_size: UnitSize = Field(
        1, description="For how many units `unit_price` is; 1 for a commitment of money."
    )

    @model_validator(mode="after")
    def _money_is_worth_itself(self) -> Self:
        if self.meters is None and (self.unit_price != 1 or self.unit_size != 1):
            raise ValueError("unit_price and unit_size are for a commitment in meters")
        return self


class ServiceLevel(Wire):
    """Availability ``below`` so many percent earns a credit of ``credit`` percent of usage."""

    below: Percent = Field(
        description="The availability in percent below which the credit is earned."
    )
    credit: Percent = Field(description="How many percent of the period's usage are credited.")


class PrepaidInstalment(Wire):
    """``amount`` is asked for as the term's billing period with this number begins, from 1."""

    period: int = Field(
        ge=1,
        le=120,
        description="The billing period of the term with whose beginning it is asked for, "
        "counted from 1.",
    )
    amount: Annotated[Price, Field(gt=0)] = Field(description="How much is asked for.")


class PrepaidTerms(Wire):
    """An ``amount`` that is paid ahead for the term, and drawn down by the invoices of the term.

    Each instalment is an invoice of its own: one for ``every`` month, quarter or year of the term,
    as that begins, or those ``instalments``, which come to the amount. The credit comes as the term
    begins, or with ``grant`` ``instalment`` each part as it is asked for. Of what is left at the
    end ``rollover_percent`` stays for ``rollover_months`` more, once; the rest expires.
    """

    amount: Annotated[Price, Field(gt=0)] = Field(
        description="What is paid ahead for the whole term."
    )
    every: Literal["month", "quarter", "year"] | None = Field(
        None,
        description="How often a part of it is asked for, in equal parts; null if "
        "`instalments` say so.",
    )
    instalments: list[PrepaidInstalment] | None = Field(
        None,
        min_length=1,
        max_length=120,
        description="The parts with their amounts, which add up to `amount`; null if `every` "
        "says so.",
    )
    grant: Literal["term", "instalment"] = Field(
        "term",
        description="When the credit is there: all as the `term` begins, or each part with "
        "its `instalment`.",
    )
    rollover_percent: Annotated[Percent, Field(gt=0)] | None = Field(
        None, description="How many percent of what is left at the term's end stay; null: none."
    )
    rollover_months: int | None = Field(
        None, ge=1, le=120, description="For how many months longer they stay; null: none."
    )

    @model_validator(mode="after")
    def _has_one_schedule(self) -> Self:
        if (self.every is None) == (self.instalments is None):
            raise ValueError("give either every or instalments")
        if self.instalments is not None:
            numbers = [instalment.period for instalment in self.instalments]
            if numbers != sorted(set(numbers)):
                raise ValueError("instalments must be in the order of their periods, one in each")
            asked = sum((instalment.amount for instalment in self.instalments), Decimal(0))
            if asked != self.amount:
                raise ValueError(f"instalments come to {plain(asked)}, and not to the amount")
        return self

    @model_validator(mode="after")
    def _rollover_is_whole(self) -> Self:
        if (self.rollover_percent is None) != (self.rollover_months is None):
            raise ValueError("give both rollover_percent and rollover_months, or neither")
        return self

    @property
    def every_periods(self) -> int:
        """Billing periods from one instalment to the next; 0 if they are listed."""
        return {None: 0, "month": 1, "quarter": 3, "year": 12}[self.every]


class ContractCreate(Wire):
    """A contract that begins with the billing period that ``start`` is the start of.

    Its term is as long as its commitment's ramps, or ``periods`` without one. A ``prepaid`` amount
    is paid ahead for that term. ``net_days`` is how long the tenant has to pay. If it ``renews``
    another term of the same follows each, until an amendment says otherwise or a later contract
    begins. Where it ends, and none follows, the tenant moves to ``then_plan``; null leaves it on
    its plan.
    """

    name: Title = Field(min_length=1, max_length=200, description="What people read it as.")
    start: Instant
    commitment: CommitmentTerms | None = Field(
        None,
        description="What the tenant commits to use; null for a contract without one, which "
        "has `periods`.",
    )
    periods: int | None = Field(
        None,
        ge=1,
        le=120,
        description="How many billing periods its term has; null if a commitment's ramps say so.",
    )
    prepaid: PrepaidTerms | None = Field(
        None, description="What is paid ahead for the term; null for nothing."
    )
    service_levels: list[ServiceLevel] = Field(
        [],
        max_length=20,
        description="Credits that the tenant earns when availability is low; the lowest level "
        "that was missed counts.",
    )
    net_days: int | None = Field(
        None,
        ge=0,
        le=365,
        description="How many days the tenant has to pay its invoices; null for what its "
        "terms say.",
    )
    renews: bool = Field(False, description="Whether another term of the same follows each.")
    then_plan: Id | None = Field(
        None,
        description="The plan that the tenant moves to where the contract ends; null leaves "
        "it on its plan.",
    )

    @model_validator(mode="after")
    def _has_one_term(self) -> Self:
        if (self.commitment is None) == (self.periods is None):
            raise ValueError("give either a commitment, whose ramps are the term, or periods")
        return self

    @model_validator(mode="after")
    def _is_paid_ahead_within_the_term(self) -> Self:
        if self.prepaid is None:
            return self
        if self.periods is None:
            raise ValueError("what is prepaid is for a term of periods, without a commitment")
        if self.prepaid.every_periods and self.periods % self.prepaid.every_periods:
            raise ValueError(f"periods must be whole: one {self.prepaid.every} after another")
        if self.prepaid.instalments and self.prepaid.instalments[-1].period > self.periods:
            raise ValueError("an instalment is after the term")
        return self

    @property
    def term(self) -> int:
        """Billing periods that it runs for."""
        if self.commitment is None:
            return self.periods or 0
        return sum(ramp.periods for ramp in self.commitment.ramps)


class AmendmentCreate(Wire):
    """From ``effective_at`` on, ``more`` is committed in each period, until the same end of term.

    ``renews`` says whether the contract renews when the term ends that runs then, and later ones;
    null leaves it as it is.
    """

    effective_at: Instant = Field(
        description="The start of the billing period from which on it holds."
    )
    more: Units = Field(
        Decimal(0),
        description="How much more is committed in each period from then on; 0 if only the "
        "renewal changes.",
    )
    renews: bool | None = Field(
        None,
        description="Whether another term follows the one that runs then; null leaves it as it is.",
    )
    reason: Prose = Field(
        min_length=1, max_length=500, description="Why it was agreed, for the record."
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.more and self.renews is None:
            raise ValueError("give more units, or whether the contract renews")
        return self


class Amendment(AmendmentCreate, Answer):
    """An amendment that was agreed."""

    number: int = Field(description="Which amendment of the contract, counted from 1.")
    created_at: Instant


class Instalment(Answer):
    """A part of what is prepaid for the term that begins at ``term_start``, due to be asked for.

    ``invoice_id`` is the invoice that asks for it, null before there is one.
    """

    number: int = Field(description="Which instalment of its term, counted from 1.")
    of: int = Field(description="How many instalments the term has.")
    term_start: Instant = Field(description="Where the term begins that it is of.")
    due_at: Instant = Field(description="When it is invoiced.")
    amount: Exact = Field(description="How much it asks for, before tax, in the tenant's currency.")
    invoice_id: str | None


class Contract(Answer):
    """A contract whose first term is from ``start`` until ``end``; ``terms`` say if it renews.

    ``instalments`` are those of what is prepaid, of the first term and all that began since.
    """

    id: str
    terms: ContractCreate = Field(description="What was agreed at the beginning.")
    start: Instant
    end: Instant
    amendments: list[Amendment] = Field([], description="What was agreed since, in order.")
    instalments: list[Instalment] = Field(
        [],
        description="The parts of what is prepaid, of the first term and all that began "
        "since; empty if nothing is.",
    )

    @property
    def renews(self) -> bool:
        """Whether another term follows the present one, as it was amended last."""
        choices = [amended.renews for amended in self.amendments if amended.renews is not None]
        return choices[-1] if choices else self.terms.renews


class Coupon(Wire):
    """Takes ``percent``, or ``amount`` of ``currency``, off bills, for ``periods`` (null: all).

    ``plans`` limits it to what those plans ask for. Of a yearly fee, it is on each period's part.
    It can be redeemed ``max_redemptions`` times, once a tenant, until ``redeem_by``.
    """

    id: Id = Field(description="What it is redeemed by, such as `launch-20`.")
    name: Title = Field(
        min_length=1, max_length=200, description="What the line of an invoice says."
    )
    percent: Percent | None = Field(
        None, description="How many percent it takes off; null if it takes an amount."
    )
    amount: Price | None = Field(
        None,
        description="How much it takes off each period, in its `currency`; null if it takes a "
        "percentage.",
    )
    currency: Currency | None = None
    periods: int | None = Field(
        1,
        ge=1,
        le=120,
        description="For how many billing periods it holds from when it is redeemed; null for all.",
    )
    plans: list[Id] | None = Field(
        None, min_length=1, description="The plans, by id, from whose lines it takes; null for all."
    )
    max_redemptions: int | None = Field(
        None, ge=1, description="How many tenants can redeem it; null for any number."
    )
    redeem_by: Instant | None = Field(
        None, description="Until when it can be redeemed; null for any time."
    )

    @model_validator(mode="after")
    def _one_of_percent_and_amount(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("give either percent or amount")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount needs its currency, and a percentage has none")
        return self


class CouponRedeem(Wire):
    """Redeem a coupon."""

    coupon: Id = Field(description="What the coupon is redeemed by: its id, such as `launch-20`.")


class RedeemedCoupon(Answer):
    """A coupon of a tenant's, on the periods that begin from ``starts_at`` until ``ends_at``."""

    coupon: Coupon = Field(description="What the coupon takes off.")
    redeemed_at: Instant = Field(description="When the tenant redeemed it.")
    starts_at: Instant = Field(description="The start of the first billing period that it is for.")
    ends_at: Instant | None = Field(
        description="Where the last billing period ends that it is for; null for no end."
    )
