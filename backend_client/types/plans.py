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
UnitSize = Literal[1, 1_000, 1_000_000]


def _refuse(detail: str, *at: str | int) -> NoReturn:
    """Raise a validation error about a part of this value; ``ctx["at"]`` is the path to it."""
    raise PydanticCustomError("catalog", "{detail}", {"detail": detail, "at": at})


class Tier(Wire):
    """Units up to ``up_to`` in the period (inclusive; null for all above) at ``price``."""

    up_to: Units | None
    price: Price


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
    all). The ``included`` units of each period are free.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    name: str = Field(min_length=1, max_length=200)
    meters: list[MeterName] = Field(min_length=1)
    models: list[Name] | None = Field(None, min_length=1)
    unit_size: UnitSize = 1_000_000
    included: Units = Decimal(0)


class PerUnitCharge(_UsageCharge):
    """Every unit beyond the included ones costs the same."""

    kind: Literal["per_unit"] = "per_unit"
    price: Price


class GraduatedCharge(_UsageCharge):
    """Each tier's price applies to the units that fall in it; tiers count after ``included``."""

    kind: Literal["graduated"] = "graduated"
    tiers: list[Tier] = Field(min_length=1)

    @model_validator(mode="after")
    def _tiers_ascend_to_infinity(self) -> Self:
        _check_tiers(self.tiers)
        return self


class FlatCharge(Wire):
    """A fee for the period, whatever is used; prorated by the second when partly subscribed."""

    kind: Literal["flat"] = "flat"
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    name: str = Field(min_length=1, max_length=200)
    price: Price


Charge = Annotated[PerUnitCharge | GraduatedCharge | FlatCharge, Field(discriminator="kind")]


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
    """A plan version's content. Immutable once published."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    currency: Currency = "USD"
    charges: list[Charge] = []
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

    ``at`` must be a quarter hour (minute 0, 15, 30 or 45) that is not over.
    """

    plan: str
    at: Instant | None = None


class CatalogApplied(Answer):
    """What applying a catalog did, by plan and model id."""

    plans_published: list[str]
    plans_unchanged: list[str]
    models_changed: list[str]
