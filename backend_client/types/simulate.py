"""What usage would cost: a tenant's own past, or a described workload, under each plan."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from backend_client.types.charges import Id, Units
from backend_client.types.common import Answer, Currency, Exact, Money, Wire
from backend_client.types.events import MeterName, Name
from backend_client.types.plans import PlanDefinition
from backend_client.types.spend import SpendReport
from backend_client.types.subscriptions import AddOns

Growth = Annotated[Exact, Field(ge=-100, le=1000, decimal_places=3, allow_inf_nan=False)]
Share = Annotated[Exact, Field(gt=0, le=1_000_000, decimal_places=6, allow_inf_nan=False)]


class Workload(Wire):
    """What is expected to be used, evenly through the day.

    ``per_request`` has the units of each meter that a request uses. ``models`` has each model's
    part of the requests, in any unit: 3 and 1 are three quarters and one. ``growth_percent`` is
    from one period to the next.
    """

    requests_per_day: Units = Field(description="How many requests a day, over all models.")
    per_request: dict[MeterName, Units] = Field(
        min_length=1,
        max_length=32,
        description="How many units of each meter a request uses, by the meter.",
    )
    models: dict[Name, Share] = Field(
        min_length=1,
        max_length=100,
        description="Each model's part of the requests, in any unit: 3 and 1 are three "
        "quarters and one.",
    )
    growth_percent: Growth = Field(
        Decimal(0), description="By how many percent usage grows from one period to the next."
    )
    periods: int = Field(
        1, ge=1, le=24, description="How many billing periods to simulate, from now on."
    )


class SimulationRequest(Wire):
    """Ask for bills of the last ``past_periods`` that are over, or of a ``workload`` from now on.

    Under ``plans`` (null: all on sale that the caller may choose) and under ``drafts``, which need
    not be published.
    """

    past_periods: int | None = Field(
        None,
        ge=1,
        le=12,
        description="How many of the tenant's last billing periods to bill again; null for a "
        "`workload`.",
    )
    workload: Workload | None = Field(
        None, description="What is expected to be used; null for `past_periods`."
    )
    plans: list[Id] | None = Field(
        None,
        max_length=50,
        description="The plans to bill it under, by id; null for all on sale that the caller "
        "may choose.",
    )
    drafts: list[PlanDefinition] = Field(
        [], max_length=10, description="Plans that need not be published, to bill it under too."
    )
    seats: int = Field(1, ge=0, le=1_000_000, description="How many seats fees per seat count.")
    add_ons: AddOns = Field({}, description="How many of each add-on, by the id of its charge.")

    @model_validator(mode="after")
    def _one_of_past_and_workload(self) -> Self:
        if (self.past_periods is None) == (self.workload is None):
            raise ValueError("give either past_periods or a workload")
        return self


class PublicModel(Answer):
    """A model on sale, as anybody may know it."""

    id: str = Field(description="The name by which calls ask for the model.")
    name: str = Field(description="What people read it as.")


class PublicModels(Answer):
    """The models on sale, in the catalog's order."""

    models: list[PublicModel] = Field(description="The models in the catalog's order.")


class SimulatedPlan(Answer):
    """The bills under a plan, line by line; ``plan_version`` is null for a draft.

    ``credit`` is what the plan's own credit for every model pays of their ``total``: on a plan
    billed after use of each period's bill, on a prepaid one of its calls. A plan that does not fit
    could not carry the usage, for the ``reason`` given: its bill is of what it would have allowed
    and more. ``periods_carried`` is how many periods, from the first, it carries before that.
    """

    plan: str = Field(description="Which plan, by its id in the catalog.")
    plan_version: int | None
    name: str = Field(description="What people read it as.")
    periods: list[SpendReport] = Field(description="The bill of each period, line by line.")
    total: Money = Field(description="What the bills come to, before tax.")
    credit: Money = Field(description="What the plan's own credit for every model pays of it.")
    to_pay: Money = Field(description="What is left to pay: `total` less `credit`.")
    fits: bool = Field(True, description="Whether the plan could carry the usage.")
    reason: str | None = Field(None, description="Why it could not; null if it fits.")
    periods_carried: int = Field(
        0, description="How many periods, from the first, it carries before it does not fit."
    )


class Simulation(Answer):
    """The plans that fit, the least ``to_pay`` first, then those that don't.

    ``other_currency`` has those with no prices in it.
    """

    currency: Currency
    plans: list[SimulatedPlan] = Field(
        description="The plans that fit, the least `to_pay` first, then those that don't."
    )
    other_currency: list[str] = Field(
        [], description="Plans without prices in the currency, by id."
    )
