"""Restore archived events from their Parquet file, to list, correct or rebuild from them.

Rollups contain them all along and do not change, but for corrections that were sent while their
events were archived: those are applied now. A file is restored wholly or not at all, and once.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq

from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.metering.archives.archive import ARCHIVE_SCHEMA, ARCHIVING, ROWS_AT_ONCE, digest_of
from backend.metering.counting.corrections import apply_pending
from backend.metering.counting.deltas import RollupDeltas, apply_deltas, declared_labels
from backend.metering.counting.derived import declared_meters
from backend.metering.counting.locks import own_tenant
from backend.metering.counting.rebuild import repair_day
from backend.metering.counting.stored import EVENT, event_of
from backend.metering.errors import ArchiveBusy, ArchiveRefused
from backend.metering.events import GATEWAY_SOURCE
from backend.storage.database import Database, driver_connection

_SHOWN = 3
_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
_NOTED = """
SELECT tenant_id, start_at, file, event_count, restored_at FROM event_archives
WHERE sha256 = $1
ORDER BY restored_at NULLS FIRST
LIMIT 1
"""
_COLUMNS = ", ".join(ARCHIVE_SCHEMA.names)
_INCOMING = "CREATE TEMPORARY TABLE restoring (LIKE events) ON COMMIT DROP"
_KNOWN = """
SELECT source, id FROM restoring
WHERE EXISTS (SELECT 1 FROM events
              WHERE (events.tenant_id, events.sender, events.source, events.id)
                  = (restoring.tenant_id, restoring.sender, restoring.source, restoring.id))
ORDER BY source, id
"""
_INSERT = "INSERT INTO events (COLUMNS) SELECT COLUMNS FROM restoring".replace("COLUMNS", _COLUMNS)
_CORRECTED_SINCE = """
EVENT WHERE (tenant_id, sender, source, id) IN
      (SELECT corrections.tenant_id, restoring.sender, event_source, event_id
       FROM corrections JOIN restoring
         ON (corrections.tenant_id, event_source, event_id)
          = (restoring.tenant_id, restoring.source, restoring.id)
        AND coalesce(event_sender, restoring.sender) = restoring.sender
       WHERE applied_at IS NULL)
""".replace("EVENT", EVENT)
_NOTE = """
UPDATE event_archives SET restored_at = $3, restored_by = $4
WHERE (tenant_id, file) = ($1, $2)
"""


@dataclass(frozen=True, slots=True)
class RestoredFile:
    """The outcome of a restore. ``event_count`` is 0 if the file had been restored before."""

    tenant_id: str
    start: datetime
    event_count: int
    corrected: int


async def restore_archive(database: Database, file: Path, caller: Principal) -> RestoredFile:
    """Insert a file's events again, in one transaction; may be repeated.

    The file may have been moved: it is identified by its SHA-256.

    Raises:
        ArchiveRefused: it can't be read; no archive of this installation has that content; an
            event came again, and was counted again, since it was archived; or events are
            being archived at this moment.
    """
    try:
        digest = await asyncio.to_thread(digest_of, file)
    except OSError as error:
        raise ArchiveRefused(f"{file} can't be read: {error.strerror or error}.") from error
    now = datetime.now(UTC)
    async with database.begin() as connection:
        raw = await driver_connection(connection)
        if not await raw.fetchval(_LOCK, ARCHIVING):
            raise ArchiveBusy()
        noted = await raw.fetchrow(_NOTED, digest)
        if noted is None:
            raise ArchiveRefused(
                f"{file} has no events that were archived here, or it was changed since: no "
                f"archive has the SHA-256 {digest}."
            )
        tenant_id, start = noted["tenant_id"], noted["start_at"]
        if noted["restored_at"] is not None:
            return RestoredFile(tenant_id, start, 0, 0)
        await _load(raw, file, noted)
        await own_tenant(raw, tenant_id)
        await _refuse_counted(raw, file)
        await raw.execute(_INSERT)
        await raw.execute(_NOTE, tenant_id, noted["file"], now, caller.id)
        corrected = await _correct(raw, tenant_id, start)
        detail: dict[str, object] = {"events": noted["event_count"], "corrected": corrected}
        target = f"{start.astimezone(UTC):%Y-%m-%d}"
        await record(
            connection, caller, "events.restore", target, tenant_id=tenant_id, detail=detail
        )
    return RestoredFile(tenant_id, start, noted["event_count"], corrected)


async def _load(connection: asyncpg.Connection, file: Path, noted: asyncpg.Record) -> None:
    await connection.execute(_INCOMING)
    taken = 0
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(batch_size=ROWS_AT_ONCE):
            records = await asyncio.to_thread(_records, batch)
            await connection.copy_records_to_table(
                "restoring", columns=ARCHIVE_SCHEMA.names, records=records
            )
            taken += len(records)
    if taken != noted["event_count"]:
        raise ArchiveRefused(
            f"{file} has {taken:,} events, and {noted['event_count']:,} were archived."
        )


def _records(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    """Return the rows in the order of ``ARCHIVE_SCHEMA``, of older files too."""
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    if "sender" not in columns:  # archived before senders were recorded: as the migration has it
        columns["sender"] = [
            "gateway" if source == GATEWAY_SOURCE else "operator" for source in columns["source"]
        ]
    if "upstream" not in columns:  # archived before upstreams were recorded
        columns["upstream"] = [""] * batch.num_rows
    return list(zip(*(columns[name] for name in ARCHIVE_SCHEMA.names), strict=True))


async def _refuse_counted(connection: asyncpg.Connection, file: Path) -> None:
    counted = await connection.fetch(_KNOWN)
    if counted:
        first = ", ".join(f"{row['source']} {row['id']}" for row in counted[:_SHOWN])
        more = ", …" if len(counted) > _SHOWN else ""
        raise ArchiveRefused(
            f"Of the events in {file}, {len(counted):,} came again since they were archived and "
            f"were counted again then ({first}{more}). Nothing was restored."
        )


async def _correct(connection: asyncpg.Connection, tenant_id: str, start: datetime) -> int:
    """Apply the corrections that waited for these events; return how many events changed."""
    rows = await connection.fetch(_CORRECTED_SINCE)
    if not rows:
        return 0
    # First by the labels declared since: what is subtracted must be in the rollups
    await repair_day(connection, tenant_id, start)
    events = {(event := event_of(row)).identity: event for row in rows}
    voided = {event_of(row).identity for row in rows if row["voided"]}
    meters = await declared_meters(connection)
    deltas = RollupDeltas(await declared_labels(connection, [tenant_id]), meters)
    await apply_pending(connection, events, deltas, meters, voided=voided)
    await apply_deltas(connection, deltas)
    return len(events)
