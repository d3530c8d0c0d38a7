"""Plans as data: what a plan version charges, includes and allows."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from backend_client.types.charges import (
    Charge,
    Day,
    FlatCharge,
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
    refuse,
)
from backend_client.types.common import Answer, Currency, Instant, Wire
from backend_client.types.events import MeterName, Name

__all__ = [
    "Catalog",
    "CatalogApplied",
    "CatalogModel",
    "Charge",
    "Day",
    "Discount",
    "FlatCharge",
    "GraduatedCharge",
    "Id",
    "IncludedPool",
    "PackageCharge",
    "PerUnitCharge",
    "Percent",
    "PercentageCharge",
    "Plan",
    "PlanDefinition",
    "Price",
    "Quota",
    "QuotaLimit",
    "Subscription",
    "SubscriptionChange",
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

    A discount never takes off more than there is.
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

    ``minimum`` is the least that a period on the plan costs, after discounts; prorated by the
    second.
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
    quotas: list[Quota] = []

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
        for field in ("windows", "pools", "discounts"):
            ids = [part.id for part in getattr(self, field)]
            for index, part_id in enumerate(ids):
                if part_id in ids[:index]:
                    refuse(f"the id {part_id!r} is given twice", field, index, "id")
        return self


class CatalogModel(Wire):
    """A model in the catalog file."""

    id: Name
    name: str
    description: str = ""
    context_window: int = Field(gt=0)
    max_output_tokens: int = Field(gt=0)
    tokenizer: str = Field(
        description="tiktoken:<encoding>, upstream (asks the provider's /tokenize) or file:<path>"
    )


class Catalog(Wire):
    """``catalog.yaml``: the models on sale and the plans that price them."""

    version: Literal[1]
    default_plan: str
    models: list[CatalogModel]
    plans: list[PlanDefinition]

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
            for position, charge in enumerate(plan.charges):
                named = [] if isinstance(charge, FlatCharge) else charge.models or []
                for place, name in enumerate(named):
                    if name not in model_ids:
                        at = ("plans", index, "charges", position, "models", place)
                        refuse(f"there is no model {name!r} in this catalog", *at)
        if self.default_plan not in plan_ids:
            refuse(f"there is no plan {self.default_plan!r} in this catalog", "default_plan")
        return self


class Plan(Answer):
    """A plan's published version."""

    definition: PlanDefinition
    version: int
    published_at: Instant


class Subscription(Answer):
    """A tenant's plan from ``start`` until ``end`` (null while it runs).

    ``next_plan`` is the plan from ``end`` on, when a change is scheduled.
    """

    id: str
    plan: Plan
    start: Instant
    end: Instant | None
    next_plan: Plan | None = None


class SubscriptionChange(Wire):
    """Move to a plan's latest version, at the next quarter hour unless ``at`` says when.

    ``at`` must be a quarter hour (minute 0, 15, 30 or 45) that has not begun; from a plan that
    asks for no money, the present one will do.
    """

    plan: str
    at: Instant | None = None


class CatalogApplied(Answer):
    """What applying a catalog did, by plan and model id."""

    plans_published: list[str]
    plans_unchanged: list[str]
    models_changed: list[str]
