"""The CSV files of Anthropic's Console: *Export* on its usage page and on its cost page.

https://support.claude.com/en/articles/9534590-cost-and-usage-reporting-in-the-claude-console
The usage page's rows have a column for each type of token; the cost page's rows one type and its
cost in US dollars, and the model as people call it (Claude Sonnet 4.5). All days are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.anthropic import cost_meter
from backend.metering.reconciliation.exports.parsing import ALL, Export, number, text_of, tier_of
from backend.metering.reconciliation.exports.times import day_of_text
from backend.metering.reconciliation.meters import (
    CACHE_WRITE,
    CACHE_WRITE_1H,
    CACHED,
    INPUT,
    OUTPUT,
    WEB_SEARCHES,
)

_DAY: Final = "usage_date_utc"
_PLACES: Final = frozenset(
    {_DAY, "api_key", "api_key_id", "api_key_status", "workspace", "workspace_id", "usage_type"}
    | {"context_window", "inference_geo", "speed"}
)
_METERS: Final = {
    "usage_input_tokens_no_cache": INPUT,
    "usage_input_tokens_cache_write": CACHE_WRITE,  # until there were writes for an hour
    "usage_input_tokens_cache_write_5m": CACHE_WRITE,
    "usage_input_tokens_cache_write_1h": CACHE_WRITE_1H,
    "usage_input_tokens_cache_read": CACHED,
    "usage_output_tokens": OUTPUT,
    "web_search_count": WEB_SEARCHES,
}
_TOKEN_TYPES: Final = {
    "input_no_cache": INPUT,
    "input_cache_write": CACHE_WRITE,
    "input_cache_write_5m": CACHE_WRITE,
    "input_cache_write_1h": CACHE_WRITE_1H,
    "input_cache_read": CACHED,
    "output": OUTPUT,
}
USAGE_COLUMNS: Final = _PLACES | {"model_version"} | set(_METERS)
USAGE_NEEDED: Final = (_DAY, "model_version", "usage_output_tokens")
COST_COLUMNS: Final = _PLACES | {"model", "token_type", "cost_usd", "list_price_usd", "cost_type"}
COST_NEEDED: Final = (_DAY, "model", "token_type", "cost_usd")


def read_usage_row(export: Export, where: str, row: Mapping[str, str]) -> None:
    """Add a row of the usage page's file. Raises ``UnreadableExport``."""
    day = _day(export, where, row)
    for column, meter in _METERS.items():
        quantity = number(f"{where}, {column}", row.get(column) or "0", whole=True)
        if quantity:
            model = text_of(f"{where}, model_version", row["model_version"])
            export.add(where, day, model, meter, quantity=quantity)


def read_cost_row(export: Export, where: str, row: Mapping[str, str]) -> None:
    """Add a row of the cost page's file. Raises ``UnreadableExport``."""
    day = _day(export, where, row)
    export.set_currency(where, "USD")
    amount = number(f"{where}, cost_usd", row["cost_usd"] or "0", signed=True)
    token_type = row["token_type"]
    if token_type in _TOKEN_TYPES:
        model, meter = text_of(f"{where}, model", row["model"]), _TOKEN_TYPES[token_type]
    elif row.get("cost_type", "") not in ("", "token", "tokens"):
        model, meter = ALL, cost_meter(f"{where}, cost_type", row["cost_type"])
    else:
        raise UnreadableExport(
            f"{where}, token_type", f"{token_type!r} is not a type of token that is understood"
        )
    tier = tier_of(
        batch="batch" in row.get("usage_type", "").lower(),
        long_context=row.get("context_window", "").strip().startswith(">"),
        us=row.get("inference_geo") == "us",
        fast=row.get("speed") == "fast",
    )
    export.add(where, day, model, meter, amount=amount, tier=tier)


def _day(export: Export, where: str, row: Mapping[str, str]) -> date:
    day = day_of_text(export, f"{where}, {_DAY}", row[_DAY])
    export.cover(day)
    return day
