"""A year of many tenants: usage in SQL, and the invoices that the run makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from backend.catalog.published import apply_catalog
from backend.settings import Settings
from backend.storage.database import Database
from tests.support.billing import catalog_with
from tests.support.invoices import run_invoices

YEAR = 2025
NEW_YEAR = datetime(YEAR, 1, 1, tzinfo=UTC)
NEXT_YEAR = datetime(YEAR + 1, 1, 1, tzinfo=UTC)
GRACE = timedelta(hours=25)
PLANS = [
    {
        "id": "plain",
        "name": "Plain",
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "19.99"},
            {
                "id": "input",
                "name": "Input",
                "kind": "per_unit",
                "meters": ["input_tokens"],
                "models": ["large"],
                "price": "0.1537",
            },
        ],
    },
    {
        "id": "tiered",
        "name": "Tiered",
        "charges": [
            {
                "id": "output",
                "name": "Output",
                "kind": "graduated",
                "meters": ["output_tokens"],
                "models": ["large"],
                "included": "100000",
                "tiers": [{"up_to": "1000000", "price": "10"}, {"up_to": None, "price": "4.75"}],
            },
        ],
    },
]

_TENANTS = """
INSERT INTO tenants (id, slug, name, is_sample)
SELECT 'ten_' || lpad(n::text, 3, '0'), 'sample-' || n, 'Sample ' || n, true
FROM generate_series(1, :tenants) AS n
"""
_SUBSCRIPTIONS = """
INSERT INTO subscriptions (tenant_id, id, plan_id, plan_version, start_at)
SELECT id, 'sub_' || id, CASE WHEN right(id, 1)::int % 2 = 0 THEN 'plain' ELSE 'tiered' END, 1,
  :start
FROM tenants
"""
_WALLETS = """
INSERT INTO wallets (tenant_id, grants_until)
SELECT id, CAST(:start AS timestamptz) + interval '2 years' FROM tenants
"""
# One in ten has bought credit, which pays a part of some invoices
_CREDIT = """
INSERT INTO credit_grants
  (tenant_id, id, name, kind, origin, priority, starts_at, amount, available)
SELECT id, 'grt_' || id, 'Bought', 'paid', 'operator', 100, :start, 47.11, 47.11
FROM tenants WHERE right(id, 1) IN ('3', '4')
"""
# Every third day a little of both meters, with a fraction
_ROLLUPS = """
INSERT INTO rollups (tenant_id, bucket, application_id, key_id, model, meter, quantity, event_count)
SELECT tenants.id,
  CAST(:start AS timestamptz) + make_interval(hours => 72 * step + right(tenants.id, 1)::int),
  'app_1', '', 'large', meter,
  1000 * (17 + step * length(meter) % 331) + right(tenants.id, 3)::int + 0.125, 1
FROM tenants, generate_series(0, 121) AS step,
  unnest(ARRAY['input_tokens', 'output_tokens']) AS meter
WHERE CAST(:start AS timestamptz) + make_interval(hours => 72 * step + 10) < :end
"""
_DAYS = """
INSERT INTO daily_rollups
  (tenant_id, day, application_id, key_id, model, meter, quantity, event_count)
SELECT tenant_id, date_trunc('day', bucket, 'UTC'), application_id, key_id, model, meter,
  sum(quantity), sum(event_count)
FROM rollups GROUP BY 1, 2, 3, 4, 5, 6
"""
_ON_PLATFORM = """
INSERT INTO platform_connections (tenant_id, starts_at, platform, mode)
SELECT id, :start, :platform, :mode FROM tenants
"""
_CURSORS = """
INSERT INTO platform_cursors (tenant_id, platform, stream)
SELECT id, :platform, stream FROM tenants, unnest(ARRAY['documents', 'usage']) AS stream
"""


async def lived(database: Database, tenants: int, platform: str, mode: str) -> None:
    """Make the tenants and their year of usage, all on a platform since it began."""
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS, default_plan="plain"))
        values = {
            "tenants": tenants,
            "start": NEW_YEAR,
            "end": NEXT_YEAR,
            "platform": platform,
            "mode": mode,
        }
        for statement in (
            _TENANTS,
            _SUBSCRIPTIONS,
            _WALLETS,
            _CREDIT,
            _ROLLUPS,
            _DAYS,
            _ON_PLATFORM,
            _CURSORS,
        ):
            await connection.execute(text(statement), values)


async def invoiced(database: Database, settings: Settings) -> None:
    """Run the invoices of the year."""
    run = await run_invoices(database, settings, NEXT_YEAR + GRACE)
    assert run.failed == 0
