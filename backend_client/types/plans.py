"""Plans as data: what a plan version charges, includes and allows."""

from __future__ import annotations

import itertools
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from backend_client.types.common import Answer, Currency, Exact, Instant, Wire
from backend_client.types.events import MeterName, Name

Price = Annotated[Exact, Field(ge=0, max_digits=24, decimal_places=12, allow_inf_nan=False)]
Units = Annotated[Exact, Field(ge=0, max_digits=24, decimal_places=9, allow_inf_nan=False)]
UnitSize = Literal[1, 1_000, 1_000_000]


class Tier(Wire):
    """Units up to ``up_to`` in the period (inclusive; null for all above) at ``price``."""

    up_to: Units | None
    price: Price


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
        bounds = [tier.up_to for tier in self.tiers]
        if bounds[-1] is not None:
            raise ValueError("the last tier must have no up_to, so that every unit has a price")
        finite = [bound for bound in bounds[:-1] if bound is not None]
        if len(finite) != len(bounds) - 1 or any(b <= 0 for b in finite):
            raise ValueError("every tier but the last needs an up_to above 0")
        if any(later <= earlier for earlier, later in itertools.pairwise(finite)):
            raise ValueError("each tier's up_to must be above the one before")
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
        ids = [charge.id for charge in self.charges]
        if len(set(ids)) != len(ids):
            raise ValueError("two charges have the same id")
        seen: dict[tuple[str, str | None], str] = {}
        for charge in self.charges:
            if isinstance(charge, FlatCharge):
                continue
            for meter in charge.meters:
                models: list[str | None] = [*charge.models] if charge.models else [None]
                for model in models:
                    other = seen.setdefault((meter, model), charge.id)
                    if other != charge.id:
                        raise ValueError(
                            f"charges {other} and {charge.id} both price {meter}"
                            + (f" of {model}" if model else "")
                        )
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
        model_ids = [model.id for model in self.models]
        plan_ids = [plan.id for plan in self.plans]
        if len(set(model_ids)) != len(model_ids):
            raise ValueError("two models have the same id")
        if len(set(plan_ids)) != len(plan_ids):
            raise ValueError("two plans have the same id")
        if self.default_plan not in plan_ids:
            raise ValueError(f"default_plan {self.default_plan!r} is not among the plans")
        for plan in self.plans:
            for charge in plan.charges:
                if isinstance(charge, FlatCharge):
                    continue
                for model in charge.models or []:
                    if model not in model_ids:
                        raise ValueError(
                            f"charge {charge.id} of plan {plan.id} names unknown model {model!r}"
                        )
        return self


class Plan(Answer):
    """A plan's published version."""

    definition: PlanDefinition
    version: int
    published_at: Instant


class Subscription(Answer):
    """A tenant's plan from ``start`` until ``end`` (null while it runs)."""

    id: str
    plan: Plan
    start: Instant
    end: Instant | None


class SubscriptionChange(Wire):
    """Move to another plan. Takes effect at the next quarter hour unless ``at`` says when."""

    plan: str
    at: Instant | None = None


class CatalogApplied(Answer):
    """What applying a catalog did, by plan and model id."""

    plans_published: list[str]
    plans_unchanged: list[str]
    models_changed: list[str]
