"""The usage page's questions, asked of a large tenant in a large store, over HTTP.

    python -m benchmarks.usage_queries                              # ten minutes, 12 GB of disk
    python -m benchmarks.usage_queries --events 10000000 --others 90000000   # hours, 100 GB

Events and rollups are written by PostgreSQL itself, as counting would have left them; the days are
summed by the rebuild. Each question is asked of the API, and beside it, as the baseline, of
PostgreSQL by hand over the quarter hours alone.
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

from backend.accounts.keys import create_key
from backend.accounts.principal import ROLE_PERMISSIONS, Principal
from backend.accounts.tenants import create_tenant, list_applications
from backend.metering.rebuild import rebuild_usage
from backend.storage.database import Database
from backend.storage.migrate import migrate
from backend_client.types.accounts import ApiKeyCreate, Role, Scope, TenantCreate
from tests.crash.installation import CrashableInstallation

DAYS = 90
START = datetime(2026, 1, 1, tzinfo=UTC)
ASKED = 200
ZONE = "Europe/Berlin"

# Three applications with two keys each, three models, four meters: 72 rollups a quarter hour
_EVENTS = """
INSERT INTO events (tenant_id, source, id, time, received_at, application_id, key_id, model,
                    quantities, labels)
SELECT $1, 'benchmark', n::text, at, at, 'app_' || n % 3, 'key_' || n % 6, 'model_' || n / 6 % 3,
       jsonb_build_object('requests', '1', 'input_tokens', (n % 997)::text,
                          'cached_input_tokens', (n % 89)::text,
                          'output_tokens', (n % 499)::text),
       '{}'
FROM (SELECT n, $4::timestamptz + (n::float8 / $5) * interval '90 days' AS at
      FROM generate_series($2::bigint, $3::bigint) AS n) AS made
"""
_ROLLUPS = """
INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter, quantity, event_count)
SELECT tenant_id, date_bin('15 minutes', time, 'epoch'::timestamptz), application_id, key_id, model,
       meter, sum(quantity::numeric), count(*)
FROM events, jsonb_each_text(quantities) AS measured (meter, quantity)
WHERE tenant_id = $1
GROUP BY 1, 2, 3, 4, 5, 6
"""
_BY_HAND = """
SELECT date_trunc('day', bucket, $4), model, meter, sum(quantity), sum(event_count)
FROM rollups WHERE tenant_id = $1 AND bucket >= $2 AND bucket < $3
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""
_SIZES = """
SELECT pg_size_pretty(pg_total_relation_size('events')),
       (SELECT count(*) FROM rollups), (SELECT count(*) FROM daily_rollups)
"""
_PART = 500_000


async def fill(connection: asyncpg.Connection, tenant_id: str, events: int) -> None:
    """Write a tenant's events over 90 days, and their rollups."""
    for first in range(0, events, _PART):
        last = min(first + _PART, events) - 1
        await connection.execute(_EVENTS, tenant_id, first, last, START, float(events))
    await connection.execute(_ROLLUPS, tenant_id)
    await connection.execute("INSERT INTO usage_versions VALUES ($1, 1, now())", tenant_id)


async def tenants(database: Database) -> tuple[str, str, str]:
    """Make the tenant that asks, with a key that may; and one that is there besides."""
    async with database.begin() as connection:
        large, other = [
            await create_tenant(connection, TenantCreate(slug=slug, name=slug, time_zone=ZONE))
            for slug in ("sample-large", "sample-others")
        ]
        page = await list_applications(connection, large.id, cursor=None, limit=1)
        owner = Principal(
            kind="user",
            id="usr_benchmark",
            tenant_id=large.id,
            permissions=ROLE_PERMISSIONS[Role.OWNER],
            role=Role.OWNER,
        )
        wanted = ApiKeyCreate(
            name="benchmark", application_id=page.items[0].id, scopes=[Scope.USAGE_READ]
        )
        key = await create_key(connection, owner, wanted)
    return large.id, other.id, key.secret


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


async def run(events: int, others: int) -> None:
    """Fill the store, ask, and print what it took."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    installation = CrashableInstallation(home)
    try:
        installation.start_engines()
        database = Database(installation.database_url, pool_size=2)
        await migrate(database.engine)
        large, other, secret = await tenants(database)
        connection = await asyncpg.connect(installation.database_url)
        await fill(connection, large, events)
        await fill(connection, other, others)
        async for _ in rebuild_usage(connection, large):
            pass
        await connection.execute("VACUUM ANALYZE")
        size, rollups, days = await connection.fetchrow(_SIZES)
        print(f"{events:,} events of {events + others:,}; {size} with indexes")
        print(f"{rollups:,} rollups; {days:,} daily rollups of the tenant that asks")

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
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000, help="the asking tenant's")
    parser.add_argument("--others", type=int, default=10_000_000, help="everybody else's")
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    asyncio.run(run(arguments.events, arguments.others))


if __name__ == "__main__":
    main()
