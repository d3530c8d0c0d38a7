"""A change of plan, its proration before it is confirmed, and what else is done with a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from backend_client.types.charges import FlatCharge, FlatPer
from backend_client.types.plans import PlanDefinition
from backend_client.types.spend import SpendLine, SpendReport
from backend_client.types.subscription_preview import SubscriptionPreview
from backend_client.types.subscriptions import Subscription, SubscriptionChange
from portal.features.spend.plan_rows import moment
from portal.features.spend.plan_terms import asks_for_nothing
from portal.kit.form_problems import FormProblems, checked, text_of
from portal.kit.formatting import money, period

FIELDS = ("seats", "add_ons", "coupon", "form")


@dataclass(frozen=True)
class PreviewRow:
    """A fee as it is and as the change would make it."""

    name: str
    now: str
    then: str


@dataclass(frozen=True)
class ChangePreview:
    """What a change would do to the present period; empty before one is asked for."""

    plan: str = ""
    starts: str = ""
    difference: str = ""
    now: str = ""
    then: str = ""


@dataclass(frozen=True)
class AddOnRow:
    """An add-on of the plan, and how many are chosen."""

    id: str
    name: str
    quantity: str


def at_once(in_force: PlanDefinition, now: datetime) -> datetime | None:
    """When a change is asked for: with this quarter hour from a plan that asks for nothing."""
    if not asks_for_nothing(in_force):
        return None
    return now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)


def change_preview(preview: SubscriptionPreview, time_zone: str) -> ChangePreview:
    """The change in a few words."""
    currency = preview.difference.currency
    difference = preview.difference.amount
    return ChangePreview(
        plan=preview.plan.definition.name,
        starts=moment(preview.starts_at, time_zone),
        difference=f"{money(abs(difference), currency)} {'more' if difference > 0 else 'less'}"
        if difference
        else "as much as now",
        now=money(preview.before.total.amount, currency),
        then=money(preview.after.total.amount, currency),
    )


def preview_rows(preview: SubscriptionPreview, time_zone: str) -> list[PreviewRow]:
    """The fees line by line with the time that each is for; usage and the rest in a sum each."""
    currency = preview.difference.currency
    reports = (preview.before, preview.after)
    fees: dict[str, list[Decimal]] = {}
    for column, report in enumerate(reports):
        for line in report.lines:
            if line.kind == "flat":
                amounts = fees.setdefault(_fee(line, time_zone), [Decimal(0), Decimal(0)])
                amounts[column] += line.amount.amount
    rows = [_row(name, amounts, currency) for name, amounts in fees.items()]
    for name, sums in (
        ("Usage so far", [_usage(report) for report in reports]),
        ("Discounts, limits and coupons", [_adjusted(report) for report in reports]),
    ):
        if any(sums):
            rows.append(_row(name, sums, currency))
    return rows


def add_on_rows(subscription: Subscription) -> list[AddOnRow]:
    """The add-ons that the plan has."""
    return [
        AddOnRow(charge.id, charge.name, str(subscription.add_ons.get(charge.id, 0)))
        for charge in subscription.plan.definition.charges
        if isinstance(charge, FlatCharge) and charge.per is FlatPer.ADD_ON
    ]


def has_seats(plan: PlanDefinition) -> bool:
    """Tell whether a plan has a fee for each seat."""
    return any(isinstance(c, FlatCharge) and c.per is FlatPer.SEAT for c in plan.charges)


def quantities_from(
    form: Mapping[str, Any], plan: str, add_ons: Sequence[AddOnRow], at: datetime | None
) -> SubscriptionChange:
    """The seats and add-ons that the form asks for, on the plan in force.

    Raises:
        FormProblems: a number is none.
    """
    chosen: dict[str, str] = {row.id: text_of(form, f"add-on:{row.id}") or "0" for row in add_ons}
    seats = text_of(form, "seats")
    values = {"plan": plan, "at": at, "seats": seats or None, "add_ons": chosen or None}
    return checked(SubscriptionChange, values, {}, by_field)


def coupon_from(form: Mapping[str, Any]) -> str:
    """The coupon's code; raises ``FormProblems``."""
    code = text_of(form, "coupon")
    if not code:
        raise FormProblems({"coupon": "Write the code of the coupon."})
    return code


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields for problems that name them by path."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        first = path.partition(".")[0]
        problems.setdefault(first if first in FIELDS else "form", detail)
    return problems


def _fee(line: SpendLine, time_zone: str) -> str:
    return f"{line.name}, {period(line.start, line.end, time_zone)}"


def _row(name: str, amounts: Sequence[Decimal], currency: str) -> PreviewRow:
    now, then = (money(amount, currency) if amount else "–" for amount in amounts)
    return PreviewRow(name, now, then)


def _usage(report: SpendReport) -> Decimal:
    return sum((line.amount.amount for line in report.lines if line.kind != "flat"), Decimal(0))


def _adjusted(report: SpendReport) -> Decimal:
    return sum((adjustment.amount.amount for adjustment in report.adjustments), Decimal(0))
