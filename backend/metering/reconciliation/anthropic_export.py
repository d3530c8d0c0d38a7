"""Anthropic's reports: messages usage and cost, as JSON of the Admin API.

https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages
https://platform.claude.com/docs/en/api/admin/cost_report
Written cache tokens are fresh input that costs more, so they count as input; read ones as cached.
Amounts are decimals of a cent: "123.45" in USD is $1.2345. All days are UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.json_pages import PageForm, whole_number
from backend.metering.reconciliation.parsing import ALL, Export, members, number, text_of
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
    "cache_creation.ephemeral_1h_input_tokens": "input_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "input_tokens",
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
        written = [
            whole_number(f"{where}.cache_creation", created, name) for name in sorted(_CREATION)
        ]
        quantities = {
            "input_tokens": whole_number(where, given, "uncached_input_tokens") + sum(written),
            "cached_input_tokens": whole_number(where, given, "cache_read_input_tokens"),
            "output_tokens": whole_number(where, given, "output_tokens"),
            "web_search_requests": whole_number(
                f"{where}.server_tool_use", tools, "web_search_requests"
            ),
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
        minor = number(f"{where}.amount", given["amount"])
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
        elif given.get("description") is not None:
            model = text_of(f"{where}.description", given["description"])
        export.add(where, day, model, meter, amount=amount)
