"""A model as the catalog, a comparison and its own page show it. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass

from backend_client.types.models import Latency, ModelInfo, ModelPerformance
from portal import routes
from portal.kit.formatting import compact, count
from portal.shared.models.prices import amount_and_unit, first_price

NOT_MEASURED = "Not measured yet"


@dataclass(frozen=True)
class ModelRow:
    """A model in words. ``usable`` if calls of the reader's are answered now.

    ``page`` and ``playground`` are where it is shown, and where it is asked. A price's ``_amount``
    and ``_unit`` are its two lines where columns are narrow.
    """

    id: str
    name: str
    description: str
    status: str
    usable: bool
    context: str
    output: str
    tokenizer: str
    input_price: str
    input_amount: str
    input_unit: str
    cached_price: str
    output_price: str
    output_amount: str
    output_unit: str
    first_token: str
    total: str
    errors: str
    page: str
    playground: str


def model_row(model: ModelInfo, performance: ModelPerformance | None) -> ModelRow:
    """Return a model in words."""
    input_price, output_price = (
        first_price(model, meter) for meter in ("input_tokens", "output_tokens")
    )
    input_amount, input_unit = amount_and_unit(input_price)
    output_amount, output_unit = amount_and_unit(output_price)
    return ModelRow(
        id=model.id,
        name=model.name,
        description=model.description,
        status=model_status(model),
        usable=model.available and model.allowed,
        context=_tokens(model.context_window),
        output=_tokens(model.max_output_tokens),
        tokenizer=tokenizer_name(model.tokenizer),
        input_price=input_price,
        input_amount=input_amount,
        input_unit=input_unit,
        cached_price=first_price(model, "cached_input_tokens"),
        output_price=output_price,
        output_amount=output_amount,
        output_unit=output_unit,
        first_token=latency_text(performance.first_token if performance else None),
        total=latency_text(performance.total if performance else None),
        errors=error_text(performance),
        page=routes.model(model.id),
        playground=routes.playground(model.id),
    )


def model_status(model: ModelInfo) -> str:
    """Return whether calls are answered, and why not."""
    if not model.allowed:
        return "Not on your plan"
    return "Available" if model.available else "No provider now"


def tokenizer_name(setting: str) -> str:
    """Return a tokenizer as people know it: ``o200k_base (tiktoken)``."""
    kind, _, name = setting.partition(":")
    if kind == "upstream":
        return "The provider’s own"
    if kind == "file":
        return "The model’s own"
    return f"{name} ({kind})"


def latency_text(latency: Latency | None) -> str:
    """Return how long half of the calls took: ``0.42 s``."""
    return NOT_MEASURED if latency is None else _seconds(latency.p50)


def latency_detail(latency: Latency | None) -> str:
    """Return how long 95 of 100 calls took at most."""
    return "" if latency is None else f"95% within {_seconds(latency.p95)}"


def error_text(performance: ModelPerformance | None) -> str:
    """Return the part of calls that the provider failed: ``0.2%``."""
    if performance is None:
        return NOT_MEASURED
    return f"{performance.error_rate * 100:.1f}".removesuffix(".0") + "%"


def _tokens(number: int) -> str:
    """Return a size in full while it is short: 2,048, but 128K."""
    return count(number) if number < 10_000 else compact(number)


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
