"""OpenAI's exports: the usage and costs APIs' JSON, and the usage page's CSV.

https://platform.openai.com/docs/api-reference/usage (each result's members as openai-python's
``openai.types.admin.organization`` has them), and https://platform.openai.com/usage, whose Export
writes the same members as columns, the amount as ``amount_value`` and ``amount_currency``.
``input_tokens`` include the cached ones, and ``output_tokens`` the reasoning; all days are UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.json_pages import PageForm, whole_number
from backend.metering.reconciliation.exports.parsing import (
    ALL,
    Export,
    instant,
    members,
    number,
    text_of,
)
from backend.metering.reconciliation.meters import CACHE_WRITE

_PAGES: Final = PageForm(
    "start_time", "end_time", frozenset({"start_time_iso", "end_time_iso"}), object_name="page"
)
_PLACES: Final = frozenset(
    {"object", "project_id", "user_id", "api_key_id", "api_source", "model", "service_tier"}
)
_KINDS: Final = ("text", "audio", "image")
_TOKENS: Final = frozenset(
    {
        "input_tokens",
        "output_tokens",
        "input_cached_tokens",
        "input_cache_write_tokens",
        "input_cache_write_30m_tokens",
        "input_cache_write_12h_tokens",
        "input_uncached_tokens",
        *(f"input_{kind}_tokens" for kind in _KINDS),
        *(f"input_cached_{kind}_tokens" for kind in _KINDS),
        *(f"output_{kind}_tokens" for kind in _KINDS),
    }
)
_RESULTS: Final[Mapping[str, tuple[frozenset[str], Mapping[str, str]]]] = {
    "organization.usage.completions.result": (_TOKENS | {"batch"}, {}),
    "organization.usage.embeddings.result": (frozenset({"input_tokens"}), {}),
    "organization.usage.moderations.result": (frozenset({"input_tokens"}), {}),
    "organization.usage.images.result": (
        frozenset({"images", "size", "source"}),
        {"images": "images"},
    ),
    "organization.usage.audio_speeches.result": (
        frozenset({"characters"}),
        {"characters": "characters"},
    ),
    "organization.usage.audio_transcriptions.result": (
        frozenset({"seconds"}),
        {"seconds": "audio_seconds"},
    ),
}
"""Members of each kind of result beside its place, and the meters of those that are not tokens."""

_COSTS: Final = frozenset(
    {*_PLACES, "amount", "line_item", "quantity", "quantity_unit", "project_name"}
    | {"organization_id", "organization_name"}
)
_LINE_ENDS: Final = (
    (", cached input", "cached_input_tokens"),
    (", input", "input_tokens"),
    (", output", "output_tokens"),
)
_TIMES: Final = frozenset({"start_time", "end_time", "start_time_iso", "end_time_iso"})
USAGE_COLUMNS: Final = (
    _TIMES | (_PLACES - {"object"}) | _TOKENS | {"batch", "num_model_requests", "project_name"}
)
COST_COLUMNS: Final = _TIMES | (_COSTS - {"object", "amount"}) | {"amount_value", "amount_currency"}


def read_usage(export: Export, pages: Sequence[object], ignored: Sequence[str]) -> None:
    """Add the pages of the usage API. Raises ``UnreadableExport``."""
    for where, day, result in _PAGES.results(export, pages, ignored):
        kind = result.get("object") if isinstance(result, dict) else None
        if kind in ignored:
            continue
        if str(kind) not in _RESULTS:
            raise UnreadableExport(
                f"{where}.object", f"{kind!r} is not usage by model; list it in ignore_fields"
            )
        own, meters = _RESULTS[str(kind)]
        given = members(where, result, _PLACES | own | {"num_model_requests"}, ignored)
        _add_usage(export, where, day, given, meters)


def _add_usage(
    export: Export,
    where: str,
    day: date,
    given: Mapping[str, object],
    meters: Mapping[str, str],
) -> None:
    quantities = {"requests": whole_number(where, given, "num_model_requests")}
    quantities |= {meter: whole_number(where, given, name) for name, meter in meters.items()}
    # Each part is checked, though only the sums are used: a wrong part makes all of them doubtful.
    for name in sorted(_TOKENS & set(given)):
        whole_number(where, given, name)
    whole_input = whole_number(where, given, "input_tokens")
    cached = whole_number(where, given, "input_cached_tokens")
    written = whole_number(where, given, "input_cache_write_tokens")
    if cached + written > whole_input:
        raise UnreadableExport(f"{where}.input_cached_tokens", "more than input_tokens")
    quantities |= {
        "input_tokens": whole_input - cached - written,
        "cached_input_tokens": cached,
        CACHE_WRITE: written,
        "output_tokens": whole_number(where, given, "output_tokens"),
    }
    used = {meter: quantity for meter, quantity in quantities.items() if quantity}
    if not used:
        return
    if given.get("model") is None:
        raise UnreadableExport(f"{where}.model", "is missing; group the export by model")
    model = text_of(f"{where}.model", given["model"])
    for meter, quantity in used.items():
        export.add(where, day, model, meter, quantity=quantity)


def read_costs(export: Export, pages: Sequence[object], ignored: Sequence[str]) -> None:
    """Add the pages of the costs API. Raises ``UnreadableExport``."""
    for where, day, result in _PAGES.results(export, pages, ignored):
        given = members(where, result, _COSTS, ignored)
        if given.get("object") != "organization.costs.result":
            raise UnreadableExport(f"{where}.object", f"{given.get('object')!r} is not a cost")
        if given.get("amount") is None:
            continue
        amount = members(f"{where}.amount", given["amount"], {"value", "currency"}, ignored)
        export.set_currency(f"{where}.amount.currency", amount.get("currency"))
        value = number(f"{where}.amount.value", amount.get("value"), signed=True)
        _add_cost(export, where, day, given.get("line_item"), value)


def _add_cost(export: Export, where: str, day: date, line_item: object, value: Decimal) -> None:
    if line_item in (None, ""):
        export.add(where, day, ALL, ALL, amount=value)
        return
    line = text_of(f"{where}.line_item", line_item)
    for end, meter in _LINE_ENDS:
        if line.lower().endswith(end):
            export.add(where, day, line[: -len(end)], meter, amount=value)
            return
    export.add(where, day, line, ALL, amount=value)


def read_usage_row(export: Export, where: str, row: Mapping[str, str]) -> None:
    """Add a row of the usage page's CSV. Raises ``UnreadableExport``."""
    day = _row_day(export, where, row)
    given: dict[str, object] = {name: value for name, value in row.items() if value != ""}
    if set(given) - _TIMES:
        _add_usage(export, where, day, given, {})


def read_cost_row(export: Export, where: str, row: Mapping[str, str]) -> None:
    """Add a row of the usage page's CSV of costs. Raises ``UnreadableExport``."""
    day = _row_day(export, where, row)
    if row["amount_value"] == "":  # a day without any cost
        return
    export.set_currency(f"{where}.amount_currency", row.get("amount_currency"))
    value = number(f"{where}.amount_value", row["amount_value"], signed=True)
    _add_cost(export, where, day, row.get("line_item"), value)


def _row_day(export: Export, where: str, row: Mapping[str, str]) -> date:
    moments = []
    for name in ("start_time", "end_time"):
        seconds = number(f"{where}.{name}", row[name], whole=True)
        moments.append(instant(f"{where}.{name}", int(seconds)))
    day = export.day_of(f"{where}.start_time", *moments)
    export.cover(day)
    return day
