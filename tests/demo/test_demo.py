"""``farebox demo`` against a running API and worker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from backend.accounts.keys.operator_keys import temporary_operator_key
from backend.accounts.members.members import memberships
from backend.accounts.sessions.sessions import local_person
from backend.accounts.tenants import create_tenant
from backend.demo.accounts import open_tenants, remove_tenants, sample_tenants
from backend.demo.load import all_events, send, until_counted
from backend.demo.measures import forget_measures, measure
from backend.demo.usage import SOURCE
from backend.errors import CommandError
from backend.gateway.latencies import BUCKETS
from backend.gateway.measures.measures import HourCounts, add_hours
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import (
    call_measures,
    events,
    gateway_requests,
    model_hours,
    operator_keys,
    rollups,
    tenants,
)
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import Role, TenantCreate
from tests.support.commands import run_farebox

pytestmark = pytest.mark.engine

SLUGS = ["sample-chat", "sample-batch", "sample-starter"]


async def load(database: Database, url: str, until: datetime) -> int:
    """Load two days of usage and how its calls went; return how many events were new."""
    async with temporary_operator_key(database, "test") as (key_id, secret):
        async with database.begin() as connection:
            member = await local_person(connection)
            opened = await open_tenants(
                connection, actor=key_id, start=until - timedelta(days=2), member=member
            )
        events = all_events(opened, until=until, seed=1)
        new = 0
        async with AsyncFareboxClient(url, secret) as client:
            for tenant_events in events.values():
                new += await send(client, tenant_events, lambda _: None)
        async with asyncio.timeout(60):
            await until_counted(database, events, lambda _: None)
    await measure(database, opened, events, seed=1, now=until, log_days=30)
    return new


async def totals(database: Database) -> tuple[int, Decimal]:
    async with database.begin() as connection:
        count = await connection.scalar(select(func.count()).where(events.c.source == SOURCE))
        return count or 0, await connection.scalar(select(func.sum(rollups.c.quantity))) or Decimal(
            0
        )


async def calls_measured(database: Database) -> dict[str, int]:
    """How many calls are measured and logged, by where."""
    async with database.begin() as connection:
        by_tenant = await connection.execute(
            select(call_measures.c.status, func.sum(call_measures.c.calls)).group_by(
                call_measures.c.status
            )
        )
        hours = await connection.execute(
            select(func.sum(model_hours.c.answered), func.sum(model_hours.c.failed))
        )
        answered, failed = hours.one()
        timed = await connection.scalar(
            text("SELECT sum(times) FROM model_hours, unnest(total_counts) AS times")
        )
        logged = await connection.scalar(select(func.count()).select_from(gateway_requests))
    return {
        **{status: int(calls) for status, calls in by_tenant.all()},
        "answered by models": int(answered or 0),
        "failed by models": int(failed or 0),
        "timed of models": int(timed or 0),
        "logged": logged or 0,
    }


async def test_a_repeat_adds_only_what_is_new(database: Database, url: str, worker: None) -> None:
    now = datetime.now(UTC)
    first = await load(database, url, now - timedelta(hours=6))
    before = await totals(database)
    measured = await calls_measured(database)
    assert first == before[0] > 0
    assert await load(database, url, now - timedelta(hours=6)) == 0
    assert await totals(database) == before
    assert await calls_measured(database) == measured
    # The local model's are left out: how it performs is measured truly
    assert 0 < measured["answered by models"] < measured["completed"]
    assert measured["timed of models"] == measured["answered by models"]
    assert measured["failed by models"] <= measured["failed"]
    assert measured["logged"] > 0
    later = await load(database, url, now)
    after = await totals(database)
    assert later > 0
    grown = await calls_measured(database)
    assert grown["completed"] > measured["completed"]
    assert grown["logged"] > measured["logged"]
    assert after[0] == first + later
    assert after[1] > before[1]


async def test_the_local_developer_owns_the_samples_and_removal_takes_nothing_else(
    database: Database, url: str, worker: None
) -> None:
    async with database.begin() as connection:
        other = await create_tenant(connection, TenantCreate(slug="other", name="Other"))
    await load(database, url, datetime.now(UTC))
    async with database.begin() as connection:
        joined = await memberships(connection, await local_person(connection))
        assert [(membership.tenant.slug, membership.role) for membership in joined] == [
            (slug, Role.OWNER) for slug in SLUGS
        ]
        assert all(membership.tenant.is_sample for membership in joined)
        open_keys = select(func.count()).where(operator_keys.c.revoked_at.is_(None))
        assert await connection.scalar(open_keys) == 0
        hour = await connection.execute(select(model_hours).limit(1))
        sample_hour = dict(hour.mappings().one())
        # What somebody measures of the model beside the samples stays
        own = HourCounts(answered=2, total_counts=[0, 2] + [0] * (BUCKETS - 2))
        await add_hours(connection, {(sample_hour["hour"], sample_hour["model"]): own})
        samples = await sample_tenants(connection)
        await forget_measures(connection, samples)
        await remove_tenants(connection, samples)
    left = await calls_measured(database)
    assert left == {
        "answered by models": 2,
        "failed by models": 0,
        "timed of models": 2,
        "logged": 0,
    }
    assert await totals(database) == (0, Decimal(0))
    async with database.begin() as connection:
        assert list((await connection.execute(select(tenants.c.id))).scalars()) == [other.id]
    # At once again: the API may still remember the slugs of those that went
    again = await load(database, url, datetime.now(UTC))
    assert (await totals(database))[0] == again > 0


async def test_a_tenant_that_is_no_sample_is_left_alone(database: Database) -> None:
    async with database.begin() as connection:
        await create_tenant(connection, TenantCreate(slug="sample-chat", name="Not ours"))
    with pytest.raises(CommandError, match="not sample data"):
        async with database.begin() as connection:
            await sample_tenants(connection)


async def test_the_command_loads_and_removes(
    api_settings: Settings, url: str, worker: None, tmp_path: Path
) -> None:
    async def farebox(*arguments: str) -> str:
        environment = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "FAREBOX_HOME": str(tmp_path),
            "FAREBOX_API_PORT": url.rpartition(":")[2],
            "DATABASE_URL": str(api_settings.database_url),
            "NATS_URL": str(api_settings.nats_url),
        }
        done = await asyncio.to_thread(run_farebox, "demo", *arguments, environment=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    said = await farebox("--days", "1")
    assert "sample events are new. See them at" in said
    assert "were there already" in await farebox("--days", "1")
    assert "Removed sample-chat, sample-batch, sample-starter." in await farebox(
        "--remove", "--yes"
    )
    assert "no sample tenants" in await farebox("--remove", "--yes")
