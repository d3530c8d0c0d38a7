"""The models that customers can call, with what they cost on the caller's plan."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from backend_client.types.charges import TimeWindow, UsageCharge
from backend_client.types.common import Answer, Currency, Exact, Instant


class MeterPrice(Answer):
    """Price of a meter on a plan: ``price`` for ``unit_size`` units; the first tier's if tiered."""

    meter: str
    price: Exact = Field(
        description="What `unit_size` units cost on the caller's plan; of tiers, the first "
        "one's price."
    )
    unit_size: int = Field(description="For how many units the price is.")
    currency: Currency


class ModelCharge(Answer):
    """A charge of a plan that can price a meter of a model, tiers and all.

    The first in a list whose labels and ``window`` the usage has prices it; one for labels or a
    window goes before the one for all other usage.
    """

    meter: str
    charge: Annotated[UsageCharge, Field(discriminator="kind")] = Field(
        description="The charge as the plan has it, with its tiers."
    )
    window: TimeWindow | None = Field(
        None,
        description="The hours of the day at which it prices usage; null for a charge at any time.",
    )


class ModelInfo(Answer):
    """A model in the catalog.

    ``available`` if a provider serves it now, ``allowed`` unless the caller's plan leaves it out.
    ``prices`` are what first units cost on the caller's plan; ``charges`` all that it says of them,
    in ``currency``. Both are empty, and ``currency`` null, for who has no plan.
    """

    id: str = Field(description="The name by which calls ask for it.")
    name: str = Field(description="What people read it as.")
    description: str = Field("", description="What it is good for; may be empty.")
    context_window: int = Field(
        description="The most tokens that prompt and answer may have together."
    )
    max_output_tokens: int = Field(description="The most tokens that an answer may have.")
    tokenizer: str = Field(
        description="What counts its tokens, such as `tiktoken:o200k_base`; `upstream` asks "
        "the provider."
    )
    long_context_tokens: int | None = Field(
        None, description="Calls with a longer prompt have the label `context: long`"
    )
    added_at: Instant | None = Field(None, description="When it was first on sale here")
    available: bool = Field(description="Whether a provider serves it now.")
    allowed: bool = Field(
        True, description="Whether the caller's plan lets it be called; true for who has no plan."
    )
    prices: list[MeterPrice] = Field(
        [],
        description="What the first units of each meter cost on the caller's plan; empty for "
        "who has no plan.",
    )
    charges: list[ModelCharge] = Field(
        [],
        description="All that the caller's plan says of its prices, with tiers, labels and "
        "time windows; empty for who has no plan.",
    )
    currency: Currency | None = None


class Latency(Answer):
    """Seconds that half of the calls, and 95 of 100, were done within; to a quarter."""

    p50: float = Field(description="Half of the calls took no longer than this, in seconds.")
    p95: float = Field(description="95 of 100 calls took no longer than this, in seconds.")


class ModelHour(Answer):
    """An hour of a model: the part of its calls that failed, and how long half of them took."""

    start: Instant
    end: Instant
    error_rate: float = Field(
        description="Which part of its calls the provider failed, from 0 to 1."
    )
    total_p50: float | None = Field(
        description="How long half of its calls took at most, in seconds; null if none was "
        "completed."
    )


class ModelPerformance(Answer):
    """How a model performs at the gateway, by the calls of all its customers.

    ``error_rate`` is the part of calls, to a thousandth, that the provider failed: neither what a
    caller broke off nor what a provider refused for the caller's own fault counts. ``first_token``
    is of streamed calls, null if there were none. ``hours`` are those in which it was called.
    """

    model: str
    error_rate: float = Field(
        description="Which part of its calls the provider failed, from 0 to 1 in thousandths."
    )
    total: Latency | None = Field(
        description="How long completed calls took until the answer's end; null if there were none."
    )
    first_token: Latency | None = Field(
        description="How long streamed calls took until the first token; null if there were none."
    )
    hours: list[ModelHour] = Field(
        [], description="The same by the hour, for those hours in which it was called."
    )
