"""OpenRouter's activity: the CSV files of its activity and logs pages, and its API's JSON.

https://openrouter.ai/docs/api-reference/analytics/get-user-activity
The activity page's file has a row for each day and model, the logs page's one for each generation.
Prompt tokens include the cached ones, completion tokens the reasoning; costs are in US dollars, and
all times UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.parsing import ALL, Export, members, number, text_of
from backend.metering.reconciliation.exports.times import day_of_text
from backend.metering.reconciliation.meters import CACHED, INPUT, OUTPUT, PROMPT, REQUESTS

ACTIVITY_COLUMNS: Final = frozenset(
    {"Date", "Slug", "Usage", "BYOK Usage", "Requests", "Prompt Tokens", "Completion Tokens"}
    | {"Reasoning Tokens"}
)
ACTIVITY_NEEDED: Final = (
    *("Date", "Slug", "Usage", "Requests", "Prompt Tokens", "Completion Tokens"),
)
LOG_NEEDED: Final = (
    *("generation_id", "created_at", "cost_total", "tokens_prompt", "tokens_completion"),
    "model_permaslug",
)
_ITEM: Final = frozenset(
    {"date", "model", "model_permaslug", "endpoint_id", "provider_name", "usage"}
    | {"byok_usage_inference", "requests", "prompt_tokens", "completion_tokens"}
    | {"reasoning_tokens"}
)


def read_activity_row(export: Export, where: str, row: Mapping[str, str]) -> None:
    """Add a day and model of the activity page's file. Raises ``UnreadableExport``."""
    quantities = {
        REQUESTS: number(f"{where}, Requests", row["Requests"] or "0", whole=True),
        PROMPT: number(f"{where}, Prompt Tokens", row["Prompt Tokens"] or "0", whole=True),
        OUTPUT: number(f"{where}, Completion Tokens", row["Completion Tokens"] or "0", whole=True),
    }
    amount = number(f"{where}, Usage", row["Usage"] or "0", signed=True)
    day, model = (f"{where}, Date", row["Date"]), (f"{where}, Slug", row["Slug"])
    _add(export, where, day, model, quantities, amount)


def read_log_row(export: Export, where: str, row: Mapping[str, str]) -> None:
    """Add a generation of the logs page's file. Raises ``UnreadableExport``."""
    prompt = number(f"{where}, tokens_prompt", row["tokens_prompt"] or "0", whole=True)
    quantities = {
        REQUESTS: Decimal(1),
        OUTPUT: number(f"{where}, tokens_completion", row["tokens_completion"] or "0", whole=True),
    }
    if "tokens_cached" in row:
        cached = number(f"{where}, tokens_cached", row["tokens_cached"] or "0", whole=True)
        if cached > prompt:
            raise UnreadableExport(f"{where}, tokens_cached", "more than tokens_prompt")
        quantities |= {INPUT: prompt - cached, CACHED: cached}
    else:
        quantities[PROMPT] = prompt
    amount = number(f"{where}, cost_total", row["cost_total"] or "0", signed=True)
    day = (f"{where}, created_at", row["created_at"])
    model = (f"{where}, model_permaslug", row["model_permaslug"])
    _add(export, where, day, model, quantities, amount)


def read_activity(export: Export, pages: Sequence[object], ignored: Sequence[str]) -> None:
    """Add the answers of the activity API. Raises ``UnreadableExport``."""
    for place, page in enumerate(pages):
        at = "" if len(pages) == 1 else f"[{place}]."
        items = members(at.rstrip("."), page, {"data"}, ignored).get("data")
        if not isinstance(items, list):
            raise UnreadableExport(f"{at}data", "is not an array")
        for number_of, item in enumerate(items):
            where = f"{at}data[{number_of}]"
            given = members(where, item, _ITEM, ignored)
            quantities = {
                meter: number(f"{where}.{name}", given.get(name, 0), whole=True)
                for name, meter in (
                    ("requests", REQUESTS),
                    ("prompt_tokens", PROMPT),
                    ("completion_tokens", OUTPUT),
                )
            }
            amount = number(f"{where}.usage", given.get("usage", 0), signed=True)
            day = (f"{where}.date", text_of(f"{where}.date", given.get("date")))
            model = (f"{where}.model", given.get("model"))
            _add(export, where, day, model, quantities, amount)


def _add(
    export: Export,
    where: str,
    dated: tuple[str, str],
    named: tuple[str, object],
    quantities: Mapping[str, Decimal],
    amount: Decimal,
) -> None:
    """Add what was used of a model; ``dated`` and ``named`` are where each stands, and its text."""
    day = day_of_text(export, *dated)
    model = text_of(*named)
    export.set_currency(where, "USD")
    for meter, quantity in quantities.items():
        if quantity:
            export.add(where, day, model, meter, quantity=quantity)
    export.add(where, day, model, ALL, amount=amount)
