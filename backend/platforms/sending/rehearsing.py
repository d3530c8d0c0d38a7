"""Dry runs: each request that would be sent, while nothing changes there or here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import RowMapping, select

from backend.outbox.channels.channel import NotDelivered
from backend.platforms.adapter import Adapter, Attempt, Rehearsed
from backend.platforms.configured import open_adapters
from backend.platforms.errors import PlatformNotConfigured
from backend.platforms.remote_ids import StoredMemory
from backend.platforms.sending.documents_from_rows import customer_of_tenant
from backend.platforms.sending.performing import perform
from backend.platforms.sending.usage import usage_deltas
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_dispatches as dispatches

_USAGE = "usage"
Step = tuple[str, list[Rehearsed], str | None]


class _Forgetful(StoredMemory):
    """Knows what is kept, and keeps the rest for as long as the rehearsal lasts."""

    def __init__(self, database: Database, platform: str, tenant_id: str) -> None:
        super().__init__(database, platform, tenant_id)
        self._new: dict[tuple[str, str], str] = {}

    async def recall(self, kind: str, own_id: str) -> str | None:
        """Return the remote id of a thing of ours, or the pretended one."""
        return self._new.get((kind, own_id)) or await super().recall(kind, own_id)

    async def remember(self, kind: str, own_id: str, remote_id: str) -> None:
        """Keep a pretended remote id until the end."""
        self._new[kind, own_id] = remote_id


async def rehearse(
    database: Database, settings: Settings, tenant_id: str, state: str
) -> list[Step]:
    """Return what would be sent for each dispatch in ``state``, with why one would be refused.

    Usage is one step a platform: what waits of it is sent together. Raises ``Conflict`` if no
    platform has a credential.
    """
    adapters = open_adapters(database, settings)
    if not adapters:
        raise PlatformNotConfigured()
    steps: list[Step] = []
    try:
        for adapter in adapters.values():
            steps += await _rehearse_with(database, adapter, tenant_id, state)
    finally:
        for adapter in adapters.values():
            await adapter.close()
    return steps


async def _rehearse_with(
    database: Database, adapter: Adapter, tenant_id: str, state: str
) -> list[Step]:
    rehearsal = adapter.rehearsal(_Forgetful(database, adapter.name, ""))
    memory = _Forgetful(database, adapter.name, tenant_id)
    query = (
        select(dispatches)
        .where(
            dispatches.c.tenant_id == tenant_id,
            dispatches.c.platform == adapter.name,
            dispatches.c.state == state,
        )
        .order_by(dispatches.c.sequence)
    )
    async with database.begin() as connection:
        rows = (await connection.execute(query)).mappings().all()
    steps: list[Step] = []
    usage = [row for row in rows if row["stream"] == _USAGE]
    for row in rows:
        if row["stream"] != _USAGE:
            before, why = len(rehearsal.requests), None
            try:
                attempt = Attempt(memory, row["key_group"])
                _, why = await perform(database, rehearsal.adapter, row, attempt)
            except NotDelivered as failure:
                why = failure.reason
            steps.append((row["fact"], rehearsal.requests[before:], why))
    if usage:
        before = len(rehearsal.requests)
        why = await _usage(database, rehearsal.adapter, usage, memory)
        steps.append((f"{len(usage)} of usage", rehearsal.requests[before:], why))
    return steps


async def _usage(
    database: Database, adapter: Adapter, rows: Sequence[RowMapping], memory: StoredMemory
) -> str | None:
    """Pretend to send deltas; return why some would be refused."""
    async with database.begin() as connection:
        customer = await customer_of_tenant(connection, rows[0]["tenant_id"])
    try:
        remote_customer = await adapter.ensure_customer(customer, Attempt(memory))
        verdicts = await adapter.push_usage(await usage_deltas(database, rows, remote_customer))
    except NotDelivered as failure:
        return failure.reason
    reasons = [verdict.reason for verdict in verdicts if verdict.reason is not None]
    return f"{len(reasons)} would be refused: {reasons[0]}" if reasons else None
