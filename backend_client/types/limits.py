"""Limits and budgets: what keys, applications and plans may do at a time, and what it may cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backend_client.types.common import Answer, Currency, Exact, Instant, Wire
from backend_client.types.events import LabelName, LabelValue, Name


def _named_once(models: list[str]) -> list[str]:
    if len(set(models)) < len(models):
        raise PydanticCustomError("named_twice", "Names a model twice")
    return models


def _limited_once(limits: list[ModelLimits]) -> list[ModelLimits]:
    groups = [frozenset(each.models) for each in limits]
    if len(set(groups)) < len(groups):
        raise PydanticCustomError("limited_twice", "Limits the same models twice: put it into one")
    if any(each.limits == RateLimits() for each in limits):
        raise PydanticCustomError("no_limit", "Names models and no limit")
    return limits


LimitName = Literal["requests_per_minute", "tokens_per_minute", "concurrent_requests"]


class RateLimits(Wire):
    """What a key, an application or a plan's tenant may do at a time; null for no limit of its own.

    ``tokens_per_minute`` counts what is asked and what is answered.
    """

    requests_per_minute: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="How many requests may begin in a minute; null for no limit of its own.",
    )
    tokens_per_minute: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        description="How many tokens may be asked and answered in a minute; null for no limit "
        "of its own.",
    )
    concurrent_requests: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="How many requests may be under way at a time; null for no limit of its own.",
    )


class ModelLimits(RateLimits):
    """What calls of some models may do at a time, all of these models together."""

    models: Annotated[list[Name], AfterValidator(_named_once)] = Field(
        min_length=1,
        max_length=50,
        description="The models, by name, whose calls share the limits.",
    )

    @property
    def limits(self) -> RateLimits:
        """The limits without what they are of."""
        return RateLimits(**self.model_dump(exclude={"models"}))


ModelLimitsList = Annotated[
    list[ModelLimits],
    Field(max_length=20, description="Limits on models, beside those of all calls together"),
    AfterValidator(_limited_once),
]


class LimitUse(Answer):
    """A limit of an application, and how much of it calls under way and of late have left.

    ``models`` are those whose calls it is of, all together; null for every call.
    """

    limit: LimitName = Field(description="Which limit it is of.")
    models: list[str] | None = Field(
        description="The models whose calls it is of, all together; null for every call."
    )
    most: int = Field(
        description="What the limit is: requests or tokens a minute, or requests at a time."
    )
    remaining: int = Field(description="How much of it is left now.")
    full_at: Instant | None = Field(
        description="When all of it is there again if nothing more is taken; null for "
        "concurrent_requests"
    )


class KeyBudget(Wire):
    """What calls of a key, an application, or a label's value may cost in each day or month.

    These are of the tenant's time zone.

    It is in the tenant's currency. A ``hard`` budget refuses calls that could pass it; a ``soft``
    one lets them through and is shown.
    """

    amount: Annotated[Exact, Field(gt=0, max_digits=20, decimal_places=10, allow_inf_nan=False)] = (
        Field(description="What calls may cost in each period, in the tenant's currency.")
    )
    period: Literal["day", "month"] = Field(
        description="How long it is for: each `day` or each `month` of the tenant's time zone."
    )
    limit: Literal["hard", "soft"] = Field(
        "hard",
        description="`hard` refuses calls that could pass it; `soft` lets them through and "
        "shows it.",
    )


class KeyBudgetUse(Answer):
    """What is used of a budget, exact, at the prices of the plan in force.

    Of tiers the dearest price counts, and units that the plan includes count too. ``held`` is what
    calls under way can cost at most.
    """

    budget: KeyBudget = Field(description="The budget that it is of.")
    currency: Currency
    used: Exact = Field(
        description="What its calls have cost since it last began anew, unrounded, at the "
        "prices of the plan in force."
    )
    held: Exact = Field(description="What calls under way can cost at most.")
    remaining: Exact = Field(description="0 if it is used up or exceeded")
    start: Instant
    resets_at: Instant


class LabelBudgetCreate(Wire):
    """A budget of all calls with a ``value`` of a declared ``label``, whoever makes them."""

    label: LabelName = Field(description="The label, which must be declared.")
    value: Annotated[LabelValue, Field(min_length=1)] = Field(
        description="The label's value whose calls it bounds."
    )
    budget: KeyBudget = Field(description="What they may cost, and in which time.")


class LabelBudgetChange(Wire):
    """What a label's budget is to be from now on."""

    budget: KeyBudget = Field(description="The budget from now on.")


class LabelBudget(Answer):
    """A budget of all calls with a value of a declared label. Each value has at most one."""

    id: str
    label: str = Field(description="The label's name.")
    value: str = Field(description="The label's value whose calls it bounds.")
    budget: KeyBudget = Field(description="What they may cost, and in which time.")
    created_at: Instant
