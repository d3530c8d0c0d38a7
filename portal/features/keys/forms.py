"""What the form of a new key asks for. Plain functions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from backend_client.types.accounts import ApiKeyCreate, Scope

EXPIRIES = {
    "never": "Never",
    "7": "In 7 days",
    "30": "In 30 days",
    "90": "In 90 days",
    "365": "In a year",
}


def key_from_form(form: dict[str, Any], now: datetime) -> ApiKeyCreate:
    """What the dialog's form asks for.

    Raises:
        ValidationError: the name is empty or too long, or no scope is chosen.
    """
    models = [
        name.removeprefix("model:") for name, on in form.items() if name.startswith("model:") and on
    ]
    days = str(form.get("expiry", "never"))
    return ApiKeyCreate(
        name=str(form.get("name", "")).strip(),
        application_id=str(form.get("application", "")),
        scopes=[scope for scope in Scope if form.get(f"scope:{scope}")],
        models=models or None,
        expires_at=now + timedelta(days=int(days))
        if days in EXPIRIES and days != "never"
        else None,
    )
