"""Move old events into Parquet files. Their rollups stay: usage and bills do not change by it.

A day of a tenant is one file. It is written whole and read back before its events are deleted, in
the transaction that notes where they are. What ingest could still take is never archived, so no
event comes late for an archived day; but one that is sent again with a newer time is new then.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq

from backend.errors import Conflict, InvalidInput
from backend.metering.locks import own_tenant
from backend_client.types.problems import FieldError

_DAY = timedelta(days=1)
_ROWS_AT_ONCE = 5_000

_TIME = pa.timestamp("us", tz="UTC")
_SCHEMA = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("time", _TIME),
        ("received_at", _TIME),
        ("application_id", pa.string()),
        ("key_id", pa.string()),
        ("model", pa.string()),
        # JSON with numbers as strings: Parquet's decimals have fewer digits than an event may have
        ("quantities", pa.string()),
        ("labels", pa.string()),
        ("counted", pa.string()),
        ("voided", pa.bool_()),
        ("corrected_at", _TIME),
    ]
)

_FIRST = "SELECT min(time) FROM events WHERE tenant_id = $1 AND time < $2"
_EVENTS = """
SELECT tenant_id, source, id, time, received_at, application_id, key_id, model,
       quantities::text, labels::text, counted::text, voided, corrected_at
FROM events WHERE tenant_id = $1 AND time >= $2 AND time < $3
ORDER BY time, source, id
"""
_NOTE = """
INSERT INTO event_archives (tenant_id, start_at, end_at, file, sha256, event_count)
VALUES ($1, $2, $3, $4, $5, $6)
"""
_DELETE = "DELETE FROM events WHERE tenant_id = $1 AND time >= $2 AND time < $3"


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """A day (UTC) whose events are in a file now."""

    start: datetime
    file: Path
    event_count: int


def check_archive_time(before: datetime, now: datetime, *, max_age_days: int) -> None:
    """Raise ``InvalidInput`` if events from before then could still come in."""
    newest = now - timedelta(days=max_age_days + 1)
    if before > newest:
        raise InvalidInput(
            f"Events are taken up to {max_age_days} days back, so only what is older than "
            f"{newest:%Y-%m-%d} can be archived. FAREBOX_EVENT_MAX_AGE_DAYS sets how far.",
            errors=[FieldError(field="before", detail=f"at the latest {newest:%Y-%m-%d}")],
        )


async def archive_events(
    connection: asyncpg.Connection, tenant_id: str, before: datetime, directory: Path
) -> AsyncIterator[ArchivedDay]:
    """Archive a tenant's events from before a midnight (UTC), day by day, oldest first.

    Each day is done wholly or not at all; go on by calling it again. Raises ``Conflict`` if a
    day's events change meanwhile.
    """
    while True:
        first = await connection.fetchval(_FIRST, tenant_id, before)
        if first is None:
            return
        start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        file = directory / tenant_id / f"{start:%Y-%m-%d}.parquet"
        count = await _write(connection, tenant_id, start, file)
        await _note_and_delete(connection, tenant_id, start, file, count)
        yield ArchivedDay(start, file, count)


async def _write(
    connection: asyncpg.Connection, tenant_id: str, start: datetime, file: Path
) -> int:
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    count = 0
    with pq.ParquetWriter(draft, _SCHEMA, compression="zstd") as writer:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            batch: list[dict[str, Any]] = []
            async for row in connection.cursor(
                _EVENTS, tenant_id, start, start + _DAY, prefetch=_ROWS_AT_ONCE
            ):
                batch.append(dict(row))
                count += 1
                if len(batch) == _ROWS_AT_ONCE:
                    writer.write_batch(pa.RecordBatch.from_pylist(batch, _SCHEMA))
                    batch = []
            if batch:
                writer.write_batch(pa.RecordBatch.from_pylist(batch, _SCHEMA))
    _keep(draft, file)
    return count


def _keep(draft: Path, file: Path) -> None:
    """Put the draft in its place once the disk has it."""
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


async def _note_and_delete(
    connection: asyncpg.Connection, tenant_id: str, start: datetime, file: Path, count: int
) -> None:
    if pq.read_metadata(file).num_rows != count:
        raise Conflict(f"{file} does not hold what was written to it; nothing was deleted.")
    digest = _digest(file)
    async with connection.transaction():
        await own_tenant(connection, tenant_id)
        deleted = await connection.execute(_DELETE, tenant_id, start, start + _DAY)
        if deleted != f"DELETE {count}":
            raise Conflict(
                f"The events of {start:%Y-%m-%d} changed while they were archived; run it again."
            )
        end = start + _DAY
        await connection.execute(_NOTE, tenant_id, start, end, str(file), digest, count)


def _digest(file: Path) -> str:
    with file.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()
