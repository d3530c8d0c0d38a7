"""The usage page's questions, asked of a large tenant in a large store, over HTTP.

    python -m benchmarks.usage_queries                    # 20 million events: minutes, 9 GB of disk
    python -m benchmarks.usage_queries --tenants 10 --home DIR   # 100 million: an hour, 45 GB
    python -m benchmarks.usage_queries --home DIR         # asks again what is in DIR

Events and rollups are written by PostgreSQL itself, as counting would have left them: the events
without indexes, which are built after; the days are summed by the rebuild. Each question is asked
of the API, and beside it, as the baseline, of PostgreSQL by hand over the quarter hours alone.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx

from backend.accounts.applications import list_applications
from backend.accounts.keys.keys import create_key
from backend.accounts.principal import ROLE_PERMISSIONS, Principal
from backend.accounts.tenants import create_tenant
from backend.metering.counting.daily import rebuild_days
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend_client.types.accounts import ApiKeyCreate, Role, Scope, TenantCreate
from tests.support.installation import CrashableInstallation

DAYS = 90
START = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = 200
ZONE = "Europe/Berlin"

# Three applications with two keys each, three models, four meters: 72 rollups a quarter hour
_MADE = """
  SELECT n, at, 'app_' || n % 3 AS application, 'key_' || n % 6 AS key,
         'model_' || n / 6 % 3 AS model, n % 997 AS input, n % 89 AS cached, n % 499 AS output
  FROM (SELECT n, $4::timestamptz + (n::float8 / $5) * interval '90 days' AS at
        FROM generate_series($2::bigint, $3::bigint) AS n) AS numbered
"""
_EVENTS = """
INSERT INTO events (tenant_id, source, id, time, received_at, application_id, key_id, model,
                    quantities, labels)
SELECT $1, 'benchmark', n::text, at, at, application, key, model,
       format('{"requests": "1", "input_tokens": "%s", "cached_input_tokens": "%s",'
              ' "output_tokens": "%s"}', input, cached, output)::jsonb, '{}'
FROM (MADE) AS made
""".replace("MADE", _MADE)
_ROLLUPS = """
INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter, quantity, event_count)
SELECT $1, bucket, application, key, model, meter, quantity, event_count
FROM (
  SELECT date_bin('15 minutes', at, 'epoch'::timestamptz) AS bucket, application, key, model,
         count(*) AS event_count, sum(input) AS input, sum(cached) AS cached, sum(output) AS output
  FROM (MADE) AS made GROUP BY 1, 2, 3, 4
) AS summed
CROSS JOIN LATERAL (VALUES ('requests', event_count), ('input_tokens', input),
  ('cached_input_tokens', cached), ('output_tokens', output)) AS measured (meter, quantity)
""".replace("MADE", _MADE)
_BY_HAND = """
SELECT date_trunc('day', bucket, $4), model, meter, sum(quantity), sum(event_count)
FROM rollups WHERE tenant_id = $1 AND bucket >= $2 AND bucket < $3
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_SIZES = """
SELECT (SELECT count(*) FROM events), pg_size_pretty(pg_total_relation_size('events')),
       (SELECT count(*) FROM rollups), (SELECT count(*) FROM daily_rollups)
"""
_PART = 500_000
_EACH = 10_000_000


async def fill(connection: asyncpg.Connection, tenant_ids: list[str], events: int) -> None:
    """Write each tenant's events over 90 days, and their rollups."""
    indexes = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition"
        " FROM pg_index WHERE indrelid = 'events'::regclass AND NOT indisprimary"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute("ALTER TABLE events DROP CONSTRAINT pk_events")
    for tenant_id in tenant_ids:
        for first in range(0, events, _PART):
            last = min(first + _PART, events) - 1
            await connection.execute(_EVENTS, tenant_id, first, last, START, float(events))
        await connection.execute(_ROLLUPS, tenant_id, 0, events - 1, START, float(events))
        await connection.execute("INSERT INTO usage_versions VALUES ($1, 1, now())", tenant_id)
        print(f"{events:,} events of {tenant_id}", flush=True)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute(
        "ALTER TABLE events ADD CONSTRAINT pk_events PRIMARY KEY (tenant_id, source, id)"
    )
    for index in indexes:
        await connection.execute(index["definition"])
    span = (START, START + timedelta(days=DAYS))
    for tenant_id in tenant_ids:
        await rebuild_days(connection, tenant_id, *span, repair=True)
    await connection.execute("VACUUM ANALYZE rollups")
    await connection.execute("VACUUM ANALYZE daily_rollups")
    await connection.execute("ANALYZE")


async def tenants(database: Database, count: int) -> list[str]:
    """Make the tenants; the first is the one that asks."""
    async with database.begin() as connection:
        sample_tenants = [
            await create_tenant(connection, TenantCreate(slug=slug, name=slug, time_zone=ZONE))
            for slug in (f"sample-{number}" for number in range(count))
        ]
    return [tenant.id for tenant in sample_tenants]


async def key_of(database: Database, tenant_id: str) -> str:
    """Return the secret of a new key that may read the tenant's usage."""
    async with database.begin() as connection:
        page = await list_applications(connection, tenant_id, cursor=None, limit=1)
        owner = Principal(
            kind="user",
            id="usr_benchmark",
            tenant_id=tenant_id,
            permissions=ROLE_PERMISSIONS[Role.OWNER],
            role=Role.OWNER,
        )
        wanted = ApiKeyCreate(
            name="benchmark", application_id=page.items[0].id, scopes=[Scope.USAGE_READ]
        )
        return (await create_key(connection, owner, wanted)).secret


async def asked(
    client: httpx.AsyncClient, path: str, params: dict[str, object]
) -> tuple[float, float, int]:
    """Ask many times; return the median and the 95th percentile in ms, and the answer's rows."""
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        answer = await client.get(path, params=params)
        took.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    body = answer.json()
    rows = body.get("rows", body.get("items"))
    return statistics.median(took), sorted(took)[int(ASKED * 0.95)], len(rows)


async def by_hand(connection: asyncpg.Connection, tenant_id: str) -> float:
    """The median milliseconds of the chart's question over the quarter hours alone."""
    took = []
    for _ in range(10):
        began = time.perf_counter()
        await connection.fetch(_BY_HAND, tenant_id, START, START + timedelta(days=DAYS), ZONE)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def run(home: Path, count: int) -> None:
    """Fill the store if it is empty, ask, and print what it took."""
    installation = CrashableInstallation(home)
    try:
        installation.start_engines()
        database = Database(installation.database_url, pool_size=2)
        await migrate(database.engine)
        connection = await asyncpg.connect(installation.database_url)
        large = await connection.fetchval("SELECT id FROM tenants WHERE slug = 'sample-0'")
        if large is None:
            began = time.perf_counter()
            tenant_ids = await tenants(database, count)
            await fill(connection, tenant_ids, _EACH)
            large = tenant_ids[0]
            print(f"Filled in {time.perf_counter() - began:,.0f} s")
        secret = await key_of(database, large)
        events, size, rollups, days = await connection.fetchrow(_SIZES)
        print(f"{events:,} events, a tenant's {_EACH:,}; {size} with indexes")
        print(f"{rollups:,} rollups, {days:,} daily rollups")

        await installation.start_roles()
        span = {"start": START.isoformat(), "end": (START + timedelta(days=DAYS)).isoformat()}
        recent = {"start": (START + timedelta(days=DAYS - 7)).isoformat(), "end": span["end"]}
        ragged = {"start": (START + timedelta(hours=7)).isoformat(), "end": span["end"]}
        headers = {"authorization": f"Bearer {secret}"}
        async with httpx.AsyncClient(base_url=installation.api_url, headers=headers) as client:
            for name, path, params in (
                ("90 days by day and model", "/v1/usage", {**span, "group_by": "model"}),
                ("the same, from 7 o'clock", "/v1/usage", {**ragged, "group_by": "model"}),
                ("90 days by day and key", "/v1/usage", {**span, "group_by": "key"}),
                (
                    "90 days in all, a model",
                    "/v1/usage",
                    {**span, "granularity": "total", "model": "model_1"},
                ),
                (
                    "7 days by hour and model",
                    "/v1/usage",
                    {**recent, "granularity": "hour", "group_by": "model"},
                ),
                ("50 raw events", "/v1/events", {**span, "limit": 50}),
                ("50 raw events of a model", "/v1/events", {**span, "model": "model_2"}),
            ):
                median, slow, rows = await asked(client, path, params)
                print(f"{name:<26} median {median:6.1f} ms   p95 {slow:6.1f} ms   {rows:,} rows")
        hand = await by_hand(connection, large)
        print(f"The first by hand, over quarter hours: {hand:.0f} ms in PostgreSQL alone")
        await connection.close()
        await database.close()
    finally:
        installation.stop()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=2, help="of ten million events each")
    parser.add_argument("--home", type=Path, help="keep the store here, for another run")
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    home = arguments.home or Path(tempfile.mkdtemp(prefix="fb-"))
    try:
        asyncio.run(run(home, arguments.tenants))
    finally:
        if arguments.home is None:
            shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
