"""Reading the audit: a tenant's own entries, or everybody's for the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, case, func, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.pages import Cursor, page_of
from backend.storage.database import Database
from backend.storage.tables import api_keys, audit_entries, operator_keys, users
from backend_client.types.audit import ActorKind, AuditEntry
from backend_client.types.common import Page

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """Which entries are asked for; what is None is not asked.

    ``action`` is all of one, such as ``key.create``, or its noun alone. ``start`` is inclusive,
    ``end`` exclusive.
    """

    actor: str | None = None
    actor_kind: ActorKind | None = None
    action: str | None = None
    target: str | None = None
    tenant: str | None = None
    start: datetime | None = None
    end: datetime | None = None


_ENTRY = audit_entries.c
_OF_OPERATOR = _ENTRY.actor_kind == "operator"


def _entries(tenant_id: str | None) -> Select[Any]:
    """Entries, newest first: a tenant's as it may see them, or with None all, for the operator."""
    names = func.coalesce(users.c.name, api_keys.c.name, operator_keys.c.name)
    for_operator = tenant_id is None
    query = (
        select(
            _ENTRY.id,
            _ENTRY.created_at.label("at"),
            _ENTRY.actor,
            _ENTRY.actor_kind,
            # Where the operator's people work, and who they are, is not the customers' business
            (names if for_operator else case((_OF_OPERATOR, null()), else_=names)).label(
                "actor_name"
            ),
            _ENTRY.action,
            _ENTRY.target,
            _ENTRY.detail,
            (
                _ENTRY.address
                if for_operator
                else case((_OF_OPERATOR, null()), else_=_ENTRY.address)
            ).label("address"),
            _ENTRY.request_id,
            (func.nullif(_ENTRY.tenant_id, "") if for_operator else null()).label("tenant_id"),
        )
        .outerjoin(users, users.c.id == _ENTRY.actor)
        .outerjoin(
            api_keys,
            (api_keys.c.tenant_id == _ENTRY.tenant_id) & (api_keys.c.id == _ENTRY.actor),
        )
        .outerjoin(operator_keys, operator_keys.c.id == _ENTRY.actor)
        .order_by(_ENTRY.id.desc())
    )
    return query if for_operator else query.where(_ENTRY.tenant_id == tenant_id)


def _conditions(question: AuditQuestion) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for column, wanted in (
        (_ENTRY.actor, question.actor),
        (_ENTRY.target, question.target),
        (_ENTRY.tenant_id, question.tenant),
        (_ENTRY.actor_kind, question.actor_kind),
    ):
        if wanted is not None:
            conditions.append(column == wanted)
    if question.action is not None:
        # "key" finds every act on keys, "key.create" that one
        prefix = question.action.rstrip(".") + "."
        conditions.append(
            (_ENTRY.action == question.action) | _ENTRY.action.startswith(prefix, autoescape=True)
        )
    if question.start is not None:
        conditions.append(_ENTRY.created_at >= question.start)
    if question.end is not None:
        conditions.append(_ENTRY.created_at < question.end)
    return conditions


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry.model_validate(dict(row))


async def list_audit(
    connection: AsyncConnection,
    tenant_id: str | None,
    question: AuditQuestion,
    *,
    cursor: str | None,
    limit: int,
) -> Page[AuditEntry]:
    """Return a page of the entries that a question asks for, newest first.

    They are the tenant's; with None all, those of no tenant included, for the operator.
    """
    query = _entries(tenant_id).where(*_conditions(question)).limit(limit + 1)
    if cursor is not None:
        query = query.where(_ENTRY.id < Cursor.read(cursor))
    rows = (await connection.execute(query)).mappings().all()
    return page_of([_entry(row) for row in rows], limit, lambda entry: entry.id)


async def every_entry(
    database: Database, tenant_id: str | None, question: AuditQuestion
) -> AsyncIterator[list[AuditEntry]]:
    """Yield all entries that a question asks for in batches, as ``list_audit`` shows them.

    Each batch is a transaction of its own, so that no slow reader holds one open; entries never
    change, and new ones are newer than what was read.
    """
    cursor: str | None = None
    while True:
        async with database.begin() as connection:
            page = await list_audit(connection, tenant_id, question, cursor=cursor, limit=_BATCH)
        yield page.items
        cursor = page.next_cursor
        if cursor is None:
            return
