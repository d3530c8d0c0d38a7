"""The invoice run over 10,000 tenants, as ``farebox invoices run`` does it.

    python -m benchmarks.invoices [--tenants 10000] [--processes 2]

Makes its own PostgreSQL in a temporary directory, tenants on two plans with a month of usage each
(rollups of 3 models x 4 meters on 30 days), all with a wallet and one in ten with credit in it, and
runs the month's invoices: processes of their own, claims, rating, lines, numbers, credit. Then
checks every total against one computed in SQL alone, runs again to see that nothing is made twice,
and times the next month, with late usage for one tenant in ten. Rows are written straight into the
tables: how they get there is another benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import text

from backend.catalog.published import apply_catalog
from backend.engines.postgres import start_postgres
from backend.invoices.runs.processes import processors, run_in_parallel
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend_client.types.catalog import Catalog
from backend_client.types.invoices import InvoiceRun

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
GRACE = timedelta(days=1)

CATALOG = Catalog.model_validate(
    {
        "version": 1,
        "default_plan": "plain",
        "models": [
            {
                "id": f"model-{number}",
                "name": f"Model {number}",
                "context_window": 4096,
                "max_output_tokens": 1024,
                "tokenizer": "upstream",
            }
            for number in range(3)
        ],
        "plans": [
            {
                "id": "plain",
                "name": "Plain",
                "charges": [
                    {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"},
                    *[
                        {
                            "id": f"{meter}-{number}".replace("_", "-"),
                            "name": f"Model {number} {meter}",
                            "kind": "per_unit",
                            "meters": [meter],
                            "models": [f"model-{number}"],
                            "price": price,
                        }
                        for number in range(3)
                        for meter, price in (
                            ("input_tokens", "0.15"),
                            ("cached_input_tokens", "0.075"),
                            ("output_tokens", "0.6"),
                        )
                    ],
                ],
            },
            {
                "id": "tiered",
                "name": "Tiered",
                "charges": [
                    {
                        "id": meter.replace("_", "-"),
                        "name": meter,
                        "kind": "graduated",
                        "meters": [meter],
                        "tiers": [
                            {"up_to": "1000000", "price": "1"},
                            {"up_to": None, "price": "0.5"},
                        ],
                    }
                    for meter in ("input_tokens", "cached_input_tokens", "output_tokens")
                ],
            },
        ],
    }
)

_TENANTS = """
INSERT INTO tenants (id, slug, name, is_sample)
SELECT 'ten_' || lpad(n::text, 8, '0'), 'sample-' || n, 'Sample ' || n, true
FROM generate_series(1, :tenants) AS n
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions (tenant_id, id, plan_id, plan_version, start_at)
SELECT id, 'sub_' || id, CASE WHEN right(id, 1)::int % 2 = 0 THEN 'plain' ELSE 'tiered' END, 1,
  :start
FROM tenants
"""
# As the worker keeps them: looked at in this period. One tenant in ten has bought credit
_WALLETS = """
INSERT INTO wallets (tenant_id, grants_until)
SELECT id, CAST(:start AS timestamptz) + interval '1 year' FROM tenants
"""
_CREDIT = """
INSERT INTO credit_grants
  (tenant_id, id, name, kind, origin, priority, starts_at, amount, available)
SELECT id, 'grt_' || id, 'Bought', 'paid', 'operator', 100, :start, 40, 40
FROM tenants WHERE right(id, 1) = '3'
"""
_ROLLUPS = """
INSERT INTO rollups
  (tenant_id, bucket, application_id, key_id, model, meter, quantity, event_count)
SELECT tenants.id,
  CAST(:start AS timestamptz) + make_interval(hours => 24 * day + right(tenants.id, 1)::int),
  'app_1', '', 'model-' || model, meter,
  1000 * (17 + day * model + length(meter)) + right(tenants.id, 4)::int, 1
FROM tenants, generate_series(0, 29) AS day, generate_series(0, 2) AS model,
  unnest(ARRAY['requests', 'input_tokens', 'cached_input_tokens', 'output_tokens']) AS meter
"""
_DAYS = """
INSERT INTO daily_rollups
  (tenant_id, day, application_id, key_id, model, meter, quantity, event_count)
SELECT tenant_id, date_trunc('day', bucket, 'UTC'), application_id, key_id, model, meter,
  sum(quantity), sum(event_count)
FROM rollups WHERE bucket >= :start AND bucket < :end
GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (tenant_id, day, application_id, key_id, model, upstream, meter, labels) DO UPDATE
SET quantity = excluded.quantity, event_count = excluded.event_count
"""
_BY_HAND = """
WITH used AS (
  SELECT tenant_id, model, meter, sum(quantity) AS units FROM rollups
  WHERE bucket >= :start AND bucket < :end AND meter <> 'requests' GROUP BY 1, 2, 3
), lines AS (
  SELECT tenant_id, 31.00 AS amount FROM subscriptions WHERE plan_id = 'plain'
  UNION ALL
  SELECT tenant_id, round(units * CASE meter WHEN 'input_tokens' THEN 0.15
    WHEN 'cached_input_tokens' THEN 0.075 ELSE 0.6 END / 1000000, 2)
  FROM used JOIN subscriptions USING (tenant_id) WHERE plan_id = 'plain'
  UNION ALL
  SELECT tenant_id, round((least(sum(units), 1000000) + greatest(sum(units) - 1000000, 0) * 0.5)
    / 1000000, 2)
  FROM used JOIN subscriptions USING (tenant_id) WHERE plan_id = 'tiered' GROUP BY tenant_id, meter
)
SELECT count(*) FROM (SELECT tenant_id, sum(amount) AS total FROM lines GROUP BY 1) AS hand
FULL JOIN (SELECT tenant_id, sum(total) AS total FROM invoices GROUP BY 1) AS made USING (tenant_id)
WHERE hand.total IS DISTINCT FROM made.total
"""
_LATE = """
UPDATE rollups SET quantity = quantity + 1000000 FROM tenants
WHERE tenants.id = rollups.tenant_id AND right(tenants.id, 1) = '0' AND meter = 'output_tokens'
  AND model = 'model-0' AND bucket = CAST(:start AS timestamptz)
"""


async def prepare(database: Database, tenants: int) -> None:
    """Make tenants, plans and a month of usage."""
    await migrate(database.engine)
    async with database.begin() as connection:
        await apply_catalog(connection, CATALOG)
        await connection.execute(text(_TENANTS), {"tenants": tenants})
        await connection.execute(text(_SUBSCRIPTIONS), {"start": MARCH})
        await connection.execute(text(_WALLETS), {"start": MARCH})
        await connection.execute(text(_CREDIT), {"start": MARCH})
        await connection.execute(text(_ROLLUPS), {"start": MARCH})
        await connection.execute(text(_DAYS), {"start": MARCH, "end": APRIL})
    async with database.engine.connect() as connection:
        plain = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await plain.execute(text("ANALYZE"))


def processor_seconds() -> float:
    """What this process, its workers that ended and PostgreSQL have computed so far."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(usage.ru_utime + usage.ru_stime for usage in own)
    for process in psutil.Process().children(recursive=True):
        if process.name().startswith("postgres"):
            with contextlib.suppress(psutil.NoSuchProcess):
                # Of the server also what its connections did that are closed
                seconds += sum(process.cpu_times()[:4])
    return seconds


async def timed(
    database: Database, settings: Settings, as_of: datetime, processes: int
) -> tuple[InvoiceRun, float, float]:
    """Run, and return the run, its seconds, and the seconds that processors worked for it."""
    began, computed = time.perf_counter(), processor_seconds()
    run = await run_in_parallel(
        database, settings, as_of, processes=processes, show=lambda _run: None
    )
    return run, time.perf_counter() - began, processor_seconds() - computed


async def measure(database_url: str, tenants: int, processes: int) -> None:
    """Do what the module's docstring says and print the figures."""
    settings = Settings(database_url=database_url, invoice_grace_hours=24)
    database = Database(database_url, pool_size=2)
    try:
        await prepare(database, tenants)
        first, seconds, computed = await timed(database, settings, APRIL + GRACE, processes)
        assert first.invoiced == tenants, first
        async with database.begin() as connection:
            wrong = await connection.scalar(text(_BY_HAND), {"start": MARCH, "end": APRIL})
            lines = await connection.scalar(text("SELECT count(*) FROM invoice_lines"))
        assert wrong == 0, f"{wrong} totals are not what SQL computes"
        print(f"{tenants:,} invoices, {lines:,} lines: {seconds:.1f} s on {processes} processes")
        print(
            f"  {computed:.1f} s of processors; {os.getloadavg()[0]:.1f} wanted to run at its end"
        )
        print("  every total as computed in SQL")
        again, seconds, _ = await timed(database, settings, APRIL + GRACE, processes)
        assert (again.invoiced, again.due) == (0, 0), again
        print(f"again: nothing to do, {seconds:.2f} s")
        async with database.begin() as connection:
            await connection.execute(text(_ROLLUPS), {"start": APRIL})
            await connection.execute(text(_LATE), {"start": MARCH})
            await connection.execute(text(_DAYS), {"start": MARCH, "end": MAY})
        second, seconds, computed = await timed(database, settings, MAY + GRACE, processes)
        assert second.invoiced == tenants, second
        print(
            f"next month, with late usage of one tenant in ten: {seconds:.1f} s, "
            f"{computed:.1f} s of processors"
        )
    finally:
        await database.close()


def main() -> None:
    """Read the arguments, start PostgreSQL, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=processors())
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    postgres = start_postgres(home / "postgres")
    try:
        asyncio.run(measure(postgres.url, arguments.tenants, arguments.processes))
    finally:
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
