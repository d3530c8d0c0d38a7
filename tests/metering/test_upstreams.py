"""Which upstream served: on the event, a dimension of usage, and the seller's business alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from backend.metering.counting.batches import count_events
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent, bucket_start
from backend.storage.database import Database
from tests.support.tenants import Headers, SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC).replace(microsecond=0)
SPAN = {
    "start": bucket_start(NOW - timedelta(days=2)).isoformat(),
    "end": bucket_start(NOW + timedelta(days=1)).isoformat(),
    "granularity": "total",
}


@pytest.fixture
async def tenant(app: FastAPI, database: Database) -> SampleTenant:
    return await sample_tenant(database)


async def count(database: Database, tenant: SampleTenant, **tokens: int) -> None:
    """Count an event of each upstream, ``unnamed`` of none, of so many tokens."""
    served = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=f"call-{place}",
            time=NOW,
            received_at=NOW,
            application_id=tenant.application,
            model="model-a",
            upstream="" if upstream == "unnamed" else upstream,
            quantities={"input_tokens": Decimal(quantity)},
        )
        for place, (upstream, quantity) in enumerate(tokens.items())
    ]
    async with database.raw() as connection:
        await count_events(connection, served)


async def by_upstream(
    api: httpx.AsyncClient, headers: Headers, tenant: SampleTenant, **asked: Any
) -> dict[str | None, str]:
    at = f"/v1/tenants/{tenant.slug}/usage"
    params = SPAN | {"group_by": "upstream"} | asked
    answer = await api.get(at, headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    return {row["upstream"]: row["quantity"] for row in answer.json()["rows"]}


async def test_two_providers_of_one_model_are_told_apart(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, tenant, azure=7, openai=5, unnamed=3)
    assert await by_upstream(api, operator, tenant) == {None: "3", "azure": "7", "openai": "5"}
    # By days, which are summed by themselves, and by quarter hours
    for granularity in ("day", "quarter_hour"):
        rows = await by_upstream(api, operator, tenant, granularity=granularity)
        assert rows == {None: "3", "azure": "7", "openai": "5"}
    assert await by_upstream(api, operator, tenant, upstream="azure") == {"azure": "7"}
    assert await by_upstream(api, operator, tenant, upstream="") == {None: "3"}
    at = f"/v1/tenants/{tenant.id}/usage"
    table = SPAN | {"group_by": ["model", "upstream"], "format": "csv", "upstream": "openai"}
    lines = (await api.get(at, headers=operator, params=table)).text.splitlines()
    assert lines[0] == "start,application,key,model,meter,quantity,event_count,upstream"
    assert lines[1].endswith(",,,model-a,input_tokens,5,1,openai")


async def test_a_customer_learns_nothing_of_who_served(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, tenant, azure=7, openai=5)
    amended = {
        "id": "c1",
        "event": {"source": "test", "id": "call-0"},
        "action": "amend",
        "data": {
            "application": tenant.application,
            "model": "model-b",
            "quantities": {"input_tokens": 8},
        },
        "reason": "recount",
    }
    body = {"tenant": tenant.id, "corrections": [amended]}
    changed = await api.post("/v1/corrections", headers=operator, json=body)
    assert {change["upstream"] for change in changed.json()["changes"]} == {"azure"}

    for asked in ({"group_by": "upstream"}, {"upstream": "azure"}):
        refused = await api.get("/v1/usage", headers=tenant.headers, params=SPAN | asked)
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_missing")
    refused = await api.get("/v1/events?upstream=azure", headers=tenant.headers)
    assert refused.status_code == 403
    seen = [
        await api.get("/v1/usage", headers=tenant.headers, params=SPAN | {"group_by": "model"}),
        await api.get("/v1/usage?format=csv", headers=tenant.headers),
        await api.get("/v1/events", headers=tenant.headers),
        await api.get("/v1/events/tail?seconds=0", headers=tenant.headers),
        await api.get("/v1/corrections", headers=tenant.headers),
    ]
    assert [answer.status_code for answer in seen] == [200] * 5
    assert not [answer.text for answer in seen if "azure" in answer.text or "openai" in answer.text]

    # The operator sees it: an amendment that names none keeps it
    at = f"/v1/tenants/{tenant.id}"
    [event] = (await api.get(f"{at}/events?upstream=azure", headers=operator)).json()["items"]
    assert (event["upstream"], event["model"]) == ("azure", "model-b")
    [correction] = (await api.get(f"{at}/corrections", headers=operator)).json()["items"]
    assert (correction["before"]["upstream"], correction["after"]["upstream"]) == ("azure", "azure")
    assert await by_upstream(api, operator, tenant) == {"azure": "8", "openai": "5"}


async def test_an_amendment_moves_usage_to_another_upstream(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, tenant, azure=7)
    data = {
        "application": tenant.application,
        "model": "model-a",
        "upstream": "openai",
        "quantities": {"input_tokens": 7},
    }
    amended = {
        "id": "c1",
        "event": {"source": "test", "id": "call-0"},
        "action": "amend",
        "data": data,
        "reason": "it failed over",
    }
    body = {"tenant": tenant.id, "corrections": [amended]}
    assert (await api.post("/v1/corrections", headers=operator, json=body)).status_code == 200
    assert await by_upstream(api, operator, tenant) == {"openai": "7"}
    async with database.raw() as connection:
        wrong = [day.wrong async for day in rebuild_usage(connection, tenant.id, repair=False)]
    assert sum(wrong) == 0


async def test_only_the_seller_names_who_served(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    tenant: SampleTenant,
    worker: None,
) -> None:
    sent = tenant.event("1", data__upstream="azure")
    refused = (await api.post("/v1/events", headers=tenant.headers, json=[sent])).json()
    assert (refused["accepted"], refused["errors"][0]["field"]) == (0, "data.upstream")
    verdict = (await api.post("/v1/events", headers=operator, json=sent)).json()
    assert verdict["accepted"] == 1

    async def is_counted() -> bool:
        return await by_upstream(api, operator, tenant) == {"azure": "1"}

    await until(is_counted)
    again = [sent, tenant.event("1", time=sent["time"], data__upstream="openai")]
    verdicts = [
        (await api.post("/v1/events", headers=operator, json=event)).json() for event in again
    ]
    assert [(verdict["duplicates"], verdict["conflicts"]) for verdict in verdicts] == [
        (1, 0),
        (1, 1),
    ]
