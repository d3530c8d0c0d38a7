"""What the forms of a customer's page ask for. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from backend_client.types.accounts import ApiKeyCreate, InvitationCreate, Scope
from backend_client.types.limits import LabelBudgetCreate
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.subscriptions import SubscriptionChange
from portal.kit.form_problems import FormProblems, checked, text_of
from portal.shared.billing.details import FIELDS as BILLING_FIELDS
from portal.shared.bounds import forms as bounds
from portal.shared.credit.forms import FIELDS as CREDIT_FIELDS
from portal.shared.credit.forms import by_field as credit_field

FIELDS = tuple(
    dict.fromkeys(
        (
            *("form", "name", "email", "role", "application", "expiry", "plan", "seats", "at"),
            *("coupon", "prices", *BILLING_FIELDS, *CREDIT_FIELDS),
            *("amount", "method", "reference", "received", "reason", "line"),
            *("quantity", "unit_price", "tax_code", "start", "end"),
            *("label", "value", *bounds.FIELDS),
        )
    )
)
EXPIRIES = {"never": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
GRACES = {"0": "At once", "3600": "In an hour", "86400": "In a day", "604800": "In a week"}
REST = "rest"
"""What stands for all units above, in the last line of tiers."""
_OF_PATH = {
    "application_id": "application",
    "expires_at": "last_day",
    "received_at": "received",
    "lines": "line",
}


_BOUNDS = {"limits", "model_limits", "budget"}


def by_field(problems: list[tuple[str, str]]) -> dict[str, str]:
    """Problems by the page's fields, which the API calls by other names."""
    by_name: dict[str, str] = {}
    for path, why in problems:
        first = path.partition(".")[0]
        if first in _BOUNDS:
            by_name |= bounds.by_field([(path, why)])
            continue
        name = _OF_PATH.get(first, first)
        if name == "top_up":
            by_name |= credit_field([(path, why)])
        else:
            by_name.setdefault(name if name in FIELDS else "form", why)
    return by_name


def checked_name(form: Mapping[str, Any]) -> str:
    """The customer's name; raises ``FormProblems``."""
    name = text_of(form, "name")
    if not name:
        raise FormProblems({"name": "A name is needed."})
    return name


def invitation_from(form: Mapping[str, Any]) -> InvitationCreate:
    """Whom to invite as what; raises ``FormProblems``."""
    values = {"role": text_of(form, "role"), "email": text_of(form, "email") or None}
    return checked(InvitationCreate, values, {}, by_field)


def key_from(form: Mapping[str, Any], now: datetime) -> ApiKeyCreate:
    """The key to make; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    if not text_of(form, "name"):
        problems["name"] = "A name is needed; the customer sees it."
    scopes = [scope for scope in Scope if form.get(f"scope:{scope.value}")]
    if not scopes:
        problems["form"] = "Choose at least one scope."
    days = text_of(form, "expiry")
    values = {
        "name": text_of(form, "name"),
        "application_id": text_of(form, "application"),
        "scopes": scopes,
        "expires_at": now + timedelta(days=int(days)) if days.isdecimal() else None,
    }
    return checked(ApiKeyCreate, values, problems, by_field)


def label_budget_from(form: Mapping[str, Any]) -> LabelBudgetCreate:
    """The budget to give a label's value; raises ``FormProblems``."""
    values = {"label": text_of(form, "label"), "value": text_of(form, "value")}
    return checked(
        LabelBudgetCreate, {**values, "budget": bounds.budget_from_form(form)}, {}, by_field
    )


def change_from(form: Mapping[str, Any], time_zone: str) -> SubscriptionChange:
    """Which plan from when; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    values = {
        "plan": text_of(form, "plan"),
        "seats": text_of(form, "seats") or None,
        "at": start_from(form, time_zone, problems),
    }
    return checked(SubscriptionChange, values, problems, by_field)


def start_from(
    form: Mapping[str, Any], time_zone: str, problems: dict[str, str]
) -> datetime | None:
    """When a change begins: with a day of the customer's, or (None) the next quarter hour."""
    text = text_of(form, "at")
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone))
    except ValueError:
        problems["at"] = f"{text!r} is no day."
        return None


def prices_from(
    form: Mapping[str, Any], plan: str, own: Mapping[str, OwnPrice], time_zone: str
) -> SubscriptionChange:
    """The prices that differ from the plan's; raises ``FormProblems``.

    A field left empty has the plan's price. ``own`` are those until now, which may have included
    units besides: these stay.
    """
    problems: dict[str, str] = {}
    prices = []
    for field in form:
        kind, _, charge = field.partition(":")
        text = text_of(form, field)
        included = own[charge].included if charge in own else None
        if kind not in {"price", "percent", "tiers"} or not (text or included is not None):
            continue
        values: dict[str, Any] = {"id": charge, "included": included}
        if text:
            try:
                values[kind] = tiers_from(text) if kind == "tiers" else amount_from(text)
            except ValueError as wrong:
                problems["prices"] = f"{charge}: {wrong}"
                continue
        prices.append(values)
    values = {"plan": plan, "at": start_from(form, time_zone, problems), "prices": prices}
    return checked(SubscriptionChange, values, problems, by_field)


def amount_from(text: str) -> Decimal:
    """A price or a percentage as it was written; raises ``ValueError``."""
    try:
        amount = Decimal(text.replace(",", ""))
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise ValueError("write a number, such as 0.12.")
    return amount


def tiers_from(text: str) -> list[dict[str, Any]]:
    """Tiers as they were written, a line each: ``1000000 1.20``, and last ``rest 1.00``.

    Raises:
        ValueError: a line is not of a limit and a price.
    """
    tiers = []
    for line in text.splitlines():
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 2:
            raise ValueError("write a limit and a price in each line, such as 1000000 1.20.")
        limit = None if parts[0].lower() == REST else amount_from(parts[0])
        tiers.append({"up_to": limit, "price": amount_from(parts[1])})
    return tiers
