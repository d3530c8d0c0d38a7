"""Write an API process's tally of refused events to PostgreSQL, a few times a minute.

Ingest never waits for it. While PostgreSQL is away the tally grows on, within its bound; a process
that is killed loses what it counted since its last write.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.kit.periodic import every, wait
from backend.metering.refusals.tally import RefusalTally, RefusedKind, folded
from backend.storage.database import Database
from backend.storage.outages import is_outage
from backend.storage.tables import refused_events, tenants

_log = structlog.get_logger(__name__)

WRITE_SECONDS: Final = 5.0
MOST_REASONS: Final = 100
"""How many kinds of a tenant are told apart on a day; the rest is one more."""
_LAST_WRITE_SECONDS: Final = 2.0
_ROWS: Final = 500


class RefusalWriter:
    """Writes a process's tally until it is stopped, and once more then."""

    def __init__(self, database: Database, tally: RefusalTally) -> None:
        self._database = database
        self._tally = tally

    async def run(self, stop: asyncio.Event) -> None:
        """Write every few seconds until ``stop`` is set."""
        await wait(WRITE_SECONDS, stop)
        await every(WRITE_SECONDS, self.write, stop, name="refusals")
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WRITE_SECONDS):
                await self.write()

    async def write(self) -> None:
        """Write what was counted since the last time; keep it where PostgreSQL is away."""
        kinds = self._tally.take()
        if not kinds:
            return
        try:
            async with self._database.begin() as connection:
                await add_refused(connection, kinds)
        except asyncio.CancelledError:
            self._tally.put_back(kinds)
            raise
        except Exception as error:  # noqa: BLE001 - a fault must not end all later writes
            if not is_outage(error):
                # Counts are for information: losing them is better than trying the same for ever
                _log.exception("refusals.not_written", kinds=len(kinds))
                return
            self._tally.put_back(kinds)
            _log.warning("refusals.interrupted", error=type(error).__name__)


async def add_refused(connection: AsyncConnection, kinds: Sequence[RefusedKind]) -> None:
    """Add counts of refused events to what is on record, within the bound of a tenant's day."""
    kinds = await _of_present_tenants(connection, folded(kinds))
    kinds = await _within_bound(connection, kinds)
    # In the order of ids, so that two processes never wait for each other
    rows = [_row(kind) for kind in sorted(kinds, key=lambda kind: kind.id)]
    for start in range(0, len(rows), _ROWS):
        added = insert(refused_events).values(rows[start : start + _ROWS])
        new, old = added.excluded, refused_events.c
        await connection.execute(
            added.on_conflict_do_update(
                index_elements=[old.id],
                set_={
                    "event_count": old.event_count + new.event_count,
                    "first_at": func.least(old.first_at, new.first_at),
                    "last_at": func.greatest(old.last_at, new.last_at),
                    "field": new.field,
                    "detail": new.detail,
                    "sample_id": new.sample_id,
                    "sample_source": new.sample_source,
                },
            )
        )


async def _of_present_tenants(
    connection: AsyncConnection, kinds: Sequence[RefusedKind]
) -> list[RefusedKind]:
    """Leave out what belongs to tenants that were removed meanwhile."""
    named = {kind.tenant_id for kind in kinds if kind.tenant_id is not None}
    present = await connection.scalars(
        select(tenants.c.id)
        .where(tenants.c.id.in_(named))
        .with_for_update(read=True, key_share=True)
    )
    kept = {None, *present}
    return [kind for kind in kinds if kind.tenant_id in kept]


async def _within_bound(
    connection: AsyncConnection, kinds: Sequence[RefusedKind]
) -> list[RefusedKind]:
    ids = {kind.id for kind in kinds}
    days = {kind.day for kind in kinds}
    columns = refused_events.c
    on_record = set(await connection.scalars(select(columns.id).where(columns.id.in_(ids))))
    counts = await connection.execute(
        select(columns.tenant_id, columns.day, func.count())
        .where(columns.day.in_(days))
        .group_by(columns.tenant_id, columns.day)
    )
    present = Counter({(tenant_id, day): count for tenant_id, day, count in counts})
    kept: list[RefusedKind] = []
    for kind in kinds:
        if kind.id not in on_record:
            if present[kind.tenant_id, kind.day] >= MOST_REASONS:
                kind = kind.as_other()
            else:
                present[kind.tenant_id, kind.day] += 1
        kept.append(kind)
    return folded(kept)


def _row(kind: RefusedKind) -> dict[str, object]:
    return {
        "id": kind.id,
        "tenant_id": kind.tenant_id,
        "day": kind.day,
        "sender": kind.sender,
        "credential": kind.credential,
        "field": kind.field,
        "detail": kind.detail,
        "event_count": kind.count,
        "first_at": kind.first_at,
        "last_at": kind.last_at,
        "sample_id": kind.sample_id,
        "sample_source": kind.sample_source,
    }
