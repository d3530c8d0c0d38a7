"""Keys as the list shows them. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend_client.types.accounts import ApiKey, Application, Scope
from portal.kit.formatting import ago, date

SCOPES = {
    Scope.INFERENCE: "Call models",
    Scope.USAGE_READ: "Read usage and spend",
    Scope.EVENTS_WRITE: "Send usage events",
}


@dataclass(frozen=True)
class KeyRow:
    """A key as the list shows it. There is no secret in it: the API has none to give."""

    id: str
    name: str
    shown: str
    application: str
    scopes: str
    models: str
    created: str
    last_used: str
    status: str


def key_rows(
    keys: list[ApiKey], applications: list[Application], now: datetime, time_zone: str
) -> list[KeyRow]:
    """The keys as the list shows them: usable ones first, then the newest."""
    names = {application.id: application.name for application in applications}
    rows = [
        KeyRow(
            id=key.id,
            name=key.name,
            shown=f"{key.prefix}…{key.last_four}",
            application=names.get(key.application_id, key.application_id),
            scopes=", ".join(SCOPES.get(scope, scope) for scope in key.scopes),
            models=", ".join(key.models) if key.models else "All models",
            created=date(key.created_at, time_zone),
            last_used=ago(key.last_used_at, now) if key.last_used_at else "Never",
            status=key_status(key, now),
        )
        for key in sorted(keys, key=lambda key: key.created_at, reverse=True)
    ]
    return sorted(rows, key=lambda row: row.status != "active")


def key_status(key: ApiKey, now: datetime) -> str:
    """``active``, ``revoked`` or ``expired``."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "active"
