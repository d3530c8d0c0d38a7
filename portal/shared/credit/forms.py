"""What the forms of the credit page ask for. Plain functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from backend_client.types.wallets import (
    CreditGrantCreate,
    TopUpCreate,
    TopUpOutcome,
    WalletSettings,
)
from portal.kit.form_problems import checked, text_of

FIELDS = (
    *("amount", "threshold", "rule_amount", "daily_ceiling", "low_balance"),
    *("reference", "name", "models", "priority", "last_day", "form"),
)
_DETAILS = {"top_up": "It must be at least one top-up."}
"""Where the API names fields that the page calls otherwise."""
_OF_PATH = {
    "top_up.threshold": "threshold",
    "top_up.amount": "rule_amount",
    "top_up.daily_ceiling": "daily_ceiling",
    "top_up": "daily_ceiling",
    "expires_at": "last_day",
}


def top_up_from(form: Mapping[str, Any]) -> TopUpCreate:
    """How much to buy; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    values = {"amount": _amount(form, "amount", problems)}
    return checked(TopUpCreate, values, problems, by_field)


def settings_from(form: Mapping[str, Any]) -> WalletSettings:
    """The automatic top-up, and the balance below which to warn; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    rule = None
    if form.get("automatic"):
        rule = {
            "threshold": _amount(form, "threshold", problems),
            "amount": _amount(form, "rule_amount", problems),
            "daily_ceiling": _amount(form, "daily_ceiling", problems),
        }
    low = _amount(form, "low_balance", problems) if text_of(form, "low_balance") else None
    return checked(WalletSettings, {"top_up": rule, "low_balance": low}, problems, by_field)


def outcome_from(form: Mapping[str, Any]) -> TopUpOutcome:
    """What became of a payment; raises ``FormProblems``."""
    problems: dict[str, str] = {}
    reference = text_of(form, "reference")
    if not reference:
        problems["reference"] = "Give the payment’s id at the bank or provider."
    values = {"state": text_of(form, "state"), "reference": reference}
    return checked(TopUpOutcome, values, problems, by_field)


def grant_from(form: Mapping[str, Any], time_zone: str) -> CreditGrantCreate:
    """Credit to give a customer; raises ``FormProblems``. ``models`` are separated by commas."""
    problems: dict[str, str] = {}
    if not text_of(form, "name"):
        problems["name"] = "A name is required; the customer sees it."
    models = [model.strip() for model in text_of(form, "models").split(",") if model.strip()]
    values = {
        "name": text_of(form, "name"),
        "kind": text_of(form, "kind"),
        "amount": _amount(form, "amount", problems),
        "expires_at": _end_of(form, "last_day", time_zone, problems),
        "priority": text_of(form, "priority") or 100,
        "models": models or None,
        "in_arrears": bool(form.get("in_arrears")),
    }
    return checked(CreditGrantCreate, values, problems, by_field)


def by_field(problems: list[tuple[str, str]]) -> dict[str, str]:
    """The fields of the page's forms that problems are of, which name them as the API does."""
    by_name: dict[str, str] = {}
    for path, detail in problems:
        why = _DETAILS.get(path, detail)
        name = _OF_PATH.get(path, path.partition(".")[0])
        by_name.setdefault(name if name in FIELDS else "form", why)
    return by_name


def _amount(form: Mapping[str, Any], name: str, problems: dict[str, str]) -> Decimal | None:
    text = text_of(form, name)
    if not text:
        problems[name] = "An amount is needed."
        return None
    try:
        amount = Decimal(text)
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite():
        problems[name] = "Write a number, such as 12.50."
        return None
    if amount <= 0:
        problems[name] = "It must be more than zero."
    return amount


def _end_of(
    form: Mapping[str, Any], name: str, time_zone: str, problems: dict[str, str]
) -> datetime | None:
    """The end of the day that was chosen, where the customer is."""
    text = text_of(form, name)
    if not text:
        return None
    try:
        day = datetime.fromisoformat(text)
        return (day + timedelta(days=1)).replace(tzinfo=ZoneInfo(time_zone))
    except (ValueError, OverflowError):
        problems[name] = f"{text!r} is no day."
        return None
