"""What a correction or a backfill would change, as a preview shows it. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from backend_client.types.corrections import SpendChange, UsageChange
from portal.kit.formatting import count, meter_name, money, period

SHOWN = 100
"""Changes of usage on the page; those that are left out are counted."""


@dataclass(frozen=True)
class ChangeRow:
    """What is added to the usage in a quarter hour, or taken away."""

    day: str
    time: str
    what: str
    about: str
    meter: str
    quantity: str


@dataclass(frozen=True)
class PeriodRow:
    """What a billing period costs before and after."""

    period: str
    note: str
    before: str
    after: str
    difference: str


def change_rows(
    changes: Sequence[UsageChange], names: Mapping[str, str], time_zone: str
) -> tuple[list[ChangeRow], int]:
    """The changes of usage, and how many of them are left out."""
    zone = ZoneInfo(time_zone)
    rows = [_change_row(change, names, change.start.astimezone(zone)) for change in changes[:SHOWN]]
    return rows, len(changes) - len(rows)


def period_rows(spend: Sequence[SpendChange], time_zone: str) -> list[PeriodRow]:
    """What the billing periods cost before and after."""
    return [_period_row(change, time_zone) for change in spend]


def signed(quantity: Decimal) -> str:
    """A change with its sign: ``+1,200``, ``−310``."""
    return f"+{count(quantity)}" if quantity > 0 else f"−{count(abs(quantity))}"


def _change_row(change: UsageChange, names: Mapping[str, str], local: datetime) -> ChangeRow:
    about = [names.get(change.application, change.application)]
    if change.key:
        about.append(change.key)
    about += [f"{name}={value}" for name, value in sorted(change.labels.items())]
    return ChangeRow(
        day=f"{local.day} {local:%b %Y}",
        time=f"{local:%H:%M}",
        what=change.model,
        about=" · ".join(about),
        meter=meter_name(change.meter),
        quantity=signed(change.quantity),
    )


def _period_row(change: SpendChange, time_zone: str) -> PeriodRow:
    currency = change.after.currency
    difference = change.after.amount - change.before.amount
    sign = "+" if difference > 0 else ""
    numbers = ", ".join(change.invoices)
    note = ""
    if numbers and difference:
        note = f"Invoiced by {numbers}, which stays. The next invoice bills the difference."
    elif numbers:
        note = f"Invoiced by {numbers}."
    return PeriodRow(
        period=period(change.start, change.end, time_zone),
        note=note,
        before=money(change.before.amount, currency),
        after=money(change.after.amount, currency),
        difference=sign + money(difference, currency) if difference else "None",
    )
