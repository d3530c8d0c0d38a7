"""Events that are voided or amended, before and after they are counted, and usage that follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select

from backend.metering.counting.batches import count_events
from backend.metering.counting.labels import declare_label, withdraw_label
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from backend.storage.tables import audit_entries, rollups
from tests.support.tenants import Headers, SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def tenant(app: object, database: Database) -> SampleTenant:
    return await sample_tenant(database)


def event(tenant: SampleTenant, name: str, **quantities: object) -> AcceptedEvent:
    return AcceptedEvent(
        tenant_id=tenant.id,
        source="test",
        id=name,
        time=NOW,
        received_at=NOW,
        application_id=tenant.application,
        model="model-a",
        quantities={meter: Decimal(str(value)) for meter, value in quantities.items()},
    )


async def count(database: Database, *events: AcceptedEvent) -> None:
    async with database.raw() as connection:
        await count_events(connection, events)


def void(name: str, of: str = "1") -> dict[str, Any]:
    return {
        "id": name,
        "event": {"source": "test", "id": of},
        "action": "void",
        "reason": "sent by mistake",
    }


def amend(tenant: SampleTenant, name: str, of: str = "1", **quantities: object) -> dict[str, Any]:
    data = {"application": tenant.application, "model": "model-b", "quantities": quantities}
    return void(name, of) | {"action": "amend", "data": data}


async def correct(
    api: httpx.AsyncClient,
    operator: Headers,
    tenant: SampleTenant,
    *corrections: dict[str, Any],
    **params: str,
) -> dict[str, Any]:
    body = {"tenant": tenant.slug, "corrections": list(corrections)}
    answer = await api.post("/v1/corrections", headers=operator, json=body, params=params)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()
    return result


async def usage(database: Database) -> dict[tuple[str, str], tuple[Decimal, int]]:
    async with database.begin() as connection:
        rows = await connection.execute(
            select(rollups.c.model, rollups.c.meter, rollups.c.quantity, rollups.c.event_count)
        )
        return {(model, meter): (quantity, n) for model, meter, quantity, n in rows}


async def differences(database: Database, tenant: SampleTenant) -> int:
    async with database.raw() as connection:
        days = rebuild_usage(connection, tenant.id, repair=False)
        return sum([day.wrong async for day in days])


async def test_a_voided_event_counts_for_nothing_and_stays_on_record(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, event(tenant, "1", input_tokens="0.1"), event(tenant, "2", requests=1))
    result = await correct(api, operator, tenant, void("c1"))
    assert result["corrections"] == [{"id": "c1", "state": "applied"}]
    (change,) = result["changes"]
    assert (change["meter"], change["quantity"], change["event_count"]) == (
        "input_tokens",
        "-0.1",
        -1,
    )
    assert await usage(database) == {("model-a", "requests"): (Decimal(1), 1)}
    assert await differences(database, tenant) == 0
    listed = (await api.get("/v1/events", headers=tenant.headers)).json()["items"]
    assert {row["id"]: (row["voided"], row["quantities"]) for row in listed} == {
        "1": (True, {"input_tokens": "0.1"}),
        "2": (False, {"requests": "1"}),
    }
    (on_record,) = (await api.get("/v1/corrections", headers=tenant.headers)).json()["items"]
    assert on_record["before"]["quantities"] == {"input_tokens": "0.1"}
    assert (on_record["after"], on_record["reason"]) == (None, "sent by mistake")
    async with database.begin() as connection:
        actions = await connection.scalars(select(audit_entries.c.action))
        assert "event.void" in actions.all()


@pytest.mark.parametrize("withdrawn", [False, True], ids=["declared", "withdrawn"])
async def test_what_was_counted_by_other_labels_is_taken_away_where_it_is(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    tenant: SampleTenant,
    withdrawn: bool,
) -> None:
    """The old event and the new one are in one quarter hour, under two sets of labels."""

    async def change_labels(declared: bool) -> None:
        async with database.begin() as connection:
            change = declare_label if declared else withdraw_label
            await change(connection, tenant.id, "team")

    old, new = (
        msgspec.structs.replace(event(tenant, name, input_tokens=used), labels={"team": "red"})
        for name, used in (("1", 7), ("2", 5))
    )
    if withdrawn:
        await change_labels(declared=True)
    await count(database, old)
    await change_labels(declared=not withdrawn)
    await count(database, new)
    await correct(api, operator, tenant, void("c1"))
    assert await usage(database) == {("model-a", "input_tokens"): (Decimal(5), 1)}
    assert await differences(database, tenant) == 0


async def test_more_can_not_be_taken_away_than_is_there(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, event(tenant, "1", input_tokens=7), event(tenant, "2", requests=1))
    async with database.raw() as connection:
        await connection.execute("UPDATE rollups SET quantity = 5 WHERE meter = 'input_tokens'")
        await connection.execute("DELETE FROM rollups WHERE meter = 'requests'")
    for of in ("1", "2"):
        body = {"tenant": tenant.id, "corrections": [void(f"c{of}", of=of)]}
        answer = await api.post("/v1/corrections", headers=operator, json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "rollups_incomplete")
        assert "farebox usage rebuild" in answer.json()["detail"]


async def test_the_last_correction_rules_and_a_repeated_one_changes_nothing(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, event(tenant, "1", input_tokens=5))
    await correct(api, operator, tenant, void("c1"))
    await correct(api, operator, tenant, amend(tenant, "c2", input_tokens="7.5", images=2))
    await correct(api, operator, tenant, amend(tenant, "c3", images=1))
    again = await correct(api, operator, tenant, void("c1"))
    assert again["corrections"] == [{"id": "c1", "state": "repeated"}]
    assert again["changes"] == []
    assert await usage(database) == {("model-b", "images"): (Decimal(1), 1)}
    assert await differences(database, tenant) == 0
    other = void("c1", of="2")
    body = {"tenant": tenant.id, "corrections": [other]}
    clash = await api.post("/v1/corrections", headers=operator, json=body)
    assert (clash.status_code, clash.json()["code"]) == (409, "correction_id_reused")


async def test_a_correction_waits_for_its_event(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    waiting = [amend(tenant, "c1", images=9), void("c2"), amend(tenant, "c3", of="2", images=1)]
    result = await correct(api, operator, tenant, *waiting)
    assert {correction["state"] for correction in result["corrections"]} == {"pending"}
    await count(database, event(tenant, "1", images=3), event(tenant, "2", images=4))
    assert await usage(database) == {("model-b", "images"): (Decimal(1), 1)}
    assert await differences(database, tenant) == 0
    await count(database, event(tenant, "1", images=3))
    await correct(api, operator, tenant, amend(tenant, "c4", images=2))
    assert await usage(database) == {("model-b", "images"): (Decimal(3), 2)}


async def test_a_preview_tells_usage_and_spend_and_changes_nothing(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, event(tenant, "1", input_tokens=1000))
    before = await usage(database)
    result = await correct(
        api, operator, tenant, amend(tenant, "c1", input_tokens=2500), preview="true"
    )
    assert result["preview"] is True
    assert [(change["model"], change["quantity"]) for change in result["changes"]] == [
        ("model-a", "-1000"),
        ("model-b", "2500"),
    ]
    assert [period["invoices"] for period in result["spend"]] == [[]]
    assert await usage(database) == before
    assert (await api.get("/v1/corrections", headers=tenant.headers)).json()["items"] == []


async def test_a_backfill_is_previewed(
    api: httpx.AsyncClient, operator: Headers, database: Database, tenant: SampleTenant
) -> None:
    await count(database, event(tenant, "1", requests=1))
    past = (NOW - timedelta(days=40)).isoformat()
    members = [
        tenant.event("1"),
        tenant.event("2", time=past),
        tenant.event("3", time=past, data__quantities={"requests": 2}),
        tenant.event("4", time="never"),
    ]
    answer = await api.post("/v1/events/preview", headers=operator, json=members)
    assert answer.status_code == 200, answer.text
    preview = answer.json()
    assert {name: preview["verdict"][name] for name in ("accepted", "duplicates", "rejected")} == {
        "accepted": 2,
        "duplicates": 1,
        "rejected": 1,
    }
    assert [(change["quantity"], change["event_count"]) for change in preview["changes"]] == [
        ("3", 2)
    ]
    assert len(preview["spend"]) == 1
    assert await usage(database) == {("model-a", "requests"): (Decimal(1), 1)}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"action": "amend"}, 422),
        ({"reason": "  "}, 422),
        ({"event": {"id": "1"}}, 422),
        (
            {
                "action": "amend",
                "data": {"application": "app_x", "model": "m", "quantities": {"requests": 1}},
            },
            422,
        ),
    ],
)
async def test_a_correction_that_can_not_be_is_a_problem(
    api: httpx.AsyncClient,
    operator: Headers,
    tenant: SampleTenant,
    change: dict[str, Any],
    status: int,
) -> None:
    body = {"tenant": tenant.id, "corrections": [void("c1") | change]}
    answer = await api.post("/v1/corrections", headers=operator, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"]


async def test_only_the_operator_corrects(
    api: httpx.AsyncClient, operator: Headers, tenant: SampleTenant
) -> None:
    body = {"tenant": tenant.id, "corrections": [void("c1")]}
    answer = await api.post("/v1/corrections", headers=tenant.headers, json=body)
    assert answer.status_code == 403
    unnamed = {"corrections": [void("c1")]}
    answer = await api.post("/v1/corrections", headers=operator, json=unnamed)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "tenant")
    nobody = {"tenant": "ten_x", "corrections": [void("c1")]}
    assert (await api.post("/v1/corrections", headers=operator, json=nobody)).status_code == 404
