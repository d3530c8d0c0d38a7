"""Drift: where a platform and Farebox differ, with the cause. Reported, and never copied back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.platforms.documents import RemoteInvoice
from backend.storage.tables import invoices, payments, platform_drift
from backend_client.types.common import plain
from backend_client.types.invoices import InvoiceState

VOIDED_THERE: Final = "voided_there"
"""The cause of an invoice or a credit note that holds here, and was voided on the platform."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not there as it is here."""

    cause: str
    ours: str | None
    theirs: str | None
    detail: str


async def compare_invoice(
    connection: AsyncConnection,
    platform: str,
    tenant_id: str,
    invoice_id: str,
    remote: RemoteInvoice,
    now: datetime,
) -> list[Difference]:
    """Compare an invoice with ours, and record what differs."""
    query = select(invoices).where(invoices.c.tenant_id == tenant_id, invoices.c.id == invoice_id)
    row = (await connection.execute(query)).mappings().first()
    differences = [*_differences(row, remote)]
    if row is not None:
        differences += await _unpaid_there(connection, platform, row, remote)
    await record_drift(connection, platform, tenant_id, "invoice", invoice_id, differences, now)
    return differences


def _differences(row: RowMapping | None, remote: RemoteInvoice) -> Iterator[Difference]:
    if row is None:
        detail = f"{remote.remote_id} is for an invoice that is not here."
        yield Difference("unknown_here", None, remote.status, detail)
        return
    number, state = row["number"], row["state"]
    ours = (row["currency"], row["total"], row["tax"])
    if remote.status != "draft" and ours != (remote.currency, remote.total, remote.tax):
        yield Difference(
            "edited_there",
            f"{row['total']} {row['currency']}, tax {row['tax']}",
            f"{remote.total} {remote.currency}, tax {remote.tax}",
            f"{number} asks for something else there.",
        )
    if remote.failure is not None:
        yield Difference("payment_failed", state, remote.status, f"{number}: {remote.failure}")
    if remote.status == "void" and state not in {InvoiceState.VOID, InvoiceState.UNCOLLECTIBLE}:
        detail = f"{number} was voided there; void it here, or send it again."
        yield Difference(VOIDED_THERE, state, "void", detail)
    if remote.status == "uncollectible" and state == InvoiceState.FINALIZED:
        yield Difference(
            "written_off_there", state, "uncollectible", f"{number} was given up there."
        )


async def _unpaid_there(
    connection: AsyncConnection, platform: str, row: RowMapping, remote: RemoteInvoice
) -> list[Difference]:
    """Return that less is paid there than the platform reported before, if so."""
    query = select(func.coalesce(func.sum(payments.c.amount), 0)).where(
        payments.c.tenant_id == row["tenant_id"],
        payments.c.invoice_id == row["id"],
        payments.c.method == platform,
    )
    ours = Decimal(await connection.scalar(query) or 0)
    theirs = sum((payment.amount for payment in remote.payments), Decimal(0))
    if ours <= theirs:
        return []
    detail = f"{row['number']} was paid there, and is not any more: collect it again, or credit it."
    return [Difference("unpaid_there", plain(ours), plain(theirs), detail)]


async def open_subjects(
    connection: AsyncConnection, platform: str, tenant_id: str, kind: str
) -> set[str]:
    """Return of what a tenant's differences of a kind are that are not resolved."""
    query = select(platform_drift.c.subject).where(
        platform_drift.c.tenant_id == tenant_id,
        platform_drift.c.platform == platform,
        platform_drift.c.kind == kind,
        platform_drift.c.resolved_at.is_(None),
    )
    return set(await connection.scalars(query))


async def record_drift(
    connection: AsyncConnection,
    platform: str,
    tenant_id: str,
    kind: str,
    subject: str,
    differences: list[Difference],
    now: datetime,
) -> None:
    """Keep what differs of a subject now; what differed before and does not is resolved."""
    await connection.execute(
        update(platform_drift)
        .where(
            platform_drift.c.tenant_id == tenant_id,
            platform_drift.c.platform == platform,
            platform_drift.c.kind == kind,
            platform_drift.c.subject == subject,
            platform_drift.c.cause.not_in([difference.cause for difference in differences]),
            platform_drift.c.resolved_at.is_(None),
        )
        .values(resolved_at=now)
    )
    for difference in differences:
        values = {
            "ours": difference.ours,
            "theirs": difference.theirs,
            "detail": difference.detail,
            "last_seen_at": now,
            "resolved_at": None,
        }
        await connection.execute(
            insert(platform_drift)
            .values(
                tenant_id=tenant_id,
                platform=platform,
                kind=kind,
                subject=subject,
                cause=difference.cause,
                first_seen_at=now,
                **values,
            )
            .on_conflict_do_update(
                index_elements=["tenant_id", "platform", "kind", "subject", "cause"], set_=values
            )
        )
