"""Any CSV file, by a mapping that says which columns mean what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import IO

from backend.metering.errors import UnreadableExport
from backend.metering.reconciliation.exports.csv_rows import read_rows
from backend.metering.reconciliation.exports.parsing import ALL, Export, meter_name, number, text_of
from backend.metering.reconciliation.exports.times import day_of_text
from backend.metering.reconciliation.exports.words import is_wanted, meter_of, model_in, unit_size
from backend.metering.reconciliation.meters import CREDITS
from backend.pricing.money import exact_arithmetic
from backend_client.types.reconciliation import CsvMapping

Row = Mapping[str, str]


def read_mapped(export: Export, file: IO[bytes], mapping: CsvMapping) -> None:
    """Add a file by its mapping. Raises ``UnreadableExport`` naming the row and the column."""
    named = [mapping.meter, mapping.quantity, mapping.amount, mapping.currency, mapping.unit]
    columns = [mapping.day, mapping.model, *mapping.credits, *mapping.where]
    columns += [name for names in mapping.quantities.values() for name in _columns(names)]
    columns += [name for name in named if name is not None]
    rows = read_rows(
        file,
        delimiter=mapping.delimiter,
        understood=None if mapping.ignore == "*" else frozenset(columns),
        ignored=mapping.ignore,
        needed=columns,
    )
    for where, row in rows:
        if is_wanted(row, mapping.where):
            _add(export, where, row, mapping)


def _add(export: Export, where: str, row: Row, mapping: CsvMapping) -> None:
    day = day_of_text(
        export, f"{where}, {mapping.day}", row[mapping.day], date_format=mapping.date_format
    )
    model = _model(f"{where}, {mapping.model}", row[mapping.model], mapping)
    _set_currency(export, where, row, mapping)
    size = _unit_size(where, row, mapping)
    amount = None
    if mapping.amount is not None:
        amount = number(f"{where}, {mapping.amount}", row[mapping.amount] or "0", signed=True)
    for column in mapping.credits:
        credited = number(f"{where}, {column}", row[column] or "0", signed=True)
        if credited:
            export.add(where, day, model, CREDITS, amount=-abs(credited))
    for meter, columns in mapping.quantities.items():
        for column in _columns(columns):
            quantity = _quantity(f"{where}, {column}", row[column], size)
            export.add(where, day, model, meter, quantity=quantity)
    if mapping.meter is not None:
        meter = _meter(f"{where}, {mapping.meter}", row[mapping.meter], mapping)
        counted = None
        if mapping.quantity is not None:
            counted = _quantity(f"{where}, {mapping.quantity}", row[mapping.quantity], size)
        export.add(where, day, model, meter, quantity=counted, amount=amount)
    elif amount is not None:
        export.add(where, day, model, ALL, amount=amount)


def _columns(names: str | list[str]) -> Iterable[str]:
    return [names] if isinstance(names, str) else names


def _model(where: str, given: str, mapping: CsvMapping) -> str:
    if not mapping.model_pattern:
        return text_of(where, given)
    model = model_in(given, mapping.model_pattern)
    if model is None:
        raise UnreadableExport(
            where, f"{given[:80]!r} fits no model_pattern; leave such rows out by where"
        )
    return text_of(where, model)


def _meter(where: str, given: str, mapping: CsvMapping) -> str:
    if not mapping.meters:
        return meter_name(where, given)
    meter = meter_of(given, mapping.meters)
    if meter is None:
        raise UnreadableExport(where, f"{given[:80]!r} is not one of the meters in the mapping")
    return meter


def _unit_size(where: str, row: Row, mapping: CsvMapping) -> int:
    if mapping.unit is None:
        return mapping.unit_size
    size = unit_size(row[mapping.unit], mapping.units)
    if size is None:
        raise UnreadableExport(
            f"{where}, {mapping.unit}",
            f"{row[mapping.unit][:80]!r} is not a unit that is understood; say in units how many "
            "it is",
        )
    return size * mapping.unit_size


def _quantity(where: str, given: str, size: int) -> Decimal:
    with exact_arithmetic():
        return number(where, given or "0") * size


def _set_currency(export: Export, where: str, row: Row, mapping: CsvMapping) -> None:
    if mapping.currency is not None:
        export.set_currency(f"{where}, {mapping.currency}", row[mapping.currency])
    elif mapping.amount_currency is not None:
        export.set_currency(where, mapping.amount_currency)
