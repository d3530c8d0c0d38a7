"""The catalog: models on sale, the plans that price them, rates of tax, and declared meters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from backend_client.types.charges import FlatCharge, refuse
from backend_client.types.common import Answer, Wire
from backend_client.types.events import Name
from backend_client.types.meters import Aggregation, CatalogMeter
from backend_client.types.plans import PlanDefinition
from backend_client.types.taxes import CatalogTax, check_taxes
from backend_client.types.texts import Prose, Title


class CatalogModel(Wire):
    """A model in the catalog file."""

    id: Name = Field(
        description="The name by which calls ask for the model. It is on invoices and in "
        "usage, so it never changes its meaning."
    )
    name: Title = Field(description="What people read it as.")
    description: Prose = Field(
        "", description="What the model is good for, in a few sentences; shown with it in lists."
    )
    context_window: int = Field(
        gt=0, description="The most tokens that prompt and answer may have together."
    )
    max_output_tokens: int = Field(
        gt=0,
        description="The most tokens that an answer may have; a call that states no limit is "
        "held to it.",
    )
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
    """``catalog.yaml``: the models on sale, the plans that price them, and the rates of tax.

    ``meters`` are those that Farebox makes of each event, beside the ones that events are sent
    with.
    """

    version: Literal[1] = Field(description="The version of this format, which is 1.")
    default_plan: str = Field(
        description="The plan, by id, of tenants that are made without one, and the one that "
        "follows a trial which ends by itself."
    )
    models: list[CatalogModel] = Field(
        description="The models on sale. One that is left out is withdrawn."
    )
    plans: list[PlanDefinition] = Field(
        description="The plans on sale. A plan that changed is published as its next version; "
        "one that is left out is withdrawn, and stays for those who are on it."
    )
    taxes: list[CatalogTax] = Field(
        [],
        max_length=5000,
        description="The rates of tax, by country and region; what no rate is for is billed "
        "without tax.",
    )
    meters: list[CatalogMeter] = Field(
        [],
        max_length=200,
        description="Meters that Farebox makes of each event, beside those that events are "
        "sent with.",
    )

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
    def _meters_resolve(self) -> Self:
        """A meter is of what events are sent with, and what is not summed has no parts to price."""
        meters: dict[str, CatalogMeter] = {}
        for index, meter in enumerate(self.meters):
            if meter.id in meters:
                refuse(f"another meter has the id {meter.id!r}", "meters", index, "id")
            meters[meter.id] = meter
        for index, meter in enumerate(self.meters):
            for place, of in enumerate(meter.of):
                if of in meters:
                    refuse(f"{of!r} is made of events itself", "meters", index, "of", place)
        for index, plan in enumerate(self.plans):
            _check_meters(plan, meters, ("plans", index))
        return self

    @model_validator(mode="after")
    def _no_tax_is_asked_twice(self) -> Self:
        check_taxes(self.taxes)
        return self


def _check_meters(
    plan: PlanDefinition, meters: Mapping[str, CatalogMeter], at: tuple[str, int]
) -> None:
    """Refuse declared meters where a plan can't price or limit what they count.

    A call that is paid at once is priced by what it is sent with. A value of the whole period is of
    no model, label or window, and no call adds a part to it that a quota could refuse.
    """
    for place, charge in enumerate(plan.charges):
        if isinstance(charge, FlatCharge):
            continue
        for position, name in enumerate(charge.meters):
            where = (*at, "charges", place, "meters", position)
            if name not in meters:
                continue
            if plan.prepaid:
                refuse("a prepaid plan prices what calls are sent with only", *where)
            if meters[name].aggregation is Aggregation.SUM:
                continue
            if charge.models or charge.labels or charge.window:
                detail = "is of the whole period: limit the meter, not the charge"
                refuse(detail, *where)
    listed = [("quotas", place, quota.meters) for place, quota in enumerate(plan.quotas)]
    listed += [
        ("trial_quotas", place, quota.meters) for place, quota in enumerate(plan.trial_quotas)
    ]
    for field, place, names in listed:
        for position, name in enumerate(names):
            if name in meters and meters[name].aggregation is not Aggregation.SUM:
                detail = "is not summed, and a quota is of a sum"
                refuse(detail, *at, field, place, "meters", position)


def _check_rollover_caps(plan: PlanDefinition, at: tuple[str, int]) -> None:
    """A cap is money too: a number that was meant for another currency carries on too much."""
    capped = {grant.id for grant in plan.grants if grant.rollover_cap}
    for place, prices in enumerate(plan.price_lists):
        if set(prices.rollover_caps) != capped:
            detail = "give the cap of every grant that is carried on, and of no other"
            refuse(detail, *at, "price_lists", place, "rollover_caps")


class CatalogApplied(Answer):
    """What applying a catalog did, by the ids of plans, models, taxes and meters.

    ``plans_withdrawn`` were on sale and are no longer: the catalog left them out. ``advice`` has a
    sentence about each currency and meter that may be a mistake; it is published all the same.
    """

    plans_published: list[str] = Field(description="The plans that got a new version, by id.")
    plans_unchanged: list[str] = Field(
        description="The plans that were as the catalog has them, by id."
    )
    models_changed: list[str] = Field(
        description="The models that were added, changed or withdrawn, by id."
    )
    taxes_changed: list[str] = Field(
        [], description="The rates of tax that were added, changed or withdrawn, by id."
    )
    meters_changed: list[str] = Field(
        [], description="The declared meters that were added or withdrawn, by id."
    )
    plans_withdrawn: list[str] = Field(
        [],
        description="Plans that were on sale and are no longer, because the catalog leaves "
        "them out, by id.",
    )
    advice: list[str] = Field(
        [],
        description="Sentences about what may be a mistake, such as a price of a meter that "
        "no event ever had. All was published anyway.",
    )
