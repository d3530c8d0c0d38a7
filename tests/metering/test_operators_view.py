"""What the operator sees of a tenant's events: as the tenant does, with who corrected them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.storage.database import Database
from tests.support.invoices import run_invoices
from tests.support.tenants import Headers, SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC)


@pytest.fixture
async def tenant(app: object, database: Database) -> SampleTenant:
    return await sample_tenant(database)


async def count(database: Database, tenant_id: str, application: str) -> None:
    now = datetime.now(UTC)  # not before the tenant had its plan
    events = [
        AcceptedEvent(
            tenant_id=tenant_id,
            source="test",
            id=str(number),
            time=now,
            received_at=now,
            application_id=application,
            model=("sample-small", "sample-large")[number % 2],
            quantities={"input_tokens": Decimal(10_000_000)},
        )
        for number in range(3)
    ]
    async with database.raw() as connection:
        await count_events(connection, events)


def void(tenant: str, correction: str = "v") -> dict[str, object]:
    change = {
        "id": correction,
        "event": {"source": "test", "id": "0"},
        "action": "void",
        "reason": "twice",
    }
    return {"tenant": tenant, "corrections": [change]}


async def test_the_operator_reads_as_the_tenant_does(
    api: httpx.AsyncClient, database: Database, operator: Headers, tenant: SampleTenant
) -> None:
    await count(database, tenant.id, tenant.application)
    answer = await api.post("/v1/corrections", headers=operator, json=void(tenant.id))
    assert answer.status_code == 200, answer.text
    for what, asked in (
        ("events", {}),
        ("events", {"model": "sample-large"}),
        ("corrections", {}),
        ("corrections", {"source": "none"}),
        ("applications", {}),
    ):
        own = await api.get(f"/v1/{what}", headers=tenant.headers, params=asked)
        for named in (tenant.id, tenant.slug):
            seen = await api.get(f"/v1/tenants/{named}/{what}", headers=operator, params=asked)
            assert seen.status_code == 200, seen.text
            assert seen.json() == own.json()
        nobody = await api.get(f"/v1/tenants/ten_x/{what}", headers=operator, params=asked)
        assert nobody.status_code == 404


async def test_a_correction_names_the_person_who_made_it(
    api: httpx.AsyncClient, database: Database, session: Headers, operator: Headers
) -> None:
    me = (await api.get("/v1/me", headers=session)).json()
    (application,) = (await api.get("/v1/applications", headers=session)).json()["items"]
    await count(database, me["tenant"]["id"], application["id"])
    for headers, correction in ((session, "by-person"), (operator, "by-key")):
        body = void("local", correction)
        answer = await api.post("/v1/corrections", headers=headers, json=body)
        assert answer.status_code == 200, answer.text
    by_key, by_person = (await api.get("/v1/corrections", headers=session)).json()["items"]
    assert (by_person["actor"], by_person["actor_name"]) == (me["user_id"], me["name"])
    assert by_key["actor_name"] is None


async def test_a_preview_names_the_invoices_that_stay(
    api: httpx.AsyncClient, api_settings: Settings, database: Database, operator: Headers
) -> None:
    wanted = {"slug": "billed", "name": "Billed", "plan": "pay-as-you-go"}
    tenant = (await api.post("/v1/tenants", headers=operator, json=wanted)).json()["id"]
    applications = await api.get(f"/v1/tenants/{tenant}/applications", headers=operator)
    await count(database, tenant, applications.json()["items"][0]["id"])

    async def invoices() -> list[str]:
        body = void(tenant)
        params = {"preview": "true"}
        answer = await api.post("/v1/corrections", headers=operator, json=body, params=params)
        (period,) = answer.json()["spend"]
        numbers: list[str] = period["invoices"]
        return numbers

    assert await invoices() == []
    await run_invoices(database, api_settings, NOW + timedelta(days=40))
    listed = (await api.get(f"/v1/tenants/{tenant}/invoices", headers=operator)).json()["items"]
    (issued,) = [invoice for invoice in listed if invoice["number"]]
    assert await invoices() == [issued["number"]]
    url = f"/v1/tenants/{tenant}/invoices/{issued['id']}/void"
    assert (await api.post(url, headers=operator, json={"reason": "test"})).status_code == 200
    assert await invoices() == []
