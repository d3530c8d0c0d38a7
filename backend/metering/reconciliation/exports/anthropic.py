"""Anthropic's reports: messages usage and cost, as JSON of the Admin API.

https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages
https://platform.claude.com/docs/en/api/admin/cost_report
Written cache tokens have meters of their own; where they are metered as input, they are compared as
input. Amounts of a batch, of a long context and the like keep their tier, which has other prices.
Amounts are decimals of a cent: "123.45" in USD is $1.2345. All days are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.json_pages import PageForm, whole_number
from backend.metering.reconciliation.exports.parsing import (
    ALL,
    Export,
    members,
    meter_name,
    number,
    text_of,
    tier_of,
)
from backend.metering.reconciliation.meters import CACHE_WRITE, CACHE_WRITE_1H, WEB_SEARCHES
from backend.pricing.money import exact_arithmetic, minor_digits

_PAGES: Final = PageForm("starting_at", "ending_at")
_PLACES: Final = frozenset(
    {"workspace_id", "model", "service_tier", "context_window", "inference_geo", "speed"}
    | {"api_key_id", "account_id", "service_account_id"}
)
_CREATION: Final = frozenset({"ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens"})
_USAGE: Final = _PLACES | {
    "uncached_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
    "output_tokens",
    "server_tool_use",
}
_COST: Final = _PLACES | {"amount", "currency", "cost_type", "description", "token_type"}
_TOKEN_METERS: Final = {
    "uncached_input_tokens": "input_tokens",
    "cache_creation.ephemeral_1h_input_tokens": CACHE_WRITE_1H,
    "cache_creation.ephemeral_5m_input_tokens": CACHE_WRITE,
    "cache_read_input_tokens": "cached_input_tokens",
    "output_tokens": "output_tokens",
}


def read_usage(export: Export, pages: Sequence[object], ignored: Sequence[str]) -> None:
    """Add the pages of the messages usage report. Raises ``UnreadableExport``."""
    for where, day, result in _PAGES.results(export, pages, ignored):
        given = members(where, result, _USAGE, ignored)
        created = members(
            f"{where}.cache_creation", given.get("cache_creation") or {}, _CREATION, ignored
        )
        tools = members(
            f"{where}.server_tool_use",
            given.get("server_tool_use") or {},
            {"web_search_requests"},
            ignored,
        )
        written = f"{where}.cache_creation"
        quantities = {
            "input_tokens": whole_number(where, given, "uncached_input_tokens"),
            CACHE_WRITE: whole_number(written, created, "ephemeral_5m_input_tokens"),
            CACHE_WRITE_1H: whole_number(written, created, "ephemeral_1h_input_tokens"),
            "cached_input_tokens": whole_number(where, given, "cache_read_input_tokens"),
            "output_tokens": whole_number(where, given, "output_tokens"),
            WEB_SEARCHES: whole_number(f"{where}.server_tool_use", tools, "web_search_requests"),
        }
        used = {meter: quantity for meter, quantity in quantities.items() if quantity}
        if used and given.get("model") is None:
            raise UnreadableExport(f"{where}.model", "is missing; group the report by model")
        for meter, quantity in used.items():
            model = text_of(f"{where}.model", given["model"])
            export.add(where, day, model, meter, quantity=quantity)


def read_costs(export: Export, pages: Sequence[object], ignored: Sequence[str]) -> None:
    """Add the pages of the cost report. Raises ``UnreadableExport``."""
    for where, day, result in _PAGES.results(export, pages, ignored):
        given = members(where, result, _COST, ignored)
        if not isinstance(given.get("amount"), str):
            raise UnreadableExport(f"{where}.amount", "is not a decimal in quotation marks")
        export.set_currency(f"{where}.currency", given.get("currency"))
        minor = number(f"{where}.amount", given["amount"], signed=True)
        with exact_arithmetic():
            amount = minor.scaleb(-minor_digits(export.currency or "USD"))
        model, meter = ALL, ALL
        if given.get("model") is not None:
            model = text_of(f"{where}.model", given["model"])
            token_type = given.get("token_type")
            if token_type is not None and str(token_type) not in _TOKEN_METERS:
                raise UnreadableExport(
                    f"{where}.token_type",
                    f"{token_type!r} is not a type of token that is understood",
                )
            meter = ALL if token_type is None else _TOKEN_METERS[str(token_type)]
        elif given.get("cost_type") not in (None, "tokens"):
            meter = cost_meter(f"{where}.cost_type", given["cost_type"])
        elif given.get("description") is not None:
            model = text_of(f"{where}.description", given["description"])
        export.add(where, day, model, meter, amount=amount, tier=_tier(given))


def cost_meter(where: str, given: object) -> str:
    """Return the meter of a cost that is not of tokens, such as web searches."""
    name = text_of(where, given, longest=60)
    return WEB_SEARCHES if name == "web_search" else meter_name(where, name)


def _tier(given: Mapping[str, object]) -> str:
    return tier_of(
        batch=given.get("service_tier") == "batch",
        long_context=given.get("context_window") in ("200k-1M", "200k+"),
        us=given.get("inference_geo") == "us",
        fast=given.get("speed") == "fast",
    )
