"""Sends deltas of usage, and records what became of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.platforms.adapter import Adapter, Attempt, Memory
from backend.platforms.documents import SentDelta, UsageDelta
from backend.platforms.sending.dispatches import set_done, set_refused
from backend.platforms.sending.documents_from_rows import customer_of_tenant
from backend.storage.database import Database
from backend.storage.tables import platform_dispatches as dispatches

_Sum: TypeAlias = tuple[str, str]
"""What a delta changes: a meter and a model (a dispatch's subject), and the quarter hour."""


async def send_usage(
    database: Database,
    adapter: Adapter,
    memory: Memory,
    rows: Sequence[RowMapping],
    now: datetime,
) -> None:
    """Send deltas of one tenant; raise ``NotDelivered`` if nothing is known of any."""
    tenant_id = rows[0]["tenant_id"]
    async with database.begin() as connection:
        customer = await customer_of_tenant(connection, tenant_id)
    remote_customer = await adapter.ensure_customer(customer, Attempt(memory))
    deltas = await usage_deltas(database, rows, remote_customer)
    verdicts = {verdict.identifier: verdict for verdict in await adapter.push_usage(deltas)}
    async with database.begin() as connection:
        for row in rows:
            verdict = verdicts[row["fact"]]
            if verdict.reason is None:
                await set_done(connection, row, now, remote_id=verdict.how, confirmed=False)
            else:
                await set_refused(connection, row, verdict.reason)


async def usage_deltas(
    database: Database, rows: Sequence[RowMapping], customer: str
) -> list[UsageDelta]:
    """Return dispatches as the deltas to send; those that take back know what was sent before."""
    async with database.begin() as connection:
        undone = await _sent_at(connection, rows)
        earlier = await _earlier(connection, rows)
    deltas = []
    for row in rows:
        deltas.append(_delta(row, customer, undone, tuple(earlier[_sum_of(row)])))
        earlier[_sum_of(row)].append(_sent(row))
    return deltas


def _delta(
    row: RowMapping,
    customer: str,
    undone: Mapping[str, datetime],
    earlier: tuple[SentDelta, ...],
) -> UsageDelta:
    data = row["data"]
    undoes = data.get("undoes")
    return UsageDelta(
        row["fact"],
        customer,
        data["meter"],
        data["model"],
        datetime.fromisoformat(data["bucket"]),
        Decimal(data["quantity"]),
        undoes,
        undone.get(undoes) if undoes else None,
        data.get("revision", 1),
        earlier if Decimal(data["quantity"]) < 0 else (),
        row["attempts"] > 0,
    )


def _sent(row: RowMapping) -> SentDelta:
    data = row["data"]
    return SentDelta(
        row["fact"], data.get("revision", 1), Decimal(data["quantity"]), row["remote_id"]
    )


def _sum_of(row: RowMapping) -> _Sum:
    return row["subject"], row["data"]["bucket"]


async def _earlier(
    connection: AsyncConnection, rows: Sequence[RowMapping]
) -> defaultdict[_Sum, list[SentDelta]]:
    """Return what the platform took of the sums that some rows take back from, as it came."""
    sums = {_sum_of(row) for row in rows if Decimal(row["data"]["quantity"]) < 0}
    earlier: defaultdict[_Sum, list[SentDelta]] = defaultdict(list)
    if not sums:
        return earlier
    query = (
        select(dispatches.c.fact, dispatches.c.subject, dispatches.c.data, dispatches.c.remote_id)
        .where(
            dispatches.c.tenant_id == rows[0]["tenant_id"],
            dispatches.c.platform == rows[0]["platform"],
            dispatches.c.stream == "usage",
            dispatches.c.state.in_(("sent", "confirmed")),
            tuple_(dispatches.c.subject, dispatches.c.data["bucket"].astext).in_(sums),
        )
        .order_by(dispatches.c.sent_at, dispatches.c.sequence)
    )
    for row in (await connection.execute(query)).mappings():
        earlier[_sum_of(row)].append(_sent(row))
    return earlier


async def _sent_at(connection: AsyncConnection, rows: Sequence[RowMapping]) -> dict[str, datetime]:
    """Return when the deltas that others take back were sent, by their identifiers."""
    facts = [row["data"]["undoes"] for row in rows if row["data"].get("undoes")]
    query = select(dispatches.c.fact, dispatches.c.sent_at).where(
        dispatches.c.tenant_id == rows[0]["tenant_id"],
        dispatches.c.platform == rows[0]["platform"],
        dispatches.c.fact.in_(facts),
        dispatches.c.sent_at.is_not(None),
    )
    rows_of_facts: Any = await connection.execute(query)
    return dict(rows_of_facts.all())
