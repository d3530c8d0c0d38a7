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

    id: Id
    name: Title = Field(min_length=1, max_length=200)
    charges: list[Id] = Field(min_length=1)
    quantity: Units = Decimal(0)
    quantity_per_seat: Units = Decimal(0)

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

    id: Id
    name: Title = Field(min_length=1, max_length=200)
    percent: Percent | None = None
    amount: Price | None = None
    charges: list[Id] | None = Field(None, min_length=1)

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

    id: Id
    name: Title = Field(min_length=1, max_length=200)
    amount: Price
    recurs: bool = True
    rollover_cap: Price = Decimal(0)
    expires_after_days: int | None = Field(None, ge=1, le=3660)
    priority: int = Field(100, ge=0, le=1000)
    models: list[Name] | None = Field(None, min_length=1)


class OwnPrice(Wire):
    """What one tenant pays for a charge of its plan, in its currency, in place of the plan's price.

    ``price``, ``tiers`` or ``percent``, as the charge has; ``included`` units if they differ too.
    All else of the charge, such as its meters and models, is the plan's.
    """

    id: Id
    price: Price | None = None
    tiers: list[Tier] | None = Field(None, min_length=1)
    percent: Annotated[Exact, Field(ge=0, le=1000, max_digits=13, decimal_places=10)] | None = None
    included: Units | None = None

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

    id: Id
    price: Price | None = None
    tiers: list[Tier] | None = Field(None, min_length=1)
    minimum: Price | None = None
    maximum: Price | None = None


class PriceList(Wire):
    """All of a plan's prices in another currency. Prices are set, never converted.

    ``discounts`` and ``grants`` have the amounts of those by id; ``rollover_caps`` how much of a
    grant is carried on, nothing if it is left out.
    """

    currency: Currency
    charges: list[ChargePrices] = []
    minimum: Price | None = None
    maximum: Price | None = None
    trial_amount: Annotated[Price, Field(gt=0)] | None = None
    discounts: dict[Id, Price] = {}
    grants: dict[Id, Price] = {}
    rollover_caps: dict[Id, Price] = {}


class QuotaLimit(StrEnum):
    """What happens at a quota's end: calls are refused, or go on."""

    HARD = "hard"
    SOFT = "soft"


class Quota(Wire):
    """Units of ``meters``, summed, that a period allows."""

    meters: list[MeterName] = Field(min_length=1)
    quantity: Units
    limit: QuotaLimit


class TrialQuota(Wire):
    """Units of ``meters``, summed, that a whole trial allows: calls are refused at its end."""

    meters: list[MeterName] = Field(min_length=1)
    quantity: Units
