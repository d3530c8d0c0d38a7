"""Move old events into Parquet files. Their rollups stay: usage and bills do not change.

A day of a tenant is one file. It is written whole and read back before its events are deleted, in
the transaction that records it; a recorded file is never overwritten. ``restore`` is the way back.
What ingest could still accept is never archived, so no event comes late for an archived day; but
an archived event that is sent again with a newer time counts as new.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import pyarrow as pa
import pyarrow.parquet as pq

from backend.metering.counting.locks import own_tenant
from backend.metering.errors import ArchiveBusy, ArchiveRefused
from backend.storage.database import Database
from backend_client.types.problems import FieldError

_DAY = timedelta(days=1)
ROWS_AT_ONCE: Final = 5_000
_NO_EVENT_BEFORE: Final = datetime(1900, 1, 1, tzinfo=UTC)
ARCHIVING: Final = 0x6172_6368_6976  # "archiv" in ASCII: the lock for moving events

_TIME = pa.timestamp("us", tz="UTC")
ARCHIVE_SCHEMA: Final = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("sender", pa.string()),
        ("source", pa.string()),
        ("id", pa.string()),
        ("time", _TIME),
        ("received_at", _TIME),
        ("application_id", pa.string()),
        ("key_id", pa.string()),
        ("model", pa.string()),
        ("upstream", pa.string()),
        # JSON with numbers as strings: Parquet's decimals have fewer digits than an event may have
        ("quantities", pa.string()),
        ("labels", pa.string()),
        ("counted", pa.string()),
        ("voided", pa.bool_()),
        ("corrected_at", _TIME),
    ]
)

_FIRST = "SELECT min(time) FROM events WHERE tenant_id = $1 AND time >= $2 AND time < $3"
_RESTORED = "SELECT start_at FROM event_archives WHERE tenant_id = $1 AND restored_at > $2"
_OF_A_DAY = "FROM events WHERE tenant_id = $1 AND time >= $2 AND time < $3"
_EVENTS = f"""
SELECT tenant_id, sender, source, id, time, received_at, application_id, key_id, model,
       upstream, quantities::text, labels::text, counted::text, voided, corrected_at
{_OF_A_DAY}
ORDER BY time, source, id, sender
"""
# Changes with any event that is added, removed or corrected.
_STATE = f"""
SELECT count(*) AS events,
       coalesce(sum(hashtextextended(concat_ws(chr(10), sender, source, id, corrected_at), 0)), 0)
           AS digest
{_OF_A_DAY}
"""
_DELETE = f"DELETE {_OF_A_DAY}"
_NOTE = """
INSERT INTO event_archives (tenant_id, start_at, end_at, file, sha256, event_count, archived_by)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_NOTED = "SELECT EXISTS (SELECT 1 FROM event_archives WHERE (tenant_id, file) = ($1, $2))"


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """A day (UTC) whose events are in a file."""

    start: datetime
    file: Path
    event_count: int


def check_archive_time(before: datetime, now: datetime, *, max_age_days: int) -> None:
    """Raise ``ArchiveRefused`` if events from before ``before`` could still be accepted."""
    newest = now - timedelta(days=max_age_days + 1)
    if before > newest:
        raise ArchiveRefused(
            f"Events are accepted up to {max_age_days} days back, so only what is older than "
            f"{newest:%Y-%m-%d} can be archived. FAREBOX_EVENT_MAX_AGE_DAYS sets the limit.",
            errors=[FieldError(field="before", detail=f"at the latest {newest:%Y-%m-%d}")],
        )


@asynccontextmanager
async def archiving(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """Yield the one connection that may move events; raise ``ArchiveBusy`` if there is one."""
    async with database.raw() as connection:
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ARCHIVING):
            raise ArchiveBusy()
        yield connection  # the lock ends with the connection, also if this process is killed


async def archive_events(
    connection: asyncpg.Connection,
    tenant_id: str,
    before: datetime,
    directory: Path,
    *,
    actor: str,
    restored_until: datetime | None = None,
) -> AsyncIterator[ArchivedDay]:
    """Archive a tenant's events from before a midnight (UTC), day by day, oldest first.

    ``connection`` is that of ``archiving``. Each day is done wholly or not at all; call it again to
    continue. Days that were restored after ``restored_until`` stay. Raises ``ArchiveRefused`` if
    a day's events change meanwhile.
    """
    kept: set[datetime] = set()
    if restored_until is not None:
        kept = {start for (start,) in await connection.fetch(_RESTORED, tenant_id, restored_until)}
    folder = directory / tenant_id
    start = _NO_EVENT_BEFORE
    while first := await connection.fetchval(_FIRST, tenant_id, start, before):
        start = first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if start in kept:
            start += _DAY
            continue
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        file = await _unused(connection, tenant_id, folder, start)
        draft = file.with_suffix(".draft")
        state = await _write(connection, tenant_id, start, draft)
        digest = await asyncio.to_thread(_keep, draft, file, state.events)
        await _note_and_delete(connection, tenant_id, start, file, digest, state, actor)
        yield ArchivedDay(start, file, state.events)
        start += _DAY


class _State(NamedTuple):
    """How many events a day has, and a digest that changes with any of them."""

    events: int
    digest: Decimal


async def _state(connection: asyncpg.Connection, tenant_id: str, start: datetime) -> _State:
    [row] = await connection.fetch(_STATE, tenant_id, start, start + _DAY)
    return _State(*row)


async def _write(
    connection: asyncpg.Connection, tenant_id: str, start: datetime, draft: Path
) -> _State:
    """Write a day's events; return the state that they were in."""
    with pq.ParquetWriter(draft, ARCHIVE_SCHEMA, compression="zstd") as writer:

        def write(rows: list[dict[str, Any]]) -> None:
            writer.write_batch(pa.RecordBatch.from_pylist(rows, ARCHIVE_SCHEMA))

        async with connection.transaction(isolation="repeatable_read", readonly=True):
            state = await _state(connection, tenant_id, start)
            batch: list[dict[str, Any]] = []
            async for row in connection.cursor(
                _EVENTS, tenant_id, start, start + _DAY, prefetch=ROWS_AT_ONCE
            ):
                batch.append(dict(row))
                if len(batch) == ROWS_AT_ONCE:
                    await asyncio.to_thread(write, batch)
                    batch = []
            if batch:
                await asyncio.to_thread(write, batch)
    return state


async def _unused(
    connection: asyncpg.Connection, tenant_id: str, folder: Path, start: datetime
) -> Path:
    """Return the day's next unused file: a restored day, for example, has a file already.

    A file that is not recorded belongs to an attempt that was killed.
    """
    for number in count(1):
        file = folder / f"{start:%Y-%m-%d}{'' if number == 1 else f'-{number}'}.parquet"
        if not await connection.fetchval(_NOTED, tenant_id, str(file)):
            break
    return file


def _keep(draft: Path, file: Path, rows: int) -> str:
    """Sync a draft to disk and rename it to ``file``; return the file's SHA-256."""
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(file)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    if pq.read_metadata(file).num_rows != rows:
        raise ArchiveRefused(
            f"{file} does not contain what was written to it; nothing was deleted."
        )
    return digest_of(file)


def digest_of(file: Path) -> str:
    """Return a file's SHA-256, in hexadecimal; raises ``OSError``."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


async def _note_and_delete(
    connection: asyncpg.Connection,
    tenant_id: str,
    start: datetime,
    file: Path,
    digest: str,
    state: _State,
    actor: str,
) -> None:
    end = start + _DAY
    async with connection.transaction():
        await own_tenant(connection, tenant_id)
        if await _state(connection, tenant_id, start) != state:
            raise ArchiveRefused(
                f"The events of {start:%Y-%m-%d} changed while they were archived; run it again."
            )
        await connection.execute(_DELETE, tenant_id, start, end)
        await connection.execute(
            _NOTE, tenant_id, start, end, str(file), digest, state.events, actor
        )
