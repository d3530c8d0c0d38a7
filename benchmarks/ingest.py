"""Ingest, from the request to the rollup, beside what PostgreSQL does by hand in the same run.

    python -m benchmarks.ingest            # about three minutes
    python -m benchmarks.ingest --seconds 5

API, worker, NATS and PostgreSQL run as ``farebox`` runs them, on this machine, and so does the
sender. Bodies are made before the clock starts; nothing else is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import asyncpg
import psutil

from backend.accounts.applications import list_applications
from backend.accounts.tenants import create_tenant
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend_client.types.accounts import TenantCreate
from benchmarks.baselines import bare_copy, count_by_hand, rows
from benchmarks.load import Batch, make_batches, send
from tests.support.installation import CrashableInstallation
from tests.support.operators import operator_secret
from tests.support.waiting import until

BATCH = 500
COUNTED_TOGETHER = 10_000
TENANTS = 20


async def prepare(database_url: str) -> tuple[list[tuple[str, str]], str]:
    """Make tenants with an application each, and an operator's key that writes for all."""
    database = Database(database_url, pool_size=1)
    await migrate(database.engine)
    tenants = []
    async with database.begin() as connection:
        for number in range(TENANTS):
            wanted = TenantCreate(name=f"Sample {number}", slug=f"sample-{number}")
            tenant = await create_tenant(connection, wanted)
            page = await list_applications(connection, tenant.id, cursor=None, limit=1)
            tenants.append((tenant.id, page.items[0].id))
        secret = await operator_secret(connection)
    await database.close()
    return tenants, secret


class Watcher:
    """Looks into PostgreSQL for events, as a reader of usage would find them counted."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def until_counted(self, batch: Batch) -> float:
        """Return when the batch's last event was found counted."""
        query = "SELECT 1 FROM events WHERE (tenant_id, source, id) = ($1, $2, $3)"

        async def found() -> bool:
            return await self._connection.fetchval(query, *batch.last) is not None

        await until(found, seconds=60, pause=0.01)
        return time.time()

    async def counted(self) -> int:
        """How many events are in the rollups."""
        query = "SELECT coalesce(sum(event_count), 0)::bigint FROM rollups WHERE meter = 'requests'"
        return int(await self._connection.fetchval(query))

    async def until_all_counted(self, count: int) -> None:
        """Return when this many events are in the rollups."""

        async def all_counted() -> bool:
            return await self.counted() >= count

        await until(all_counted, seconds=600)


async def freshness(watcher: Watcher, batches: list[Batch]) -> list[float]:
    """Seconds from each batch's sending until it was queryable, in order of sending."""
    delays = []
    for batch in batches:
        await batch.acknowledged.wait()
        delays.append(await watcher.until_counted(batch) - batch.sent_at)
    return delays


async def run(seconds: float) -> None:
    """Measure everything, and print it."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    installation = CrashableInstallation(home)
    installation.start_engines()
    try:
        tenants, secret = await prepare(installation.database_url)
        connection = await asyncpg.connect(installation.database_url)
        event_rows = rows(tenants, int(20_000 * seconds))
        bare = await bare_copy(connection, event_rows, COUNTED_TOGETHER)
        by_hand = await count_by_hand(connection, event_rows, COUNTED_TOGETHER)
        print(f"PostgreSQL, bare COPY                 {bare:>10,.0f} rows/s")
        print(f"PostgreSQL, COPY + dedupe + rollup    {by_hand:>10,.0f} events/s")
        del event_rows

        await installation.start_roles()
        watcher = Watcher(connection)
        url = installation.api_url
        worker = psutil.Process(installation.pid("worker"))
        await send(url, secret, make_batches(tenants, "warm", 20, BATCH))
        total = 20 * BATCH

        batches = make_batches(tenants, "burst", int(30_000 * seconds / BATCH), BATCH)
        await watcher.until_all_counted(total)
        spent = installation.cpu_seconds()
        began = time.perf_counter()
        sent = await send(url, secret, batches)
        total += sent.events
        await watcher.until_all_counted(total)
        took = time.perf_counter() - began
        end_to_end = sent.events / took
        where = {
            name: (now - spent[name]) / sent.events * 1e6
            for name, now in installation.cpu_seconds().items()
        }
        print(f"Acknowledged, batches of {BATCH}          {sent.rate:>10,.0f} events/s")
        print(f"End to end, queryable                 {end_to_end:>10,.0f} events/s")
        print(f"  {sent.events:,} events in {took:.0f} s")
        print(f"  of the hand-written transaction     {end_to_end / by_hand:>10.2f}")
        print(f"  of the bare COPY                    {end_to_end / bare:>10.2f}")
        parts = ", ".join(f"{name} {spent:.1f}" for name, spent in where.items())
        print(f"CPU microseconds an event: {parts}")

        pace = end_to_end / 2
        paced = make_batches(tenants, "paced", int(pace * seconds / BATCH), BATCH)
        async with asyncio.TaskGroup() as group:
            group.create_task(send(url, secret, paced, events_per_second=pace))
            seen = group.create_task(freshness(watcher, paced))
        delays = sorted(seen.result())
        print(
            f"Freshness at {pace:,.0f} events/s: median {statistics.median(delays):.3f} s,"
            f" p99 {delays[int(len(delays) * 0.99)]:.3f} s"
        )
        print(f"Worker's peak memory                  {peak_mib(worker):>10.0f} MiB")
        await connection.close()
    finally:
        installation.stop()
        shutil.rmtree(home, ignore_errors=True)


def peak_mib(process: psutil.Process) -> float:
    """The most memory that a process had resident, as the kernel noted it."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return process.memory_info().rss / 2**20


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="about how long each part takes")
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    asyncio.run(run(arguments.seconds))


if __name__ == "__main__":
    main()
