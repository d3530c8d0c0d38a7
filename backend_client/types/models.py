"""The models that customers can call, with what they cost on the caller's plan."""

from __future__ import annotations

from backend_client.types.common import Answer, Currency, Exact


class MeterPrice(Answer):
    """Price of a meter on a plan: ``price`` for ``unit_size`` units; the first tier's if tiered."""

    meter: str
    price: Exact
    unit_size: int
    currency: Currency


class ModelInfo(Answer):
    """A model in the catalog.

    ``available`` if a provider serves it now, ``allowed`` unless the caller's plan leaves it out.
    """

    id: str
    name: str
    description: str = ""
    context_window: int
    max_output_tokens: int
    tokenizer: str
    available: bool
    allowed: bool = True
    prices: list[MeterPrice] = []
