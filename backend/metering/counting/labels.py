"""Declared labels: those in the rollups' key, by which usage can be grouped and priced."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import TenantNotFound
from backend.metering.counting.locks import own_tenant
from backend.metering.errors import LabelBoundsCalls, LabelNotDeclared, LabelNotFound, TooManyLabels
from backend.storage.database import driver_connection
from backend.storage.tables import declared_labels, label_budgets, usage_versions
from backend_client.types.events import DeclaredLabel
from backend_client.types.problems import FieldError

MOST_LABELS = 5
"""Each multiplies a tenant's rollups by its number of values."""


async def list_labels(connection: AsyncConnection, tenant_id: str) -> list[DeclaredLabel]:
    """Return the labels that a tenant has declared, by name."""
    rows = await connection.execute(
        select(declared_labels.c.label, declared_labels.c.created_at)
        .where(declared_labels.c.tenant_id == tenant_id)
        .order_by(declared_labels.c.label)
    )
    return [DeclaredLabel.model_validate(dict(row)) for row in rows.mappings()]


async def declare_label(connection: AsyncConnection, tenant_id: str, label: str) -> DeclaredLabel:
    """Count usage by a label from now on; may be repeated.

    Raises ``NotFound`` if there is no such tenant, ``Conflict`` if it has declared all it may.
    """
    await _own(connection, tenant_id)
    inserted = await connection.execute(
        insert(declared_labels).values(tenant_id=tenant_id, label=label).on_conflict_do_nothing()
    )
    if inserted.rowcount:
        await _note_change(connection, tenant_id)
    labels = await list_labels(connection, tenant_id)
    if len(labels) > MOST_LABELS:
        raise TooManyLabels(f"A tenant declares at most {MOST_LABELS} labels.")
    return next(declared for declared in labels if declared.label == label)


async def withdraw_label(connection: AsyncConnection, tenant_id: str, label: str) -> None:
    """Stop counting usage by a label; raise ``NotFound`` if it was not declared.

    Raises ``Conflict`` while it has budgets.
    """
    await _own(connection, tenant_id)
    # Whoever makes a budget of it meanwhile is waited for, and is in the count then
    await connection.execute(
        select(declared_labels.c.label)
        .where(declared_labels.c.tenant_id == tenant_id, declared_labels.c.label == label)
        .with_for_update()
    )
    of_label = (label_budgets.c.tenant_id == tenant_id, label_budgets.c.label == label)
    if budgets := await connection.scalar(select(func.count()).where(*of_label)):
        count = "1 budget" if budgets == 1 else f"{budgets} budgets"
        raise LabelBoundsCalls(f"{count} of {label!r} would bound nothing: remove them first.")
    removed_rows = await connection.execute(
        delete(declared_labels).where(
            declared_labels.c.tenant_id == tenant_id, declared_labels.c.label == label
        )
    )
    if removed_rows.rowcount == 0:
        raise LabelNotFound()
    await _note_change(connection, tenant_id)


async def keep_declared(connection: AsyncConnection, tenant_id: str, label: str) -> None:
    """Keep a label from being withdrawn until the transaction ends.

    Raises ``InvalidInput`` if the tenant has not declared it.
    """
    await connection.execute(
        select(declared_labels.c.label)
        .where(declared_labels.c.tenant_id == tenant_id, declared_labels.c.label == label)
        .with_for_update(read=True, key_share=True)
    )
    await require_declared(connection, tenant_id, label=[label])


async def require_declared(
    connection: AsyncConnection, tenant_id: str, **named: Iterable[str]
) -> None:
    """Raise ``InvalidInput`` if a parameter names a label that the tenant has not declared."""
    if not any(map(list, named.values())):
        return
    rows = await connection.scalars(
        select(func.array_agg(declared_labels.c.label)).where(
            declared_labels.c.tenant_id == tenant_id
        )
    )
    declared = rows.one() or []
    errors = [
        FieldError(field=parameter, detail=f"{label!r} is not a declared label")
        for parameter, labels in named.items()
        for label in labels
        if label not in declared
    ]
    if errors:
        raise LabelNotDeclared(
            "Usage can be grouped and filtered by declared labels only.", errors=errors
        )


async def _note_change(connection: AsyncConnection, tenant_id: str) -> None:
    """Record when labels changed: corrections of earlier usage must rebuild its days first."""
    await connection.execute(
        update(usage_versions)
        .where(usage_versions.c.tenant_id == tenant_id)
        .values(labels_changed_at=func.clock_timestamp())
    )


async def _own(connection: AsyncConnection, tenant_id: str) -> None:
    # So that nothing is being counted by the old labels when they change.
    if not await own_tenant(await driver_connection(connection), tenant_id):
        raise TenantNotFound()
