"""Audit entries as the list shows them. Plain functions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend_client.types.audit import AuditEntry
from portal.kit.formatting import date, second

KINDS = {"user": "", "key": "API key", "operator": "Operator", "anonymous": "Nobody signed in"}


@dataclass(frozen=True)
class AuditRow:
    """An entry as the list shows it."""

    id: str
    time: str
    day: str
    actor: str
    actor_id: str
    kind: str
    action: str
    target: str
    detail: str
    address: str
    request: str
    tenant: str


def audit_rows(entries: Sequence[AuditEntry], time_zone: str) -> list[AuditRow]:
    """The entries as the list shows them."""
    return [
        AuditRow(
            id=entry.id,
            time=second(entry.at, time_zone).rpartition(", ")[2],
            day=date(entry.at, time_zone),
            actor=entry.actor_name or KINDS[entry.actor_kind] or entry.actor,
            actor_id=entry.actor,
            kind=KINDS[entry.actor_kind],
            action=entry.action,
            target=entry.target,
            detail=detail_text(entry.detail),
            address=entry.address or "",
            request=entry.request_id or "",
            tenant=entry.tenant_id or "",
        )
        for entry in entries
    ]


def detail_text(detail: Mapping[str, object]) -> str:
    """What an entry says besides, in a line: ``name: web · scopes: inference``."""
    return " · ".join(f"{name}: {_value(value)}" for name, value in detail.items())


def _value(value: object) -> str:
    match value:
        case None:
            return "none"
        case str():
            return value
        case dict():
            given = {name: part for name, part in value.items() if part is not None}
            return ", ".join(f"{name} {_value(part)}" for name, part in given.items()) or "none"
        case list() if value and all(isinstance(member, str) for member in value):
            return ", ".join(value)
        case _:
            return json.dumps(value, ensure_ascii=False)
