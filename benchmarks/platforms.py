"""A billing platform beside the invoice run: what dispatches cost, and how fast they are sent.

    python -m benchmarks.platforms [--tenants 2000] [--processes 2] [--limited 10000] [--hasten 5]

Makes its own PostgreSQL with the tenants of ``benchmarks.invoices``, all of them on a platform, and
runs two months' invoices: the first while nobody is on a platform, the second with a dispatch for
each. Then sends the dispatches to a platform that answers at once and keeps nothing, so that what
is measured is Farebox: claims, documents, remote ids, outcomes. Checks that each invoice was sent
once.

At last it sends ``--limited`` invoices, copies of those, to a platform that takes 25 requests a
second, answers 429 beyond, and refuses everything for a minute. Its time runs ``--hasten`` times as
fast, which changes rates and pauses alike. Checks that all arrive, each once, and that what was
refused for the limit counts as no attempt; prints the lag that ``/metrics`` shows.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text

from backend.engines.postgres import start_postgres
from backend.invoices.runs.processes import processors
from backend.platforms.adapter import Attempt, Busy
from backend.platforms.documents import Customer, InvoiceDocument
from backend.platforms.queries import platform_statuses
from backend.platforms.rates import Pace
from backend.platforms.sending.sending import Sending
from backend.settings import Settings
from backend.storage.database import Database
from benchmarks.invoices import APRIL, GRACE, MAY, prepare, timed

_CONNECT = """
INSERT INTO platform_connections (tenant_id, starts_at, platform, mode)
SELECT id, CAST(:since AS timestamptz), 'stripe', 'invoices' FROM tenants
"""
_CURSORS = """
INSERT INTO platform_cursors (tenant_id, platform, stream)
SELECT id, 'stripe', 'documents' FROM tenants
"""
# Of every invoice as many copies as are wanted, numbered on, and a dispatch for each
_COPIES = """
WITH copies AS (
  SELECT invoices.*, copy FROM invoices, generate_series(1, :each) AS copy
  WHERE number IS NOT NULL AND total > 0 ORDER BY copy, id LIMIT :limited
), copied AS (
  INSERT INTO invoices
  SELECT (jsonb_populate_record(NULL::invoices, to_jsonb(copies) - 'copy' || jsonb_build_object(
    'id', id || '-' || copy, 'number', number || '-' || copy, 'kind', 'progressive'))).*
  FROM copies
  RETURNING tenant_id, id
)
INSERT INTO platform_dispatches
  (tenant_id, id, platform, stream, action, fact, subject, data, next_attempt_at)
SELECT tenant_id, 'dsp_' || id, 'stripe', 'documents', 'invoice', 'invoice:' || id, id,
  jsonb_build_object('own_id', id), now()
FROM copied
"""
_ATTEMPTS = "SELECT max(attempts) FROM platform_dispatches WHERE id LIKE 'dsp_inv%'"
_WAITING = "SELECT count(*) FROM platform_dispatches WHERE state = 'waiting'"


_REQUESTS = 4
"""That an invoice takes on Stripe."""


class NullPlatform:
    """Takes everything at once, and counts the invoices."""

    name = "stripe"

    def __init__(self) -> None:
        self.invoices: Counter[str] = Counter()

    async def ensure_customer(self, customer: Customer, attempt: Attempt) -> str:
        remote_id = await attempt.memory.recall("customer", customer.currency)
        if remote_id is None:
            remote_id = f"cus_{customer.tenant_id}"
            await attempt.memory.remember("customer", customer.currency, remote_id)
        return remote_id

    async def push_invoice(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        self.invoices[invoice.id] += 1
        await attempt.memory.remember("invoice", invoice.id, f"in_{invoice.id}")
        return f"in_{invoice.id}"


class LimitedPlatform(NullPlatform):
    """Takes 25 requests a second of its time, four an invoice; answers 429 to what is more."""

    def __init__(self, pace: Pace, per_second: float) -> None:
        super().__init__()
        self._pace = pace
        self._per_second = per_second
        self._room = per_second
        self._looked_at = time.perf_counter()
        self._closed_until = 0.0
        self.refused = 0

    def close_for(self, seconds: float) -> None:
        """Refuse everything for a while."""
        self._closed_until = time.perf_counter() + seconds

    async def push_invoice(self, invoice: InvoiceDocument, customer: str, attempt: Attempt) -> str:
        for _ in range(_REQUESTS):
            await self._pace.take()
            await self._answer()
        return await super().push_invoice(invoice, customer, attempt)

    async def _answer(self) -> None:
        now = time.perf_counter()
        room = self._room + (now - self._looked_at) * self._per_second
        self._room, self._looked_at = min(room, self._per_second), now
        if now < self._closed_until or self._room < 1:
            self.refused += 1
            wait = timedelta(seconds=max(self._closed_until - now, 1 / self._per_second))
            await self._pace.pause(wait)
            raise Busy(wait)
        self._room -= 1


async def send_limited(database: Database, invoices: int, hasten: float) -> None:
    """Send invoices to a platform with a limit, which is closed for a minute; print the lag."""
    async with database.begin() as connection:
        there = await connection.scalar(text("SELECT count(*) FROM invoices WHERE total > 0")) or 1
        copies = {"each": invoices // there + 1, "limited": invoices}
        await connection.execute(text(_COPIES), copies)
    pace = Pace(database, "stripe", 20 * hasten)
    platform = LimitedPlatform(pace, 25 * hasten)
    sending = Sending(database, {"stripe": platform})  # type: ignore[dict-item] # a part of it
    began, lags = time.perf_counter(), [0.0]
    closes_at = invoices // 4

    async def work() -> None:
        while len(platform.invoices) < invoices:
            if not await sending.send_due(asyncio.Event()):
                await asyncio.sleep(0.05)

    async def watch() -> None:
        closed = False
        while len(platform.invoices) < invoices:
            async with database.begin() as connection:
                [status, *_] = await platform_statuses(connection, {}, datetime.now(UTC))
            lags.append(status.lag_seconds)
            if not closed and len(platform.invoices) >= closes_at:
                closed = True
                platform.close_for(60 / hasten)
            await asyncio.sleep(0.5)

    async with asyncio.TaskGroup() as group:
        for task in (work(), work(), watch()):
            group.create_task(task)
    seconds = time.perf_counter() - began
    async with database.begin() as connection:
        waiting = await connection.scalar(text(_WAITING))
        attempts = await connection.scalar(text(_ATTEMPTS))
    assert set(platform.invoices.values()) == {1}
    assert (waiting, attempts) == (0, 1)
    print(
        f"{invoices:,} invoices at 25 requests a second, {hasten:g} times as fast, closed for a "
        f"minute: {seconds:.0f} s, {invoices * _REQUESTS / seconds / hasten:.1f} requests a second "
        f"of its time, {platform.refused} refused; lag up to {max(lags):.0f} s"
    )


async def send_all(database: Database, platform: Any) -> tuple[int, float]:
    """Send what waits, as one worker does; return how many and in how many seconds."""
    sending = Sending(database, {"stripe": platform})
    began, sent = time.perf_counter(), 0
    while batch := await sending.send_due(asyncio.Event()):
        sent += batch
    return sent, time.perf_counter() - began


async def measure(tenants: int, processes: int, limited: int, hasten: float) -> None:
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    postgres = start_postgres(home / "postgres")
    database = Database(postgres.url, pool_size=10)
    settings = Settings(database_url=postgres.url)
    try:
        await prepare(database, tenants)
        run, bare, _ = await timed(database, settings, APRIL + GRACE, processes)
        print(f"{run.invoiced:,} invoices, nobody on a platform: {bare:.1f} s")
        async with database.begin() as connection:
            await connection.execute(text(_CONNECT), {"since": MAY})
            await connection.execute(text(_CURSORS))
        run, queued, _ = await timed(database, settings, MAY + GRACE, processes)
        async with database.begin() as connection:
            waiting = await connection.scalar(text(_WAITING))
        print(f"{run.invoiced:,} invoices, {waiting:,} dispatches: {queued:.1f} s")
        platform = NullPlatform()
        sent, seconds = await send_all(database, platform)
        assert set(platform.invoices.values()) <= {1}
        assert len(platform.invoices) == sent == waiting
        print(f"{sent:,} dispatches sent by one worker in {seconds:.1f} s: {sent / seconds:,.0f}/s")
        if limited:
            await send_limited(database, limited, hasten)
    finally:
        await database.close()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tenants", type=int, default=2000)
    arguments.add_argument("--processes", type=int, default=processors())
    arguments.add_argument("--limited", type=int, default=10_000)
    arguments.add_argument("--hasten", type=float, default=5.0)
    given = arguments.parse_args()
    asyncio.run(measure(given.tenants, given.processes, given.limited, given.hasten))


if __name__ == "__main__":
    main()
