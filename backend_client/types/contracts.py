"""Contracts and coupons: what a tenant has agreed beside its plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, Self

from pydantic import Field, model_validator

from backend_client.types.charges import Id, Percent, Price, Units, UnitSize
from backend_client.types.common import Answer, Currency, Instant, Wire
from backend_client.types.events import MeterName
from backend_client.types.texts import Prose, Title


class Ramp(Wire):
    """``amount`` committed in each of the next ``periods`` billing periods."""

    amount: Units
    periods: int = Field(ge=1, le=120)


class CommitmentTerms(Wire):
    """What is committed: money, or units of ``meters`` with what ``unit_size`` of them cost.

    With ``true_up`` ``period`` each period stands alone; with ``term`` all count together, and what
    is missing is asked for in the last. ``overage_discount`` is the percentage off what is beyond.
    """

    ramps: list[Ramp] = Field(min_length=1, max_length=120)
    true_up: Literal["period", "term"] = "period"
    overage_discount: Percent = Decimal(0)
    meters: list[MeterName] | None = Field(None, min_length=1)
    unit_price: Price = Decimal(1)
    unit_size: UnitSize = 1

    @model_validator(mode="after")
    def _money_is_worth_itself(self) -> Self:
        if self.meters is None and (self.unit_price != 1 or self.unit_size != 1):
            raise ValueError("unit_price and unit_size are for a commitment in meters")
        return self


class ServiceLevel(Wire):
    """Availability ``below`` so many percent earns a credit of ``credit`` percent of usage."""

    below: Percent
    credit: Percent


class ContractCreate(Wire):
    """A contract that begins with the billing period that ``start`` is the start of.

    Its term is as long as its commitment's ramps, or ``periods`` without one. ``net_days`` is how
    long the tenant has to pay. If it ``renews`` another term of the same follows each, until an
    amendment says otherwise or a later contract begins. Where it ends, and none follows, the tenant
    moves to ``then_plan``; null leaves it on its plan.
    """

    name: Title = Field(min_length=1, max_length=200)
    start: Instant
    commitment: CommitmentTerms | None = None
    periods: int | None = Field(None, ge=1, le=120)
    service_levels: list[ServiceLevel] = Field([], max_length=20)
    net_days: int | None = Field(None, ge=0, le=365)
    renews: bool = False
    then_plan: Id | None = None

    @model_validator(mode="after")
    def _has_one_term(self) -> Self:
        if (self.commitment is None) == (self.periods is None):
            raise ValueError("give either a commitment, whose ramps are the term, or periods")
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

    effective_at: Instant
    more: Units = Decimal(0)
    renews: bool | None = None
    reason: Prose = Field(min_length=1, max_length=500)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.more and self.renews is None:
            raise ValueError("give more units, or whether the contract renews")
        return self


class Amendment(AmendmentCreate, Answer):
    """An amendment that was agreed."""

    number: int
    created_at: Instant


class Contract(Answer):
    """A contract whose first term is from ``start`` until ``end``; ``terms`` say if it renews."""

    id: str
    terms: ContractCreate
    start: Instant
    end: Instant
    amendments: list[Amendment] = []

    @property
    def renews(self) -> bool:
        """Whether another term follows the present one, as it was amended last."""
        said = [amended.renews for amended in self.amendments if amended.renews is not None]
        return said[-1] if said else self.terms.renews


class Coupon(Wire):
    """Takes ``percent``, or ``amount`` of ``currency``, off bills, for ``periods`` (null: all).

    ``plans`` limits it to what those plans ask for. Of a yearly fee, it is on each period's part.
    It can be redeemed ``max_redemptions`` times, once a tenant, until ``redeem_by``.
    """

    id: Id
    name: Title = Field(min_length=1, max_length=200)
    percent: Percent | None = None
    amount: Price | None = None
    currency: Currency | None = None
    periods: int | None = Field(1, ge=1, le=120)
    plans: list[Id] | None = Field(None, min_length=1)
    max_redemptions: int | None = Field(None, ge=1)
    redeem_by: Instant | None = None

    @model_validator(mode="after")
    def _one_of_percent_and_amount(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            raise ValueError("give either percent or amount")
        if (self.amount is None) != (self.currency is None):
            raise ValueError("an amount needs its currency, and a percentage has none")
        return self


class CouponRedeem(Wire):
    """Redeem a coupon."""

    coupon: Id


class RedeemedCoupon(Answer):
    """A coupon of a tenant's, on the periods that begin from ``starts_at`` until ``ends_at``."""

    coupon: Coupon
    redeemed_at: Instant
    starts_at: Instant
    ends_at: Instant | None
