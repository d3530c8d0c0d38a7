"""The models that customers can call, with what they cost on the caller's plan."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from backend_client.types.charges import TimeWindow, UsageCharge
from backend_client.types.common import Answer, Currency, Exact, Instant


class MeterPrice(Answer):
    """Price of a meter on a plan: ``price`` for ``unit_size`` units; the first tier's if tiered."""

    meter: str
    price: Exact
    unit_size: int
    currency: Currency


class ModelCharge(Answer):
    """A charge of a plan that can price a meter of a model, tiers and all.

    The first in a list whose labels and ``window`` the usage has prices it; one for labels or a
    window goes before the one for all other usage.
    """

    meter: str
    charge: Annotated[UsageCharge, Field(discriminator="kind")]
    window: TimeWindow | None = None


class ModelInfo(Answer):
    """A model in the catalog.

    ``available`` if a provider serves it now, ``allowed`` unless the caller's plan leaves it out.
    ``prices`` are what first units cost on the caller's plan; ``charges`` all that it says of them,
    in ``currency``. Both are empty, and ``currency`` null, for who has no plan.
    """

    id: str
    name: str
    description: str = ""
    context_window: int
    max_output_tokens: int
    tokenizer: str
    long_context_tokens: int | None = Field(
        None, description="Calls with a longer prompt have the label `context: long`"
    )
    added_at: Instant | None = Field(None, description="When it was first on sale here")
    available: bool
    allowed: bool = True
    prices: list[MeterPrice] = []
    charges: list[ModelCharge] = []
    currency: Currency | None = None


class Latency(Answer):
    """Seconds that half of the calls, and 95 of 100, were done within; to a quarter."""

    p50: float
    p95: float


class ModelHour(Answer):
    """An hour of a model: the part of its calls that failed, and how long half of them took."""

    start: Instant
    end: Instant
    error_rate: float
    total_p50: float | None


class ModelPerformance(Answer):
    """How a model performs at the gateway, by the calls of all its customers.

    ``error_rate`` is the part of calls, to a thousandth, that the provider failed: neither what a
    caller broke off nor what a provider refused for the caller's own fault counts. ``first_token``
    is of streamed calls, null if there were none. ``hours`` are those in which it was called.
    """

    model: str
    error_rate: float
    total: Latency | None
    first_token: Latency | None
    hours: list[ModelHour] = []
