"""Chargeback through the API and the client, as a person with the role billing."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend.subscriptions.changes import start_subscription
from backend_client import AsyncFareboxClient, Conflict, Forbidden, InvalidInput, NotFound
from backend_client.types.accounts import Role, Tenant
from backend_client.types.chargeback import (
    MonthState,
    PolicyPut,
    StatementPreview,
)
from backend_client.types.journals import JournalFormat
from tests.chargeback.divided import policy_of
from tests.support.billing import make_tenant
from tests.support.invoices import count, run_invoices, used

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC)
THIS = billing_period(NOW, "UTC")
LAST = billing_period(THIS.start - timedelta(days=1), "UTC")
MONTH = f"{LAST.start:%Y-%m-%d}"
POLICY = policy_of("eng/search", "eng/chat", mode="chargeback", shared=[{"split": "even"}])


@pytest.fixture
async def tenant(url: str, database: Database, api_settings: Settings) -> Tenant:
    """A tenant with usage in the last month, which is invoiced."""
    tenant = await make_tenant(database, slug="sample-customer", name="Sample")
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "pay-as-you-go", LAST.start)
    event = used(tenant, LAST.start, 1_000_000, "output_tokens")
    events = [
        replace(event, id=name, model="sample-large", application_id=name)
        for name in ("search", "chat", "other")
    ]
    await count(database, events)
    await run_invoices(database, api_settings, max(NOW, THIS.start + timedelta(days=1)))
    return tenant


async def signed_in(url: str, database: Database, tenant: Tenant, role: Role) -> AsyncFareboxClient:
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject=role, name=role, email=f"{role}@mail.example"
        )
        await add_member(connection, tenant.id, user, role)
        session = await begin_session(connection, user, tenant.id, seconds=600)
    return AsyncFareboxClient(url, session.token)


async def test_from_a_policy_to_the_files_of_a_closed_month(
    url: str, database: Database, tenant: Tenant
) -> None:
    async with await signed_in(url, database, tenant, Role.BILLING) as person:
        chargeback = person.chargeback
        [running, last] = await chargeback.months().all()
        assert (running.state, last.state, last.has_policy) == (
            MonthState.RUNNING,
            MonthState.OPEN,
            False,
        )
        shown = await chargeback.preview(StatementPreview(policy=POLICY))
        assert f"{shown.month}" == MONTH
        with pytest.raises(NotFound):
            await chargeback.policies.get(MONTH)
        kept = await chargeback.policies.put(MONTH, PolicyPut(policy=POLICY))
        assert (kept.revision, kept.locked) == (1, False)
        again = await chargeback.policies.put(MONTH, PolicyPut(policy=POLICY))
        assert again == kept == await chargeback.policies.get(MONTH)
        wrong = POLICY.model_copy(update={"units": POLICY.units[1:]})
        with pytest.raises(InvalidInput) as refused:
            await chargeback.policies.put(MONTH, PolicyPut(policy=wrong, revision=1))
        assert refused.value.errors[0].field == "units.0.parent"
        statement = await chargeback.statement(MONTH)
        assert statement.model_copy(update={"has_policy": True}) == shown
        [invoice] = [each for each in await person.invoices.list().all() if each.number]
        assert statement.invoices == [invoice.number]
        assert statement.cost.amount + statement.tax.amount == invoice.total.amount
        assert statement.unallocated.amount > 0
        with pytest.raises(Conflict, match="Close the month first"):
            await chargeback.journal(MONTH)
        closed = await chargeback.close(MONTH)
        assert (closed.state, closed.cost) == (MonthState.CLOSED, statement.cost)
        assert await chargeback.close(MONTH) == closed
        with pytest.raises(Conflict):
            await chargeback.close(f"{THIS.start:%Y-%m-%d}")
        with pytest.raises(Conflict, match="closed until"):
            await chargeback.policies.delete(MONTH)
        assert (await chargeback.policies.list().all())[0].locked
        later = f"{THIS.start:%Y-%m-%d}"
        await chargeback.policies.put(later, PolicyPut(policy=POLICY))
        await chargeback.policies.delete(later)
        async with database.begin() as connection:
            query = select(audit_entries.c.action).order_by(audit_entries.c.id)
            acts = list(await connection.scalars(query))
        assert list(dict.fromkeys(act for act in acts if act.startswith("chargeback."))) == [
            "chargeback.policy",
            "chargeback.close",
            "chargeback.policy-remove",
        ]

        lines = await chargeback.lines(MONTH, limit=2).all()
        assert sum(line.cost.amount for line in lines) == closed.cost.amount + closed.tax.amount
        nobody = await chargeback.lines(MONTH, unit="").all()
        assert sum(line.cost.amount for line in nobody) == closed.unallocated.amount
        assert {line.path[-1] for line in await chargeback.lines(MONTH, unit="eng").all()} == {
            "chat",
            "search",
        }
        assert (await chargeback.pdf(MONTH)).startswith(b"%PDF")
        table = list(csv.DictReader(io.StringIO(await chargeback.csv(MONTH))))
        assert sum(Decimal(row["cost"]) for row in table) == closed.cost.amount
        rows = list(csv.DictReader(io.StringIO(await chargeback.focus(MONTH))))
        assert sum(Decimal(row["BilledCost"]) for row in rows) == invoice.total.amount
        assert {row["ConsumedUnit"] for row in rows if row["ConsumedUnit"]} == {"Tokens"}
        for form in (JournalFormat.CSV, JournalFormat.QUICKBOOKS, JournalFormat.XERO):
            assert b"CB-" in await chargeback.journal(MONTH, format=form)
        with pytest.raises(InvalidInput, match="needed for DATEV"):
            await chargeback.journal(MONTH, format=JournalFormat.DATEV)


async def test_who_may(url: str, database: Database, tenant: Tenant) -> None:
    async with await signed_in(url, database, tenant, Role.DEVELOPER) as developer:
        assert len(await developer.chargeback.months().all()) == 2
        with pytest.raises(Forbidden):
            await developer.chargeback.policies.put(MONTH, PolicyPut(policy=POLICY))
        with pytest.raises(Forbidden):
            await developer.chargeback.close(MONTH)
    async with await signed_in(url, database, tenant, Role.VIEWER) as viewer:
        with pytest.raises(Forbidden):
            await viewer.chargeback.statement(MONTH)


async def test_nobody_else_sees_a_month(api: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await api.get(f"/v1/chargeback/months/{MONTH}")).status_code == 401
