"""What the form of a key asks for. Plain functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from backend_client.types.accounts import ApiKeyChange, ApiKeyCreate, ApiKeyRotate, Scope
from portal.kit.form_problems import checked, text_of
from portal.shared.bounds import forms as bounds

EXPIRIES = {
    "never": "Never",
    "7": "In 7 days",
    "30": "In 30 days",
    "90": "In 90 days",
    "365": "In a year",
}
KEEP_EXPIRY = "keep"
OVERLAPS = {
    "0": "None: it ends at once",
    "3600": "An hour",
    "86400": "A day",
    "604800": "A week",
    "2592000": "30 days",
}
FIELDS = (
    *("name", "scopes", *bounds.FIELDS, "addresses", "origins"),
    "form",
)
_PATHS = {
    "name": "name",
    "scopes": "scopes",
    "addresses": "addresses",
    "origins": "origins",
}
_ITEM = re.compile(r"\.\d+$")
"""The place in a list, of a path that names one of its items."""
_HINTS = {
    "scopes": "Choose at least one.",
    "name": "Give it a name.",
    **bounds.HINTS,
    "addresses": "Addresses or networks, such as 203.0.113.7 or 203.0.113.0/24.",
    "origins": "Origins, such as https://app.example.com or https://*.example.com.",
}


def by_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields for problems that name them by path."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        name = _PATHS.get(_ITEM.sub("", path)) or bounds.field_of(path) or "form"
        problems.setdefault(name, _HINTS.get(name, detail))
    return problems


def key_from_form(form: Mapping[str, Any], now: datetime) -> ApiKeyCreate:
    """The key that the form asks for.

    Raises:
        FormProblems: a field can't be used.
    """
    values = _common(form)
    days = text_of(form, "expiry")
    if days in EXPIRIES and days != "never":
        values["expires_at"] = now + timedelta(days=int(days))
    values["application_id"] = text_of(form, "application")
    return checked(ApiKeyCreate, values, {}, by_field)


def change_from_form(
    form: Mapping[str, Any], now: datetime, *, not_offered: Sequence[str] = ()
) -> ApiKeyChange:
    """What the form asks to change of a key: everything that it shows.

    ``not_offered`` are models of the key that the form does not show, for nobody serves them now:
    they stay, or a key for these alone would come out as one for all models.

    Raises:
        FormProblems: a field can't be used.
    """
    values = _common(form)
    if not_offered:
        values["models"] = [*(values["models"] or []), *not_offered]
    days = text_of(form, "expiry")
    if days == "never":
        values["expires_at"] = None
    elif days in EXPIRIES:
        values["expires_at"] = now + timedelta(days=int(days))
    return checked(ApiKeyChange, values, {}, by_field)


def rotation_from_form(form: Mapping[str, Any]) -> ApiKeyRotate:
    """How long the old secret is to work on; a day if the form does not say."""
    seconds = text_of(form, "overlap")
    return ApiKeyRotate(grace_seconds=int(seconds) if seconds in OVERLAPS else 24 * 3600)


def _items(form: Mapping[str, Any], name: str) -> list[str] | None:
    """What a field lists, with commas, spaces or lines between; None if it is empty."""
    return [item for item in re.split(r"[,\s]+", text_of(form, name)) if item] or None


def _common(form: Mapping[str, Any]) -> dict[str, Any]:
    models = [
        name.removeprefix("model:") for name, on in form.items() if name.startswith("model:") and on
    ]
    values: dict[str, Any] = {
        "name": text_of(form, "name"),
        "scopes": [scope for scope in Scope if form.get(f"scope:{scope}")],
        "models": models or None,
        **bounds.bounds_from_form(form),
        "addresses": _items(form, "addresses"),
        "origins": _items(form, "origins"),
    }
    if form.get("offers_service_account"):  # who may not decide it is not asked
        values["service_account"] = bool(form.get("service_account"))
    return values
