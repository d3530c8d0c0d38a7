"""How amounts, quantities, prices and dates are written on an invoice."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import assert_never
from zoneinfo import ZoneInfo

from backend.pricing.money import round_to_minor_unit
from backend.pricing.periods import INSTANT
from backend_client.types.charges import Cadence, FlatPer
from backend_client.types.common import Money, plain
from backend_client.types.countries import COUNTRY_NAMES
from backend_client.types.invoices import AFTER_TAX, Invoice, InvoiceLine, Party
from backend_client.types.spend import Period, SpendLine, TierSpend

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_MINUS = "−"
_DECIMALS = 4
_MOST_DECIMALS = 13
_TWELVE = Decimal("1e-12")
_TERMS = frozenset({Cadence.QUARTER, Cadence.YEAR})


def money(amount: Money) -> str:
    """An amount with its currency, grouped by thousands: ``1,234.50 USD``."""
    return f"{figure(amount)} {amount.currency}"


def before_tax(invoice: Invoice) -> Money:
    """The sum of the lines that tax is on, as it is printed above the taxes."""
    after = (line.amount.amount for line in invoice.lines if line.kind in AFTER_TAX)
    subtotal = invoice.subtotal
    return Money(amount=subtotal.amount - sum(after, Decimal(0)), currency=subtotal.currency)


def figure(amount: Money) -> str:
    """An amount alone: ``1,234.50``, ``−3.00``."""
    return _signed(amount.amount, f"{abs(amount.amount):,f}")


def number(value: Decimal) -> str:
    """A quantity or an exact amount in full, grouped by thousands: ``1,234,567.5``."""
    text = f"{abs(value):,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return _signed(value, text)


def date(moment: datetime, time_zone: str) -> str:
    """A day on the clocks of a zone: ``24 Nov 2026``. The same in every locale."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local.day} {_MONTHS[local.month - 1]} {local.year}"


def period(billed: Period) -> str:
    """A period by its first and last day: ``1 Nov 2026 – 30 Nov 2026``."""
    return days(billed.start, billed.end, billed.time_zone)


def days(start: datetime, end: datetime, time_zone: str) -> str:
    """A time by its first and last day: one that ends at midnight ends on the day before."""
    return f"{date(start, time_zone)} – {date(end - INSTANT, time_zone)}"


def place(party: Party) -> str:
    """A party's country by name, with its region as ISO 3166-2 writes it: ``Canada, CA-QC``."""
    if party.country is None:
        return ""
    name = COUNTRY_NAMES.get(party.country, party.country)
    return f"{name}, {party.country}-{party.region}" if party.region else name


def plan(line: InvoiceLine) -> str:
    """The plan that a line is of, by its name: ``Plan Team``. Empty where it is of none."""
    name = line.plan_name or line.plan
    return f"Plan {name}" if name else ""


def quantity(line: InvoiceLine) -> str:
    """What was counted: units, seats, add-ons; for a yearly fee, years of one fee.

    Parts of seats and of years have four decimals, or as many as give the amount. Empty for other
    fees and adjustments.
    """
    if line.quantity is None:
        return ""
    charge = line.charge
    if charge is None or charge.kind != "flat":
        return number(line.quantity)
    several = charge.per in {FlatPer.SEAT, FlatPer.ADD_ON} or charge.cadence in _TERMS
    return _factor(line.quantity, charge.price or Decimal(0), line) if several else ""


def unit_price(line: InvoiceLine) -> str:
    """The price of a unit, or of the charge's unit size; ``tiered`` where tiers have prices."""
    charge = line.charge
    if charge is None:
        return ""
    if charge.price is None:
        return "tiered"
    price = _price(charge.price)
    match charge.kind:
        case "percentage":
            return f"{number(charge.price * 100)}%"
        case "flat" if charge.cadence in _TERMS:
            return f"{price} / {charge.cadence}"
        case "flat" | "per_unit" | "package" | "graduated" | "volume":
            size = number(Decimal(charge.unit_size))
            return price if charge.unit_size == 1 else f"{price} / {size}"
        case _:
            assert_never(charge.kind)


def arithmetic(line: InvoiceLine) -> list[str]:
    """How a line's amount was computed, step by step."""
    charge = line.charge
    steps: list[str] = []
    if charge is not None:
        if charge.included:
            steps.append(f"{number(charge.included)} of {number(charge.quantity)} units included")
        steps += [_tier(charge, tier) for tier in charge.tiers]
        steps += _part_of_period(charge)
    if line.late and line.before is not None:
        now = line.before.amount + line.amount.amount
        steps.append(
            f"rated again with usage that came late: {now:,f}, "
            f"less {figure(line.before)} invoiced before"
        )
    elif line.exact != line.amount.amount:
        steps.append(f"exactly {_cut(line.exact)}")
    return steps


def share(charge: SpendLine) -> Decimal:
    """Return which part of its time a fee is asked for: of the month, or as an item of its own.

    That is 1 for all other charges.
    """
    monthly = charge.kind == "flat" and charge.cadence in {Cadence.MONTH, None}
    itemized = len(charge.fee_parts) == 1
    whole = charge.price * charge.quantity if charge.price is not None else Decimal(0)
    return (
        charge.exact / whole
        if (monthly or itemized) and whole and charge.exact != whole
        else Decimal(1)
    )


def _part_of_period(charge: SpendLine) -> list[str]:
    """Return the part of the period that a fee is asked for, if not all of it."""
    part = share(charge)
    if part == 1 or charge.price is None:
        return []
    percent = _factor(part * 100, charge.price * charge.quantity / 100, charge)
    whole = charge.cadence if charge.cadence in _TERMS else "period"
    return [f"for {percent}% of the {whole}"]


def _factor(factor: Decimal, other: Decimal, product: InvoiceLine | SpendLine) -> str:
    """A factor of a price to as few decimals, four at least, as multiply to the price."""
    currency = product.amount.currency
    wanted = round_to_minor_unit(product.exact, currency)
    for decimals in range(_DECIMALS, _MOST_DECIMALS):
        shown = round(factor, decimals)
        if round_to_minor_unit(shown * other, currency) == wanted:
            return number(shown)
    return number(round(factor, _DECIMALS))  # there is a third factor


def _cut(exact: Decimal) -> str:
    """An exact amount to twelve decimals; nobody needs more."""
    shown = exact.quantize(_TWELVE, ROUND_DOWN)
    return number(exact) if shown == exact else f"{number(shown)}…"


def _tier(charge: SpendLine, tier: TierSpend) -> str:
    reach = "above" if tier.up_to is None else f"up to {number(tier.up_to)}"
    size = "" if charge.unit_size == 1 else f" / {number(Decimal(charge.unit_size))}"
    fee = f" + {_price(tier.flat_fee)}" if tier.flat_fee else ""
    units = f"{number(tier.quantity)} × {_price(tier.price)}{size}"
    return f"{reach}: {units}{fee} = {number(tier.amount)}"


def _price(price: Decimal) -> str:
    whole, _, fraction = plain(price).partition(".")
    return f"{int(whole):,}.{fraction.ljust(2, '0')}"


def _signed(value: Decimal, text: str) -> str:
    return f"{_MINUS}{text}" if value < 0 else text
