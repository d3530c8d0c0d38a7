"""Who sends an event is part of what it is: a customer's never stands in the place of the seller's.

Forged, pre-empted and colliding events, from each kind of credential.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from sqlalchemy import func, select

from backend.metering.counting.batches import count_events
from backend.metering.events import GATEWAY_SOURCE, AcceptedEvent, decode, encode
from backend.metering.tokens.drift import compute_day
from backend.storage.database import Database
from backend.storage.tables import api_keys, audit_entries, events, rollups, token_drift
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import TenantChange
from backend_client.types.operator_keys import OperatorScope
from tests.support.operators import operator_secret
from tests.support.tenants import Headers, SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture
async def tenant(app: FastAPI, database: Database, worker: None) -> SampleTenant:
    return await sample_tenant(database)


@pytest.fixture
async def client(url: str, operator: Headers) -> AsyncIterator[AsyncFareboxClient]:
    secret = operator["authorization"].removeprefix("Bearer ")
    async with AsyncFareboxClient(url, secret) as client:
        yield client


async def send(api: httpx.AsyncClient, headers: Headers, *sent: dict[str, Any]) -> dict[str, Any]:
    answer = await api.post("/v1/events", headers=headers, json=list(sent))
    assert answer.status_code == 202, answer.text
    verdict: dict[str, Any] = answer.json()
    return verdict


async def counted(database: Database, count: int) -> Decimal:
    """The sum of what is counted, once there are so many events."""

    async def there() -> bool:
        async with database.begin() as connection:
            return await connection.scalar(select(func.count()).select_from(events)) == count

    await until(there)
    async with database.begin() as connection:
        return Decimal(await connection.scalar(select(func.sum(rollups.c.quantity))) or 0)


async def test_a_customer_can_not_pre_empt_what_the_seller_sends(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant, database: Database
) -> None:
    """A zero under an id that could be guessed took the place of the real event."""
    same = {"source": "model-server"}
    forged = tenant.event("call-1001", **same, data__quantities={"input_tokens": 0})
    real = tenant.event("call-1001", **same, data__quantities={"input_tokens": 600_000})
    assert (await send(api, tenant.headers, forged))["accepted"] == 1
    assert await counted(database, 1) == 0
    verdict = await send(api, operator, real)
    assert (verdict["accepted"], verdict["duplicates"]) == (1, 0)
    assert await counted(database, 2) == 600_000
    # Each counts once among its own sender's
    assert (await send(api, tenant.headers, forged))["duplicates"] == 1
    assert (await send(api, operator, real))["duplicates"] == 1

    listed = (await api.get("/v1/events", headers=tenant.headers)).json()["items"]
    assert sorted(item["sender"] for item in listed) == ["operator", "tenant"]
    only = await api.get("/v1/events?sender=operator", headers=tenant.headers)
    [item] = only.json()["items"]
    assert item["quantities"] == {"input_tokens": "600000"}


async def test_no_other_credential_sends_events(
    api: httpx.AsyncClient,
    operator: Headers,
    session: Headers,
    tenant: SampleTenant,
    database: Database,
) -> None:
    """A person who owns a tenant, and keys that call or read, can't forge or pre-empt either."""
    me = (await api.get("/v1/me", headers=session)).json()
    applications = (await api.get("/v1/applications", headers=session)).json()["items"]
    own = {"subject": me["tenant"]["id"], "data__application": applications[0]["id"]}
    credentials = []
    for scope in ("inference", "usage:read"):
        wanted = {"name": scope, "application_id": applications[0]["id"], "scopes": [scope]}
        secret = (await api.post("/v1/keys", headers=session, json=wanted)).json()["secret"]
        credentials.append({"authorization": f"Bearer {secret}"})
    async with database.begin() as connection:
        for operator_scope in (OperatorScope.READ, OperatorScope.BILLING, OperatorScope.ADMIN):
            secret = await operator_secret(connection, scopes=[operator_scope])
            credentials.append({"authorization": f"Bearer {secret}"})
    for headers in credentials:
        for event in (tenant.event("1"), tenant.event("1", **own)):
            refused = await api.post("/v1/events", headers=headers, json=event)
            assert refused.status_code == 403, refused.text
    # And one tenant's key sends nothing in the name of another
    verdict = await send(api, tenant.headers, tenant.event("2", **own))
    assert verdict["accepted"] == 0


@pytest.mark.parametrize("source", [GATEWAY_SOURCE, "farebox:anything", "FAREBOX://gateway"])
async def test_nobody_but_the_gateway_uses_its_source(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant, source: str
) -> None:
    for headers in (tenant.headers, operator):
        verdict = await send(api, headers, tenant.event("1", source=source))
        assert verdict["accepted"] == 0
        [error] = verdict["errors"]
        assert (error["field"], error["detail"]) == ("source", "farebox: is reserved for Farebox")


async def test_a_key_must_be_the_tenants_own(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant, database: Database
) -> None:
    other = await sample_tenant(database, "other")
    async with database.begin() as connection:
        mine, foreign = [
            await connection.scalar(select(api_keys.c.id).where(api_keys.c.tenant_id == each.id))
            for each in (tenant, other)
        ]
    for headers in (tenant.headers, operator):
        name = headers["authorization"][-8:]
        verdict = await send(
            api,
            headers,
            tenant.event(f"{name}-1", data__key=mine),
            tenant.event(f"{name}-2", data__key=foreign),
            tenant.event(f"{name}-3", data__key="key_none"),
        )
        assert verdict["accepted"] == 1
        assert [(error["index"], error["field"]) for error in verdict["errors"]] == [
            (1, "data.key"),
            (2, "data.key"),
        ]


async def test_a_repeat_with_other_content_is_a_conflict(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant, database: Database
) -> None:
    first = tenant.event("1", data__quantities={"requests": 1})
    other = tenant.event("1", data__quantities={"requests": 999})
    await send(api, operator, first)
    await counted(database, 1)
    again = await send(api, operator, first)
    assert (again["duplicates"], again["conflicts"]) == (1, 0)
    changed = await send(api, operator, other)
    assert (changed["accepted"], changed["duplicates"], changed["conflicts"]) == (0, 1, 1)
    # Within one request too
    both = await send(
        api,
        operator,
        tenant.event("2", data__model="a"),
        tenant.event("2", data__model="b"),
        tenant.event("2", data__model="a"),
    )
    assert (both["accepted"], both["duplicates"], both["conflicts"]) == (1, 2, 1)
    metrics = (await api.get("/metrics", headers=operator)).text
    assert 'farebox_ingest_events_total{verdict="conflict"} 2.0' in metrics


async def test_a_correction_names_the_sender_where_there_are_two(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant, database: Database
) -> None:
    await send(api, tenant.headers, tenant.event("1", data__quantities={"requests": 3}))
    await send(api, operator, tenant.event("1", data__quantities={"requests": 40}))
    assert await counted(database, 2) == 43

    async def void(correction: str, **event: str) -> httpx.Response:
        body = {
            "id": correction,
            "event": {"source": "test", "id": "1", **event},
            "action": "void",
            "reason": "sent in error",
        }
        batch = {"tenant": tenant.id, "corrections": [body]}
        return await api.post("/v1/corrections", headers=operator, json=batch)

    unclear = await void("fix-1")
    assert (unclear.status_code, unclear.json()["code"]) == (409, "ambiguous_event")
    done = await void("fix-1", sender="tenant")
    assert done.json()["corrections"] == [{"id": "fix-1", "state": "applied"}]
    assert await counted(database, 2) == 40
    assert (await void("fix-1", sender="tenant")).json()["corrections"][0]["state"] == "repeated"
    listed = (await api.get("/v1/corrections", headers=tenant.headers)).json()["items"]
    assert [item["event"]["sender"] for item in listed] == ["tenant"]


async def test_a_correction_that_waits_is_applied_once_to_whoever_sends_the_event(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant, database: Database
) -> None:
    body = {
        "id": "fix-1",
        "event": {"source": "test", "id": "1"},
        "action": "void",
        "reason": "sent in error",
    }
    batch = {"tenant": tenant.id, "corrections": [body]}
    waiting = await api.post("/v1/corrections", headers=operator, json=batch)
    assert waiting.json()["corrections"][0]["state"] == "pending"
    await send(api, tenant.headers, tenant.event("1", data__quantities={"requests": 3}))
    assert await counted(database, 1) == 0
    await send(api, operator, tenant.event("1", data__quantities={"requests": 40}))
    assert await counted(database, 2) == 40


async def test_what_customers_send_is_not_in_the_sellers_drift(
    database: Database, tenant: SampleTenant
) -> None:
    now = datetime.now(UTC)
    quantities = {"input_tokens": Decimal(100)}
    mine = AcceptedEvent(
        tenant_id=tenant.id,
        sender="operator",
        source="test",
        id="1",
        time=now,
        received_at=now,
        application_id=tenant.application,
        model="large",
        quantities=quantities,
        counted=quantities,
    )
    theirs = msgspec.structs.replace(
        mine, sender="tenant", quantities={"input_tokens": Decimal(10**9)}
    )
    async with database.raw() as connection:
        assert (await count_events(connection, [mine, theirs])).new == 2
    async with database.begin() as connection:
        await compute_day(connection, now.date())
        rows = (await connection.execute(select(token_drift.c.reported))).scalars().all()
    assert rows == [100]


async def test_a_customers_own_ingest_is_switched_off_and_on(
    api: httpx.AsyncClient,
    operator: Headers,
    tenant: SampleTenant,
    client: AsyncFareboxClient,
    database: Database,
) -> None:
    changed = await client.tenants.update(tenant.id, TenantChange(ingest=False))
    assert not changed.ingest
    refused = await api.post("/v1/events", headers=tenant.headers, json=tenant.event("1"))
    assert (refused.status_code, refused.json()["code"]) == (403, "ingest_closed")
    # The seller's own services go on
    assert (await send(api, operator, tenant.event("2")))["accepted"] == 1
    await client.tenants.update(tenant.id, TenantChange(ingest=True))

    async def open_again() -> bool:
        answer = await api.post("/v1/events", headers=tenant.headers, json=tenant.event("3"))
        return answer.status_code == 202

    await until(open_again)
    async with database.begin() as connection:
        actions = await connection.scalars(
            select(audit_entries.c.action).where(audit_entries.c.tenant_id == tenant.id)
        )
    assert actions.all().count("tenant.change") == 2


def test_messages_from_before_senders_were_recorded_are_the_gateways_or_the_operators() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    old = {
        "tenant_id": "ten_1",
        "id": "1",
        "time": now,
        "received_at": now,
        "application_id": "app_1",
        "model": "m",
        "quantities": {"requests": "1"},
    }
    message = msgspec.json.encode([old | {"source": "s"}, old | {"source": GATEWAY_SOURCE}])
    decoded = decode(message)
    assert [event.sender for event in decoded] == ["operator", "gateway"]
    assert decode(encode(decoded)) == decoded
