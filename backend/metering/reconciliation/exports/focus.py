"""FOCUS, the FinOps Open Cost and Usage Specification, 1.0 to 1.2: exports of AWS, Azure, Google.

https://focus.finops.org/focus-specification/
A FOCUS file has no columns for a model and a type of token: the clouds name both in the text of an
SKU, each in its own way (``USE1-Claude4.6Sonnet-cache-read-input-token-count``,
``gpt 4o 1120 Inp glbl Tokens``). The words below are what their price lists use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import IO, Final, NamedTuple

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.csv_rows import read_rows
from backend.metering.reconciliation.exports.parsing import ALL, Export, number, text_of, tier_of
from backend.metering.reconciliation.exports.times import day_of_text
from backend.metering.reconciliation.exports.words import is_wanted, meter_of, model_in, unit_size
from backend.metering.reconciliation.meters import CACHE_WRITE, CACHED, CREDITS, INPUT, OUTPUT
from backend.pricing.money import exact_arithmetic
from backend_client.types.reconciliation import FocusReading

NEEDED: Final = (
    *("BilledCost", "BillingCurrency", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd"),
)
_TEXTS: Final = (
    *("SkuMeter", "x_SkuMeterName", "x_UsageType", "x_SkuDescription", "ChargeDescription"),
    *("SkuId", "ResourceName"),
)
"""Where the clouds name a model and a type of token; the first that says something counts."""
_CATEGORIES: Final = {"Credit": CREDITS, "Tax": "tax", "Purchase": "purchase"}
_WORD: Final = re.compile(r"[A-Za-z0-9.]+")
_CACHED: Final = frozenset({"cached", "cchd", "cd"})
_INPUT: Final = frozenset({"input", "inp", "inpt", "prompt"})
_OUTPUT: Final = frozenset({"output", "outp", "outpt", "opt", "completion", "response"})
_TIERS: Final = ("batch", "priority", "flex")
_NO_NAME: Final = (
    _CACHED
    | _INPUT
    | _OUTPUT
    | set(_TIERS)
    | {"cache", "read", "write", "token", "tokens", "count", "1k", "1m", "text", "standard"}
    | {"glbl", "gl", "global", "dz", "dzone", "rgnl", "regional", "cross", "region", "mantle"}
    | {"on", "demand"}
)
_REGION: Final = re.compile(r"[a-z]{2,4}\d")


class Sku(NamedTuple):
    """What the text of an SKU says; None where it does not."""

    model: str
    meter: str | None
    tier: str = ""


def read_focus(export: Export, file: IO[bytes], reading: FocusReading | None) -> None:
    """Add a FOCUS file. Columns that say nothing of usage are not looked at.

    Raises ``UnreadableExport`` naming the row and the column.
    """
    reading = reading or FocusReading()
    named = [name for name in (reading.text, reading.model) if name is not None]
    for where, row in read_rows(file, needed=[*NEEDED, *named, *reading.where]):
        if is_wanted(row, reading.where):
            _add(export, where, row, reading)


def sku_of(text: str) -> Sku:
    """Return what an SKU's text says by the words that the clouds use."""
    words = _WORD.findall(text)
    lower = [word.lower() for word in words]
    lower_words = set(lower)
    meter = None
    if {"cache", "write"} <= lower_words:
        meter = CACHE_WRITE
    elif {"cache", "read"} <= lower_words or (lower_words & _CACHED and lower_words & _INPUT):
        meter = CACHED
    elif lower_words & _OUTPUT:
        meter = OUTPUT
    elif lower_words & _INPUT:
        meter = INPUT
    if meter is None:
        return Sku(text, None)
    rest = [word for word in words if word.lower() not in _NO_NAME]
    if len(rest) > 1 and _REGION.fullmatch(rest[0].lower()):
        del rest[0]
    return Sku(
        " ".join(rest) or text, meter, tier_of(**{name: name in lower_words for name in _TIERS})
    )


def _add(export: Export, where: str, row: Mapping[str, str], reading: FocusReading) -> None:
    export.set_currency(f"{where}, BillingCurrency", row["BillingCurrency"])
    amount = number(f"{where}, BilledCost", row["BilledCost"] or "0", signed=True)
    category = row["ChargeCategory"]
    if category != "Usage":
        meter = _CATEGORIES.get(category, "adjustment")
        # Of a month as a whole, it may be: it counts where that begins
        day = _day(export, where, row, whole=False)
        export.add(where, day, ALL, meter, amount=amount)
        return
    day = _day(export, where, row, whole=True)
    sku = _sku(where, row, reading)
    quantity = _quantity(where, row)
    if sku.meter is None:
        # Not of tokens: a cost of the model as the file calls it
        export.add(where, day, sku.model, ALL, amount=amount)
        return
    export.add(where, day, sku.model, sku.meter, quantity=quantity, amount=amount, tier=sku.tier)


def _day(export: Export, where: str, row: Mapping[str, str], *, whole: bool) -> date:
    until = row["ChargePeriodEnd"] if whole else ""
    return day_of_text(export, f"{where}, ChargePeriodStart", row["ChargePeriodStart"], until=until)


def _sku(where: str, row: Mapping[str, str], reading: FocusReading) -> Sku:
    columns = _TEXTS if reading.text is None else (reading.text,)
    texts = [(name, row[name]) for name in columns if row.get(name)]
    if not texts:
        raise UnreadableExport(
            f"{where}, {columns[0]}", "names no SKU; say in focus.text which column does"
        )
    read = [(name, text, sku_of(text)) for name, text in texts]
    column, text, sku = next((each for each in read if each[2].meter), read[0])
    model, meter = sku.model, meter_of(text, reading.meters) or sku.meter
    if reading.model is not None:
        column, model = reading.model, row[reading.model]
        text = model
    if reading.model_pattern:
        fitting = model_in(text, reading.model_pattern)
        if fitting is None:
            raise UnreadableExport(
                f"{where}, {column}", f"{text[:80]!r} fits no model_pattern of focus"
            )
        model = fitting
    return Sku(text_of(f"{where}, {column}", model), meter, sku.tier)


def _quantity(where: str, row: Mapping[str, str]) -> Decimal | None:
    for amount_of, unit in (
        ("ConsumedQuantity", "ConsumedUnit"),
        ("PricingQuantity", "PricingUnit"),
    ):
        if not row.get(amount_of):
            continue
        size = unit_size(row.get(unit, ""), {})
        if size is None:
            raise UnreadableExport(
                f"{where}, {unit}", f"{row[unit][:80]!r} is not a unit that is understood"
            )
        with exact_arithmetic():
            return number(f"{where}, {amount_of}", row[amount_of], signed=True) * size
    return None
