"""The catalog: the models on sale, the plans that price them, and the rates of tax."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from backend_client.types.charges import FlatCharge, refuse
from backend_client.types.common import Answer, Wire
from backend_client.types.events import Name
from backend_client.types.plans import PlanDefinition
from backend_client.types.taxes import CatalogTax, check_taxes
from backend_client.types.texts import Prose, Title


class CatalogModel(Wire):
    """A model in the catalog file."""

    id: Name
    name: Title
    description: Prose = ""
    context_window: int = Field(gt=0)
    max_output_tokens: int = Field(gt=0)
    long_context_tokens: int | None = Field(
        None,
        gt=0,
        description="A call with a longer prompt has the label `context: long`, by which a plan "
        "can price it",
    )
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


class CatalogApplied(Answer):
    """What applying a catalog did, by the ids of plans, models and taxes.

    ``plans_withdrawn`` were on sale and are no longer: the catalog left them out. ``advice`` has a
    sentence about each currency and meter that may be a mistake; it is published all the same.
    """

    plans_published: list[str]
    plans_unchanged: list[str]
    models_changed: list[str]
    taxes_changed: list[str] = []
    plans_withdrawn: list[str] = []
    advice: list[str] = []
