"""What a model costs on a plan, tiers and all, as a page shows it. Plain functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from backend_client.types.charges import (
    GraduatedCharge,
    Tier,
    TieredCharge,
    TimeWindow,
    UsageCharge,
    VolumeCharge,
)
from backend_client.types.models import ModelCharge, ModelInfo
from portal.kit.formatting import compact, exact_money, meters_name, money
from portal.kit.prices import first_units, priced_for

NO_PRICE = "–"


@dataclass(frozen=True)
class PriceLine:
    """A price and the usage that it is for; empty where it is for all."""

    usage: str
    price: str


@dataclass(frozen=True)
class PriceRow:
    """What meters cost: their prices, and what more there is to say of them."""

    meter: str
    lines: list[PriceLine]
    note: str


def price_rows(model: ModelInfo) -> list[PriceRow]:
    """Return what each meter of a model costs on the reader's plan, in the plan's currency.

    Meters that the same charges price are a row together.
    """
    by_charges: dict[tuple[str, ...], list[list[ModelCharge]]] = {}
    for _, entries in groupby(model.charges, key=lambda entry: entry.meter):
        charges = list(entries)
        by_charges.setdefault(tuple(entry.charge.id for entry in charges), []).append(charges)
    currency = model.currency or "USD"
    return [
        _row(meters_name([charges[0].meter for charges in meters]), meters[0], currency)
        for meters in by_charges.values()
    ]


def first_price(model: ModelInfo, meter: str) -> str:
    """Return what a meter's first units cost: ``$0.15 per 1M``, ``Free``, or a dash for no price.

    Where more of it costs another price, ``from`` or ``up to`` goes before.
    """
    charges = [entry.charge for entry in model.charges if entry.meter == meter]
    if not charges:
        return NO_PRICE
    charge = charges[-1]
    currency = model.currency or "USD"
    text = first_units(charge, currency)
    if isinstance(charge, TieredCharge) and len(charge.tiers) > 1:
        first, *rest = (tier.price for tier in charge.tiers)
        return f"{'up to' if max(rest) <= first else 'from'} {text}"
    return text


def amount_and_unit(price: str) -> tuple[str, str]:
    """Split a price where it may break: what it is, and what it buys, empty if that goes unsaid."""
    amount, per, unit = price.partition(" per ")
    return amount, f"per {unit}" if per else ""


def _row(meter: str, charges: list[ModelCharge], currency: str) -> PriceRow:
    lines = [line for entry in charges for line in _lines(entry, currency)]
    return PriceRow(meter, lines, " ".join(_notes(charges, currency)))


def _lines(entry: ModelCharge, currency: str) -> Iterator[PriceLine]:
    charge = entry.charge
    where = _where(charge, entry.window)
    if isinstance(charge, TieredCharge) and len(charge.tiers) > 1:
        for below, tier in _between(charge.tiers):
            price = priced_for(tier.price, charge, currency) if tier.price else "Free"
            if tier.flat_fee:
                price += f" + {exact_money(tier.flat_fee, currency)}"
            yield PriceLine(", ".join(filter(None, (where, _range(below, tier.up_to)))), price)
    else:
        yield PriceLine(where, first_units(charge, currency))


def _between(tiers: Iterable[Tier]) -> Iterator[tuple[Decimal, Tier]]:
    below = Decimal(0)
    for tier in tiers:
        yield below, tier
        below = tier.up_to or below


def _range(below: Decimal, up_to: Decimal | None) -> str:
    if up_to is None:
        return f"above {compact(below)}"
    return f"{compact(below)} to {compact(up_to)}" if below else f"to {compact(up_to)}"


def _where(charge: UsageCharge, window: TimeWindow | None) -> str:
    """Return the labels and the hours that a charge is for."""
    parts = [f"{name} {value}" for name, value in charge.labels.items()]
    if window is not None:
        days = f", {', '.join(day.capitalize() for day in window.days)}" if window.days else ""
        parts.append(f"{window.start}–{window.end} {window.time_zone}{days}")
    return "; ".join(parts)


def _notes(charges: list[ModelCharge], currency: str) -> Iterator[str]:
    for charge in (entry.charge for entry in charges):
        if charge.included:
            yield f"{compact(charge.included)} included each month."
        if charge.included_per_seat:
            yield f"{compact(charge.included_per_seat)} more included for each seat."
        if isinstance(charge, VolumeCharge) and len(charge.tiers) > 1:
            yield "The month’s volume sets the price of all of it."
        if isinstance(charge, GraduatedCharge) and len(charge.tiers) > 1:
            yield "Each price is for the month’s units in its range."
        if charge.minimum:
            yield f"At least {money(charge.minimum, currency)} a month."
        if charge.maximum is not None:
            yield f"At most {money(charge.maximum, currency)} a month."
