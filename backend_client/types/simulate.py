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

    requests_per_day: Units
    per_request: dict[MeterName, Units] = Field(min_length=1, max_length=32)
    models: dict[Name, Share] = Field(min_length=1, max_length=100)
    growth_percent: Growth = Decimal(0)
    periods: int = Field(1, ge=1, le=24)


class SimulationRequest(Wire):
    """Ask for bills of the last ``past_periods`` that are over, or of a ``workload`` from now on.

    Under ``plans`` (null: all on sale that the caller may choose) and under ``drafts``, which need
    not be published.
    """

    past_periods: int | None = Field(None, ge=1, le=12)
    workload: Workload | None = None
    plans: list[Id] | None = Field(None, max_length=50)
    drafts: list[PlanDefinition] = Field([], max_length=10)
    seats: int = Field(1, ge=0, le=1_000_000)
    add_ons: AddOns = {}

    @model_validator(mode="after")
    def _one_of_past_and_workload(self) -> Self:
        if (self.past_periods is None) == (self.workload is None):
            raise ValueError("give either past_periods or a workload")
        return self


class PublicModel(Answer):
    """A model on sale, as anybody may know it."""

    id: str
    name: str


class PublicModels(Answer):
    """The models on sale, in the catalog's order."""

    models: list[PublicModel]


class SimulatedPlan(Answer):
    """The bills under a plan, line by line; ``plan_version`` is null for a draft.

    ``credit`` is what the plan's own credit for every model pays of their ``total``: on a plan
    billed after use of each period's bill, on a prepaid one of its calls. A plan that does not fit
    could not carry the usage, for the ``reason`` given: its bill is of what it would have allowed
    and more. ``periods_carried`` is how many periods, from the first, it carries before that.
    """

    plan: str
    plan_version: int | None
    name: str
    periods: list[SpendReport]
    total: Money
    credit: Money
    to_pay: Money
    fits: bool = True
    reason: str | None = None
    periods_carried: int = 0


class Simulation(Answer):
    """The plans that fit, the least ``to_pay`` first, then those that don't.

    ``other_currency`` has those with no prices in it.
    """

    currency: Currency
    plans: list[SimulatedPlan]
    other_currency: list[str] = []
