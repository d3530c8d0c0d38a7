"""What a plan has beside its charges: pools, discounts, credit, quotas, prices by currency."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from backend_client.types.charges import Id, Percent, Price, Tier, Units, refuse
from backend_client.types.common import Currency, Exact, Wire
from backend_client.types.events import MeterName, Name
from backend_client.types.texts import Title


class IncludedPool(Wire):
    """Units a period that several charges may draw on, in the order they are named, for free.

    What a charge includes itself is used up before the pool, which is prorated like a fee. It has
    ``quantity`` units, and ``quantity_per_seat`` more for each seat of the subscription.
    """

    id: Id = Field(description="What the pool is known by within its plan.")
    name: Title = Field(min_length=1, max_length=200, description="What people read it as.")
    charges: list[Id] = Field(
        min_length=1,
        description="The charges, by id, that may draw on it, in the order in which they do. "
        "A charge draws on one pool at most.",
    )
    quantity: Units = Field(Decimal(0), description="How many units it has in a whole period.")
    quantity_per_seat: Units = Field(
        Decimal(0), description="How many more units it has for each seat of the subscription."
    )

    @model_validator(mode="after")
    def _has_units(self) -> Self:
        if "quantity" not in self.model_fields_set and not self.quantity_per_seat:
            refuse("give a quantity or a quantity_per_seat", "quantity")
        return self


class Discount(Wire):
    """Takes ``percent`` or, once a period, ``amount`` off ``charges`` (null for all of the plan).

    A discount never takes off more than there is. Of a yearly fee, a percentage comes off what is
    asked for or given back, an amount off the part of its year that the period is.
    """

    id: Id = Field(description="What the discount is known by within its plan.")
    name: Title = Field(
        min_length=1, max_length=200, description="What the line of an invoice says."
    )
    percent: Percent | None = Field(
        None, description="How many percent it takes off; null if it takes an amount."
    )
    amount: Price | None = Field(
        None,
        description="How much it takes off once a period, in the plan's currency; null if it "
        "takes a percentage.",
    )
    charges: list[Id] | None = Field(
        None,
        min_length=1,
        description="The charges, by id, that it takes from; null for all of the plan.",
    )

    @model_validator(mode="after")
    def _one_of_percent_and_amount(self) -> Self:
        if (self.percent is None) == (self.amount is None):
            refuse("give either percent or amount")
        return self


class Proration(StrEnum):
    """How a fee is divided when a period is partly subscribed."""

    SECOND = "second"
    DAY = "day"


class GrantTerms(Wire):
    """Credit that the plan brings: every period or (``recurs`` false) once, with its first.

    A period brings the part that the plan is had for, as its fees are asked for; that expires with
    it, and up to ``rollover_cap`` of what is left is carried into the next. What comes once comes
    whole, and expires ``expires_after_days`` (null: never). ``models`` limits what it pays for.
    """

    id: Id = Field(description="What the credit is known by within its plan.")
    name: Title = Field(
        min_length=1, max_length=200, description="What people read it as in their wallet."
    )
    amount: Price = Field(description="How much credit it brings, in the plan's currency.")
    recurs: bool = Field(
        True, description="Whether each period brings it; false brings it once, with the first."
    )
    rollover_cap: Price = Field(
        Decimal(0),
        description="The most of what is left at a period's end that is carried into the next.",
    )
    expires_after_days: int | None = Field(
        None,
        ge=1,
        le=3660,
        description="After how many days credit that comes once expires; null for never.",
    )
    priority: int = Field(
        100,
        ge=0,
        le=1000,
        description="Which credit is used first among those that expire together: the lowest "
        "number.",
    )
    models: list[Name] | None = Field(
        None, min_length=1, description="The models that it pays for; null for all."
    )


class OwnPrice(Wire):
    """What one tenant pays for a charge of its plan, in its currency, in place of the plan's price.

    ``price``, ``tiers`` or ``percent``, as the charge has; ``included`` units if they differ too.
    All else of the charge, such as its meters and models, is the plan's.
    """

    id: Id = Field(description="The charge of the plan, by its id.")
    price: Price | None = Field(
        None,
        description="What `unit_size` units, a package or the fee cost this tenant; null for "
        "a charge with tiers or a percentage, or to change its included units alone.",
    )
    tiers: list[Tier] | None = Field(
        None,
        min_length=1,
        description="The tenant's own tiers, of a charge that has tiers; else null.",
    )
    percent: Annotated[Exact, Field(ge=0, le=1000, max_digits=13, decimal_places=10)] | None = (
        Field(None, description="The tenant's own percentage, of a charge that has one; else null.")
    )
    included: Units | None = Field(
        None,
        description="How many units of a period are free for this tenant; null for as many as "
        "the plan says.",
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = [self.price, self.tiers, self.percent]
        if sum(value is not None for value in given) > 1:
            refuse("give one of price, tiers and percent")
        if all(value is None for value in (*given, self.included)):
            refuse("give a price, tiers, a percent or included units")
        return self


class ChargePrices(Wire):
    """A charge's prices in another currency: ``price``, or ``tiers`` for a charge that has them."""

    id: Id = Field(description="The charge of the plan, by its id.")
    price: Price | None = Field(
        None, description="Its price in this currency; null for a charge with tiers."
    )
    tiers: list[Tier] | None = Field(
        None,
        min_length=1,
        description="Its tiers with prices in this currency; null for a charge with a single "
        "price.",
    )
    minimum: Price | None = Field(
        None,
        description="The least that the charge asks for in a period, in this currency; given "
        "if the charge has one.",
    )
    maximum: Price | None = Field(
        None,
        description="The most that the charge asks for in a period, in this currency; given "
        "if the charge has one.",
    )


class PriceList(Wire):
    """All of a plan's prices in another currency. Prices are set, never converted.

    ``discounts`` and ``grants`` have the amounts of those by id; ``rollover_caps`` how much of a
    grant is carried on, nothing if it is left out.
    """

    currency: Currency
    charges: list[ChargePrices] = Field(
        [], description="The prices of every charge of the plan; only percentages need none."
    )
    minimum: Price | None = Field(
        None,
        description="The least that a period on the plan costs, in this currency; given if "
        "the plan has one.",
    )
    maximum: Price | None = Field(
        None,
        description="The most that a period on the plan costs, in this currency; given if the "
        "plan has one.",
    )
    trial_amount: Annotated[Price, Field(gt=0)] | None = Field(
        None,
        description="What usage on trial may be worth, in this currency; given if the plan has it.",
    )
    discounts: dict[Id, Price] = Field(
        {}, description="The amount of each discount that takes one off, by its id."
    )
    grants: dict[Id, Price] = Field(
        {}, description="The amount of each of the plan's credits, by its id."
    )
    rollover_caps: dict[Id, Price] = Field(
        {}, description="How much of each credit that is carried on stays at most, by its id."
    )


class QuotaLimit(StrEnum):
    """What happens at a quota's end: calls are refused, or go on."""

    HARD = "hard"
    SOFT = "soft"


class Quota(Wire):
    """Units of ``meters``, summed, that a period allows."""

    meters: list[MeterName] = Field(
        min_length=1, description="The meters whose units are added up."
    )
    quantity: Units = Field(description="How many units a billing period allows.")
    limit: QuotaLimit = Field(
        description="What happens at its end: `hard` refuses calls, `soft` only shows it."
    )


class TrialQuota(Wire):
    """Units of ``meters``, summed, that a whole trial allows: calls are refused at its end."""

    meters: list[MeterName] = Field(
        min_length=1, description="The meters whose units are added up."
    )
    quantity: Units = Field(
        description="How many units the whole trial allows; then calls are refused until it ends."
    )
