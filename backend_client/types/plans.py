"""Plans as data: what a plan version charges, includes and allows."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from backend_client.types.accounts import RateLimits
from backend_client.types.charges import (
    Cadence,
    Charge,
    Day,
    FlatCharge,
    FlatPer,
    GraduatedCharge,
    Id,
    PackageCharge,
    Percent,
    PercentageCharge,
    PerUnitCharge,
    Price,
    Tier,
    TimeWindow,
    TimeZone,
    Units,
    UsageCharge,
    VolumeCharge,
    check_limits,
    check_tiers,
    refuse,
)
from backend_client.types.common import Answer, Currency, Instant, Wire
from backend_client.types.events import MeterName, Name
from backend_client.types.taxes import CatalogTax, check_taxes

__all__ = [
    "Cadence",
    "Catalog",
    "CatalogApplied",
    "CatalogModel",
    "Charge",
    "ChargePrices",
    "Day",
    "Discount",
    "FlatCharge",
    "FlatPer",
    "GraduatedCharge",
    "GrantTerms",
    "Id",
    "IncludedPool",
    "PackageCharge",
    "PerUnitCharge",
    "Percent",
    "PercentageCharge",
    "Plan",
    "PlanDefinition",
    "Price",
    "PriceList",
    "Proration",
    "Quota",
    "QuotaLimit",
    "Tier",
    "TimeWindow",
    "TimeZone",
    "Units",
    "UsageCharge",
    "VolumeCharge",
]


class IncludedPool(Wire):
    """Units a period that several charges may draw on, in the order they are named, for free.

    What a charge includes itself is used up before the pool.
    """

    id: Id
    name: str = Field(min_length=1, max_length=200)
    charges: list[Id] = Field(min_length=1)
    quantity: Units


class Discount(Wire):
    """Takes ``percent`` or, once a period, ``amount`` off ``charges`` (null for all of the plan).

    A discount never takes off more than there is. Of a yearly fee, a percentage comes off what is
    asked for or given back, an amount off the part of its year that the period is.
    """

    id: Id
    name: str = Field(min_length=1, max_length=200)
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

    Each period's expires with it; up to ``rollover_cap`` of what is left is carried into the next.
    What comes once expires ``expires_after_days`` (null: never). ``models`` limits what it pays
    for.
    """

    id: Id
    name: str = Field(min_length=1, max_length=200)
    amount: Price
    recurs: bool = True
    rollover_cap: Price = Decimal(0)
    expires_after_days: int | None = Field(None, ge=1, le=3660)
    priority: int = Field(100, ge=0, le=1000)
    models: list[Name] | None = Field(None, min_length=1)


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


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Tell whether usage could have both sets of labels, and neither set says more."""
    return len(one) == len(other) and all(
        one.get(name, value) == value for name, value in other.items()
    )


class PlanDefinition(Wire):
    """A plan version's content. Immutable once published.

    ``minimum`` is the least that a period on the plan costs, after discounts; prorated like a fee.
    ``maximum`` is the most, also of a period in part. A yearly fee counts towards both with the
    part of its year that the period is.
    Only the operator puts a tenant on a plan that is ``by_contract``. With ``prepaid`` each call is
    paid from the wallet when it is made. A tenant's first subscription to the plan begins with
    ``trial_days`` on trial; then it goes on, or with ``trial_ends`` the catalog's default plan
    follows. ``price_lists`` are the prices in other currencies than ``currency``.

    What the plan entitles to: calls of ``models`` only (null: of all on sale), within the
    ``limits`` of all the tenant's calls together and the ``quotas``; and ``features``, which are
    words for the operator's own programs to ask for.
    """

    id: Id
    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    currency: Currency = "USD"
    windows: list[TimeWindow] = []
    charges: list[Charge] = []
    pools: list[IncludedPool] = []
    discounts: list[Discount] = []
    minimum: Price | None = None
    maximum: Price | None = None
    quotas: list[Quota] = []
    models: list[Name] | None = Field(None, min_length=1, max_length=500)
    limits: RateLimits = RateLimits()
    features: list[Id] = Field([], max_length=100)
    grants: list[GrantTerms] = []
    prepaid: bool = False
    by_contract: bool = False
    proration: Proration = Proration.SECOND
    trial_days: int = Field(0, ge=0, le=366)
    trial_ends: bool = False
    price_lists: list[PriceList] = []

    @model_validator(mode="after")
    def _charges_do_not_overlap(self) -> Self:
        ids: set[str] = set()
        seen: defaultdict[tuple[str, str | None, str | None], list[UsageCharge]] = defaultdict(list)
        windows = {window.id for window in self.windows}
        for index, charge in enumerate(self.charges):
            if charge.id in ids:
                refuse(f"another charge has the id {charge.id!r}", "charges", index, "id")
            ids.add(charge.id)
            if isinstance(charge, FlatCharge):
                continue
            if charge.window is not None and charge.window not in windows:
                at = ("charges", index, "window")
                refuse(f"there is no window {charge.window!r} in this plan", *at)
            models: Sequence[str | None] = charge.models or (None,)
            for meter, model in itertools.product(charge.meters, models):
                others = seen[meter, model, charge.window]
                for other in others:
                    if other.id != charge.id and _alike(other.labels, charge.labels):
                        of = f" of {model}" if model else ""
                        refuse(f"charge {other.id!r} prices {meter}{of} too", "charges", index)
                others.append(charge)
        return self

    def allows(self, model: str) -> bool:
        """Tell whether the plan lets a model be called."""
        return self.models is None or model in self.models

    @property
    def priced_labels(self) -> frozenset[str]:
        """Names of the labels that usage must be counted by for this plan to price it."""
        return frozenset(
            name
            for charge in self.charges
            if not isinstance(charge, FlatCharge)
            for name in charge.labels
        )

    @model_validator(mode="after")
    def _pools_and_discounts_name_charges(self) -> Self:
        usage = {charge.id for charge in self.charges if not isinstance(charge, FlatCharge)}
        pooled: set[str] = set()
        for index, pool in enumerate(self.pools):
            for place, charge_id in enumerate(pool.charges):
                at = ("pools", index, "charges", place)
                if charge_id not in usage:
                    refuse(f"there is no usage charge {charge_id!r} in this plan", *at)
                if charge_id in pooled:
                    refuse(f"charge {charge_id!r} draws on a pool already", *at)
                pooled.add(charge_id)
        every = {charge.id for charge in self.charges}
        for index, discount in enumerate(self.discounts):
            for place, charge_id in enumerate(discount.charges or ()):
                if charge_id not in every:
                    at = ("discounts", index, "charges", place)
                    refuse(f"there is no charge {charge_id!r} in this plan", *at)
        for field in ("windows", "pools", "discounts", "grants"):
            ids = [part.id for part in getattr(self, field)]
            for index, part_id in enumerate(ids):
                if part_id in ids[:index]:
                    refuse(f"the id {part_id!r} is given twice", field, index, "id")
        return self

    @model_validator(mode="after")
    def _models_and_features_are_named_once(self) -> Self:
        for field, names in (("models", self.models or []), ("features", self.features)):
            for index, name in enumerate(names):
                if name in names[:index]:
                    refuse(f"{name!r} is given twice", field, index)
        return self

    @model_validator(mode="after")
    def _price_lists_are_whole(self) -> Self:
        """A list that forgot a price would sell for nothing: each must have them all."""
        seen = {self.currency}
        for index, prices in enumerate(self.price_lists):
            at = ("price_lists", index)
            if prices.currency in seen:
                refuse(f"there are prices in {prices.currency} already", *at, "currency")
            seen.add(prices.currency)
            self._check_price_list(prices, at)
        return self

    @model_validator(mode="after")
    def _minimum_is_below_maximum(self) -> Self:
        check_limits(self.minimum, self.maximum)
        for index, prices in enumerate(self.price_lists):
            check_limits(prices.minimum, prices.maximum, "price_lists", index)
        return self

    def _check_price_list(self, prices: PriceList, at: tuple[str, int]) -> None:
        given = {one.id: (place, one) for place, one in enumerate(prices.charges)}
        for charge in self.charges:
            place, one = given.pop(charge.id, (None, None))
            if isinstance(charge, PercentageCharge) and one is None:
                continue
            if one is None or place is None:
                refuse(f"charge {charge.id!r} has no price in {prices.currency}", *at, "charges")
            tiered = isinstance(charge, GraduatedCharge | VolumeCharge)
            wanted = None if isinstance(charge, PercentageCharge) else tiered
            if (one.tiers is not None, one.price is not None) != (wanted is True, wanted is False):
                what = (
                    "tiers"
                    if tiered
                    else "neither price nor tiers"
                    if wanted is None
                    else "a price"
                )
                refuse(f"charge {charge.id!r} needs {what}", *at, "charges", place)
            if one.tiers is not None:
                check_tiers(one.tiers, *at, "charges", place)
            for field in ("minimum", "maximum"):
                own: Decimal | None = getattr(charge, field, None)
                if (own is None) != (getattr(one, field) is None):
                    refuse(f"give a {field} in both currencies or in none", *at, "charges", place)
        for charge_id, (place, _) in given.items():
            refuse(f"there is no charge {charge_id!r} in this plan", *at, "charges", place)
        for field in ("minimum", "maximum"):
            if (getattr(self, field) is None) != (getattr(prices, field) is None):
                refuse(f"give a {field} in both currencies or in none", *at, field)
        if set(prices.discounts) != {one.id for one in self.discounts if one.amount is not None}:
            refuse("give the amounts of the discounts that have one", *at, "discounts")
        if set(prices.grants) != {one.id for one in self.grants}:
            refuse("give the amount of every grant", *at, "grants")

    @model_validator(mode="after")
    def _prepaid_calls_have_a_price(self) -> Self:
        """A call is paid when it is made, so its price can't hang on what the period brings yet."""
        if not self.prepaid:
            return self
        for index, charge in enumerate(self.charges):
            limited = charge.included or (
                not isinstance(charge, FlatCharge) and (charge.minimum or charge.maximum)
            )
            if limited or not isinstance(charge, PerUnitCharge | PercentageCharge):
                detail = "a prepaid plan has per_unit and percentage charges without limits only"
                refuse(detail, "charges", index)
        limited = self.minimum is not None or self.maximum is not None
        if self.pools or self.discounts or limited:
            refuse("a prepaid plan has no pools, discounts, minimum or maximum", "prepaid")
        return self


class CatalogModel(Wire):
    """A model in the catalog file."""

    id: Name
    name: str
    description: str = ""
    context_window: int = Field(gt=0)
    max_output_tokens: int = Field(gt=0)
    tokenizer: str = Field(
        description="tiktoken:<encoding>, mistral:<version>, file:<path to tokenizer.json>, or "
        "upstream (asks the provider's /tokenize)"
    )


class Catalog(Wire):
    """``catalog.yaml``: the models on sale, the plans that price them, and the rates of tax."""

    version: Literal[1]
    default_plan: str
    models: list[CatalogModel]
    plans: list[PlanDefinition]
    taxes: list[CatalogTax] = Field([], max_length=5000)

    @model_validator(mode="after")
    def _names_resolve(self) -> Self:
        model_ids: set[str] = set()
        for index, model in enumerate(self.models):
            if model.id in model_ids:
                refuse(f"another model has the id {model.id!r}", "models", index, "id")
            model_ids.add(model.id)
        plan_ids: set[str] = set()
        for index, plan in enumerate(self.plans):
            if plan.id in plan_ids:
                refuse(f"another plan has the id {plan.id!r}", "plans", index, "id")
            plan_ids.add(plan.id)
            for place, name in enumerate(plan.models or []):
                if name not in model_ids:
                    at = ("plans", index, "models", place)
                    refuse(f"there is no model {name!r} in this catalog", *at)
            for position, charge in enumerate(plan.charges):
                named = [] if isinstance(charge, FlatCharge) else charge.models or []
                for place, name in enumerate(named):
                    where = ("plans", index, "charges", position, "models", place)
                    if name not in model_ids:
                        refuse(f"there is no model {name!r} in this catalog", *where)
                    if plan.models is not None and name not in plan.models:
                        refuse(f"this plan does not allow the model {name!r}", *where)
            _check_rollover_caps(plan, ("plans", index))
        if self.default_plan not in plan_ids:
            refuse(f"there is no plan {self.default_plan!r} in this catalog", "default_plan")
        return self

    @model_validator(mode="after")
    def _no_tax_is_asked_twice(self) -> Self:
        check_taxes(self.taxes)
        return self


def _check_rollover_caps(plan: PlanDefinition, at: tuple[str, int]) -> None:
    """A cap is money too: a number that was meant for another currency carries on too much."""
    capped = {grant.id for grant in plan.grants if grant.rollover_cap}
    for place, prices in enumerate(plan.price_lists):
        if set(prices.rollover_caps) != capped:
            detail = "give the cap of every grant that is carried on, and of no other"
            refuse(detail, *at, "price_lists", place, "rollover_caps")


class Plan(Answer):
    """A plan's published version."""

    definition: PlanDefinition
    version: int
    published_at: Instant


class CatalogApplied(Answer):
    """What applying a catalog did, by the ids of plans, models and taxes."""

    plans_published: list[str]
    plans_unchanged: list[str]
    models_changed: list[str]
    taxes_changed: list[str] = []
