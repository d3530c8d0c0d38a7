"""Plans as data: what a plan version charges, includes and allows."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, NoReturn, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backend_client.types.common import Answer, Currency, Exact, Instant, Wire, plain
from backend_client.types.events import MeterName, Name

Price = Annotated[Exact, Field(ge=0, max_digits=24, decimal_places=12, allow_inf_nan=False)]
Units = Annotated[Exact, Field(ge=0, max_digits=24, decimal_places=9, allow_inf_nan=False)]
Percent = Annotated[Exact, Field(ge=0, le=100, decimal_places=6, allow_inf_nan=False)]
UnitSize = Literal[1, 1_000, 1_000_000]
Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


def _refuse(detail: str, *at: str | int) -> NoReturn:
    """Raise a validation error about a part of this value; ``ctx["at"]`` is the path to it."""
    raise PydanticCustomError("catalog", "{detail}", {"detail": detail, "at": at})


class Tier(Wire):
    """Units up to ``up_to`` in the period (inclusive; null for all above) at ``price``.

    ``flat_fee`` is asked once a period, when the tier is reached.
    """

    up_to: Units | None
    price: Price
    flat_fee: Price = Decimal(0)


def _check_tiers(tiers: Sequence[Tier]) -> None:
    """Refuse tiers that don't ascend, or leave units without a price."""
    floor = Decimal(0)
    for index, tier in enumerate(tiers[:-1]):
        if tier.up_to is None or tier.up_to <= floor:
            _refuse(f"up_to must be above {plain(floor)}", "tiers", index, "up_to")
        floor = tier.up_to
    if tiers[-1].up_to is not None:
        detail = "the last tier must have no up_to (null), so that every unit has a price"
        _refuse(detail, "tiers", len(tiers) - 1, "up_to")


class _UsageCharge(Wire):
    """A charge on what is metered.

    ``meters`` are summed before pricing; ``models`` limits the charge to those models (null for
    all). The ``included`` units of each period are free. ``minimum`` and ``maximum`` bound what
    the charge asks for in a period; the minimum is prorated by the second.
    """

    id: Id
    name: str = Field(min_length=1, max_length=200)
    meters: list[MeterName] = Field(min_length=1)
    models: list[Name] | None = Field(None, min_length=1)
    included: Units = Decimal(0)
    minimum: Price | None = None
    maximum: Price | None = None

    @model_validator(mode="after")
    def _minimum_is_below_maximum(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            _refuse("the minimum is above the maximum", "minimum")
        return self


class PerUnitCharge(_UsageCharge):
    """Every unit beyond the included ones costs the same."""

    kind: Literal["per_unit"] = "per_unit"
    unit_size: UnitSize = 1_000_000
    price: Price


class _TieredCharge(_UsageCharge):
    unit_size: UnitSize = 1_000_000
    tiers: list[Tier] = Field(min_length=1)

    @model_validator(mode="after")
    def _tiers_ascend_to_infinity(self) -> Self:
        _check_tiers(self.tiers)
        return self


class GraduatedCharge(_TieredCharge):
    """Each tier's price applies to the units that fall in it; tiers count after ``included``."""

    kind: Literal["graduated"] = "graduated"


class VolumeCharge(_TieredCharge):
    """The tier that the period's billable units reach prices all of them.

    The total can fall where a tier begins: that is what volume pricing means.
    """

    kind: Literal["volume"] = "volume"


class PackageCharge(_UsageCharge):
    """Units are sold in packages of ``package_size``; a package that is begun is paid whole."""

    kind: Literal["package"] = "package"
    package_size: int = Field(ge=1, le=10**15)
    price: Price


class PercentageCharge(_UsageCharge):
    """``percent`` of what is metered, for meters that count money, such as a provider's cost."""

    kind: Literal["percentage"] = "percentage"
    percent: Annotated[Exact, Field(ge=0, max_digits=13, decimal_places=10, allow_inf_nan=False)]


class FlatCharge(Wire):
    """A fee for the period, whatever is used; prorated by the second when partly subscribed."""

    kind: Literal["flat"] = "flat"
    id: Id
    name: str = Field(min_length=1, max_length=200)
    price: Price


UsageCharge = PerUnitCharge | GraduatedCharge | VolumeCharge | PackageCharge | PercentageCharge
Charge = Annotated[UsageCharge | FlatCharge, Field(discriminator="kind")]


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
            _refuse("give either percent or amount")
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


class PlanDefinition(Wire):
    """A plan version's content. Immutable once published.

    ``minimum`` is the least that a period on the plan costs, after discounts; prorated by the
    second.
    """

    id: Id
    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    currency: Currency = "USD"
    charges: list[Charge] = []
    pools: list[IncludedPool] = []
    discounts: list[Discount] = []
    minimum: Price | None = None
    quotas: list[Quota] = []

    @model_validator(mode="after")
    def _charges_do_not_overlap(self) -> Self:
        ids: set[str] = set()
        seen: dict[tuple[str, str | None], str] = {}
        for index, charge in enumerate(self.charges):
            if charge.id in ids:
                _refuse(f"another charge has the id {charge.id!r}", "charges", index, "id")
            ids.add(charge.id)
            if isinstance(charge, FlatCharge):
                continue
            models: Sequence[str | None] = charge.models or (None,)
            for meter, model in itertools.product(charge.meters, models):
                other = seen.setdefault((meter, model), charge.id)
                if other != charge.id:
                    of = f" of {model}" if model else ""
                    _refuse(f"charge {other!r} prices {meter}{of} too", "charges", index)
        return self

    @model_validator(mode="after")
    def _pools_and_discounts_name_charges(self) -> Self:
        usage = {charge.id for charge in self.charges if not isinstance(charge, FlatCharge)}
        pooled: set[str] = set()
        for index, pool in enumerate(self.pools):
            for place, charge_id in enumerate(pool.charges):
                at = ("pools", index, "charges", place)
                if charge_id not in usage:
                    _refuse(f"there is no usage charge {charge_id!r} in this plan", *at)
                if charge_id in pooled:
                    _refuse(f"charge {charge_id!r} draws on a pool already", *at)
                pooled.add(charge_id)
        every = {charge.id for charge in self.charges}
        for index, discount in enumerate(self.discounts):
            for place, charge_id in enumerate(discount.charges or ()):
                if charge_id not in every:
                    at = ("discounts", index, "charges", place)
                    _refuse(f"there is no charge {charge_id!r} in this plan", *at)
        for field, parts in (("pools", self.pools), ("discounts", self.discounts)):
            ids = [part.id for part in parts]
            for index, part_id in enumerate(ids):
                if part_id in ids[:index]:
                    _refuse(f"the id {part_id!r} is given twice", field, index, "id")
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
                _refuse(f"another model has the id {model.id!r}", "models", index, "id")
            model_ids.add(model.id)
        plan_ids: set[str] = set()
        for index, plan in enumerate(self.plans):
            if plan.id in plan_ids:
                _refuse(f"another plan has the id {plan.id!r}", "plans", index, "id")
            plan_ids.add(plan.id)
            for position, charge in enumerate(plan.charges):
                named = [] if isinstance(charge, FlatCharge) else charge.models or []
                for place, name in enumerate(named):
                    if name not in model_ids:
                        at = ("plans", index, "charges", position, "models", place)
                        _refuse(f"there is no model {name!r} in this catalog", *at)
        if self.default_plan not in plan_ids:
            _refuse(f"there is no plan {self.default_plan!r} in this catalog", "default_plan")
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
