"""What the form of a new customer asks for. Plain functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from backend_client.types.accounts import TenantCreate
from portal.kit.form_problems import checked, text_of

FIELDS = ("name", "slug", "owner", "plan", "currency", "time_zone", "clock_at", "form")
DEFAULT_PLAN = "default"
"""Stands for the catalog's default in the list of plans, where no value can be empty."""
_SLUG_CHARACTERS = 63
_NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")


def slug_of(name: str) -> str:
    """A slug made of a name, for who gives none."""
    return _NOT_IN_SLUG.sub("-", name.lower()).strip("-")[:_SLUG_CHARACTERS].rstrip("-")


def tenant_from(form: Mapping[str, Any]) -> TenantCreate:
    """The customer to make; raises ``FormProblems``. What is left empty is the installation's."""
    problems: dict[str, str] = {}
    name, plan = text_of(form, "name"), text_of(form, "plan")
    if not name:
        problems["name"] = "A name is needed."
    slug = text_of(form, "slug") or slug_of(name)
    if name and not slug:
        problems["slug"] = "Give a short name of small letters, digits and hyphens."
    values = {
        "name": name,
        "slug": slug,
        "owner": text_of(form, "owner") or None,
        "plan": None if plan in {"", DEFAULT_PLAN} else plan,
        "currency": text_of(form, "currency").upper() or None,
        "time_zone": text_of(form, "time_zone") or None,
        "clock_at": _clock_from(text_of(form, "clock_at"), problems),
    }
    return checked(TenantCreate, values, problems, by_field)


def _clock_from(text: str, problems: dict[str, str]) -> datetime | None:
    """Where the test clock of a sample customer begins: with a day (UTC)."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        problems["clock_at"] = f"{text!r} is no day."
        return None


def by_field(problems: list[tuple[str, str]]) -> dict[str, str]:
    """The form's fields that problems are of; the API calls them the same."""
    by_name: dict[str, str] = {}
    for path, why in problems:
        name = path.partition(".")[0]
        if name == "slug" and "pattern" in why:
            why = "Only small letters, digits and hyphens between them."
        if name == "currency" and "pattern" in why:
            why = "Write its ISO code, such as EUR."
        by_name.setdefault(name if name in FIELDS else "form", why)
    return by_name
