"""What PostgreSQL itself can do with the same events: a bare COPY, and a hand-written count."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

_TABLES = """
DROP SCHEMA IF EXISTS baseline CASCADE;
CREATE SCHEMA baseline;
CREATE TABLE baseline.bare (
  tenant_id text, source text, id text, time timestamptz, application_id text, model text,
  quantities jsonb
);
CREATE TABLE baseline.events (LIKE baseline.bare, PRIMARY KEY (tenant_id, source, id));
CREATE TABLE baseline.rollups (
  tenant_id text, bucket timestamptz, application_id text, model text, meter text,
  quantity numeric, event_count bigint,
  PRIMARY KEY (tenant_id, bucket, application_id, model, meter)
);
"""
_COLUMNS = ("tenant_id", "source", "id", "time", "application_id", "model", "quantities")
_COUNT = """
WITH fresh AS (
  INSERT INTO baseline.events SELECT * FROM incoming
  ON CONFLICT DO NOTHING RETURNING *
)
INSERT INTO baseline.rollups
SELECT tenant_id, date_bin('15 minutes', time, 'epoch'), application_id, model, meter,
       sum(quantity::numeric), count(*)
FROM fresh, jsonb_each_text(quantities) AS measured (meter, quantity)
GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (tenant_id, bucket, application_id, model, meter) DO UPDATE
SET quantity = rollups.quantity + excluded.quantity,
    event_count = rollups.event_count + excluded.event_count
"""

Row = tuple[object, ...]


def rows(tenants: Sequence[tuple[str, str]], count: int) -> list[Row]:
    """Events as rows, like those that the senders send."""
    now = datetime.now(UTC)
    event_rows: list[Row] = []
    for number in range(count):
        tenant, application = tenants[number % len(tenants)]
        quantities = {"requests": "1", "input_tokens": str(number % 4000), "output_tokens": "250"}
        event_rows.append(
            (
                tenant,
                "benchmark",
                f"baseline-{number:012d}",
                now - timedelta(milliseconds=number),
                application,
                f"model-{number % 3}",
                json.dumps(quantities),
            )
        )
    return event_rows


async def bare_copy(connection: asyncpg.Connection, events: Sequence[Row], batch: int) -> float:
    """Rows per second of COPY into a table without an index, a transaction for each batch."""
    await connection.execute(_TABLES)
    began = time.perf_counter()
    for start in range(0, len(events), batch):
        await connection.copy_records_to_table(
            "bare",
            schema_name="baseline",
            columns=_COLUMNS,
            records=events[start : start + batch],
        )
    return len(events) / (time.perf_counter() - began)


async def count_by_hand(connection: asyncpg.Connection, events: Sequence[Row], batch: int) -> float:
    """Events per second of COPY, dedupe and rollup in one transaction for each batch."""
    await connection.execute(_TABLES)
    await connection.execute(
        "CREATE TEMPORARY TABLE incoming (LIKE baseline.bare) ON COMMIT DELETE ROWS"
    )
    began = time.perf_counter()
    for start in range(0, len(events), batch):
        async with connection.transaction():
            await connection.copy_records_to_table(
                "incoming", columns=_COLUMNS, records=events[start : start + batch]
            )
            await connection.execute(_COUNT)
    rate = len(events) / (time.perf_counter() - began)
    await connection.execute("DROP TABLE incoming; DROP SCHEMA baseline CASCADE")
    return rate
