"""Lines of a spend report as a table shows them. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from backend_client.types.charges import Cadence
from backend_client.types.common import plain
from backend_client.types.spend import SpendAdjustment, SpendLine
from portal.kit.formatting import compact, count, exact_money, meter_name, money, period, unit_price

ADJUSTMENTS = {
    "minimum": "Brings the charges up to the least that is asked",
    "maximum": "Brings the charges down to the most that is asked",
    "discount": "Discount",
    "trial": "Nothing is asked on trial",
    "coupon": "Coupon",
    "reversed": "A credit note taken back",
}


_LONGER = frozenset({Cadence.QUARTER, Cadence.YEAR})


@dataclass(frozen=True)
class LineRow:
    """A line as the table shows it. An adjustment has no quantity and no price.

    ``bought`` is both in one: ``3 at $5.00 each``, ``1/12 of $490.00 per year``.
    """

    name: str
    detail: str
    plan: str
    quantity: str
    included: str
    price: str
    exact: str
    amount: str
    bought: str = ""


def line_row(line: SpendLine, currency: str, time_zone: str) -> LineRow:
    """A line with what it is for and how its price came about."""
    quantity = line_quantity(line)
    price = "" if line.price is None else line_price(line.price, line, currency)
    return LineRow(
        name=line.name,
        detail=line_detail(line, currency, time_zone),
        plan=plan_name(line.plan, line.plan_version),
        quantity=quantity,
        included=count(line.included) if line.included else "",
        price=price,
        exact=exact_money(line.exact, currency),
        amount=money(line.amount.amount, currency),
        bought=_bought(quantity, price),
    )


def adjustment_row(adjustment: SpendAdjustment, currency: str) -> LineRow:
    """A discount, a limit or the like, with its sign."""
    return LineRow(
        name=adjustment.name,
        detail=ADJUSTMENTS.get(adjustment.kind, adjustment.kind.capitalize()),
        plan=plan_name(adjustment.plan, adjustment.plan_version),
        quantity="",
        included="",
        price="",
        exact=exact_money(adjustment.exact, currency),
        amount=money(adjustment.amount.amount, currency),
    )


def plan_name(plan: str, version: int) -> str:
    """A plan version in a word; nothing for what concerns the whole bill."""
    return f"{plan} v{version}" if plan else ""


def line_quantity(line: SpendLine) -> str:
    """How much was counted; of a fee how many were had on average, or asked for by the year."""
    if line.kind != "flat":
        return count(line.quantity)
    if line.quantity == 1:
        return ""
    if line.cadence in _LONGER and (part := _twelfths(line.quantity)):
        return part
    return count(round(line.quantity, 4)).replace("-", "−")


def _twelfths(quantity: Decimal) -> str:
    """Months of a year, or of a quarter, as people say them: ``1/12``; empty for other parts."""
    months = round(quantity * 12)
    if not 0 < months < 12 or abs(quantity * 12 - months) > Decimal("0.0001"):
        return ""
    return str(Fraction(months, 12))


def _bought(quantity: str, price: str) -> str:
    if not quantity or not price:
        return quantity or price
    return f"{quantity} {'of' if '/' in quantity else 'at'} {price}"


def line_detail(line: SpendLine, currency: str, time_zone: str) -> str:
    """What a line is for: its days if flat, its tiers if tiered, else its meters and models."""
    if line.cadence is Cadence.ONCE:
        return "For taking the plan up"
    if line.kind == "flat":
        if line.fee_parts:
            return " · ".join(
                f"{count(part.quantity).replace('-', '−')} for "
                f"{period(part.start, part.end, time_zone)}"
                for part in line.fee_parts
            )
        days = period(line.start, line.end, time_zone)
        return f"Given back for {days}" if line.quantity < 0 else days
    if line.tiers:
        return " · ".join(
            f"{compact(tier.quantity)} at {unit_price(tier.price, line.unit_size, currency)}"
            + (f" + {exact_money(tier.flat_fee, currency)}" if tier.flat_fee else "")
            for tier in line.tiers
            if tier.quantity > Decimal(0)
        )
    meters = ", ".join(meter_name(meter) for meter in line.meters)
    return f"{meters} · {', '.join(line.models) if line.models else 'all models'}"


def line_price(price: Decimal, line: SpendLine, currency: str) -> str:
    """A line's price with what it buys: a month, a year, a package, a share, or units."""
    match line.kind:
        case "flat":
            if line.cadence is Cadence.ONCE:
                return f"{exact_money(price, currency)} once"
            return f"{exact_money(price, currency)} per {line.cadence or Cadence.MONTH}"
        case "package":
            return f"{exact_money(price, currency)} per package of {compact(line.unit_size)}"
        case "percentage":
            return f"{plain(price * 100)}%"
        case "per_unit" | "graduated" | "volume":
            return unit_price(price, line.unit_size, currency)
        case _:
            assert_never(line.kind)
