"""Refused events are listed by tenant and day: for the tenant its own, for the operator all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from backend.metering.refusals import writing
from backend.metering.refusals.refusal import Refusal
from backend.metering.refusals.tally import OTHER, RefusalTally
from backend.metering.refusals.worker import RefusalsWorker
from backend.metering.refusals.writing import RefusalWriter
from backend.storage.database import Database
from backend.storage.tables import refused_events, tenants
from tests.support.tenants import Headers, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC)
Rows = list[dict[str, Any]]


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API writes its tally at once. Ask for this before the API."""
    monkeypatch.setattr(writing, "WRITE_SECONDS", 0.02)


async def listed(api: httpx.AsyncClient, headers: Headers, path: str, **asked: Any) -> Rows:
    answer = await api.get(path, headers=headers, params=asked)
    assert answer.status_code == 200, answer.text
    rows: Rows = answer.json()["items"]
    return rows


async def test_each_sees_what_was_refused_of_its_own(
    often: None, api: httpx.AsyncClient, database: Database, operator: Headers
) -> None:
    tenant, other = await sample_tenant(database), await sample_tenant(database, "other")

    async def send(headers: Headers, *members: Any, **more: str) -> int:
        answer = await api.post("/v1/events", headers=headers | more, json=list(members))
        return answer.status_code

    late = (NOW - timedelta(days=900)).isoformat()
    secret = {"prompt": "a secret text"}
    wrong = tenant.event("3", source="job", time=late, data__labels=secret)
    assert await send(tenant.headers, tenant.event("1"), tenant.event("2", time=late), wrong) == 202
    assert await send(tenant.headers, other.event("4")) == 202
    assert await send(operator, other.event("5", data__quantities={}), {"id": "6"}) == 202
    assert await send(operator, tenant.event("7", subject="nobody")) == 202
    assert await send(tenant.headers, **{"content-type": "text/xml"}) == 415

    async def written() -> bool:
        rows = await listed(api, operator, "/v1/pipeline/refused-events")
        return sum(row["event_count"] for row in rows) == 7

    await until(written)
    own = {
        (row["field"], row["event_count"], row["sample_id"], row["sample_source"])
        for row in await listed(api, tenant.headers, "/v1/refused-events")
    }
    assert own == {
        ("time", 2, "3", "job"),
        ("subject", 1, "4", "test"),
        (None, 1, None, None),
    }
    [foreign] = await listed(api, other.headers, "/v1/refused-events")
    assert (foreign["field"], foreign["sender"], foreign["credential"]) == (
        "data.quantities",
        "operator",
        None,
    )
    [seen] = await listed(api, operator, "/v1/tenants/other/refused-events")
    assert (seen["id"], seen["tenant"]) == (foreign["id"], "other")
    assert seen["credential"].startswith("key_")
    everything = await listed(api, operator, "/v1/pipeline/refused-events")
    assert "a secret text" not in str(everything)
    assert {row["tenant"] for row in everything} == {"sample", "other", None}
    today = datetime.now(UTC).date()
    assert await listed(api, operator, "/v1/pipeline/refused-events", day=f"{today}") == everything
    yesterday = today - timedelta(days=1)
    assert await listed(api, tenant.headers, "/v1/refused-events", day=f"{yesterday}") == []
    for path in ("/v1/pipeline/refused-events", "/v1/tenants/other/refused-events"):
        assert (await api.get(path, headers=tenant.headers)).status_code == 403
    # In pages, each row once
    cursor, ids = None, []
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = await api.get("/v1/pipeline/refused-events", headers=operator, params=asked)
        ids += [row["id"] for row in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    assert ids == [row["id"] for row in everything]
    wrong_cursor = await api.get(
        "/v1/refused-events", headers=tenant.headers, params={"cursor": "bm8"}
    )
    assert wrong_cursor.status_code == 422


async def test_a_tenant_whose_events_are_switched_off_sees_it(
    often: None, api: httpx.AsyncClient, database: Database
) -> None:
    tenant = await sample_tenant(database)
    async with database.begin() as connection:
        await connection.execute(update(tenants).values(ingest=False))
    members = [tenant.event("1"), tenant.event("2")]
    answer = await api.post("/v1/events", headers=tenant.headers, json=members)
    assert answer.status_code == 403

    async def counted() -> bool:
        rows = await listed(api, tenant.headers, "/v1/refused-events")
        return [row["event_count"] for row in rows] == [2]

    await until(counted)


def note(tally: RefusalTally, tenant_id: str | None, detail: str, *, day: int = 0) -> None:
    moment = NOW - timedelta(days=day)
    tally.note(tenant_id, "tenant", "key_1", Refusal("1", "time", detail), moment)


async def stored(database: Database) -> dict[str, int]:
    async with database.begin() as connection:
        rows = await connection.execute(
            select(refused_events.c.detail, func.sum(refused_events.c.event_count)).group_by(
                refused_events.c.detail
            )
        )
        return {detail: int(events) for detail, events in rows}


async def test_a_flood_of_reasons_fills_no_table(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_REASONS", 5)
    tenant = await sample_tenant(database)
    tally = RefusalTally()
    writer = RefusalWriter(database, tally)
    for flood in range(3):
        for number in range(50):
            note(tally, tenant.id, f"{'x' * flood} {'y' * number}")
            note(tally, None, f"{'x' * flood} {'y' * number}")
        await writer.write()
    for _ in range(3):
        note(tally, tenant.id, f"{'x' * 0} {'y' * 0}")  # of those that are told apart
    await writer.write()
    counts = await stored(database)
    assert sum(counts.values()) == 303
    assert counts[OTHER] == 300 - 3 * 2 * 5 + 2 * 2 * 5
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(refused_events)) == 12


async def test_what_can_not_be_written_is_written_later_and_what_never_can_is_let_go(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await sample_tenant(database)
    tally = RefusalTally()
    writer = RefusalWriter(database, tally)
    written = writing.add_refused

    async def away(*_: object) -> None:
        raise OperationalError("", {}, ConnectionRefusedError(), connection_invalidated=True)

    async def faulty(*_: object) -> None:
        raise ValueError("a fault of ours")

    note(tally, tenant.id, "first")
    monkeypatch.setattr(writing, "add_refused", away)
    await writer.write()
    monkeypatch.setattr(writing, "add_refused", written)
    note(tally, tenant.id, "first")
    note(tally, "ten_removed", "of a tenant that is gone")
    await writer.write()
    await writer.write()  # nothing is counted twice
    assert await stored(database) == {"first": 2}
    note(tally, tenant.id, "second")
    monkeypatch.setattr(writing, "add_refused", faulty)
    await writer.write()
    assert tally.take() == []


async def test_old_days_go(database: Database) -> None:
    tenant = await sample_tenant(database)
    tally = RefusalTally()
    for day in range(5):
        note(tally, tenant.id, f"on day x{'x' * day}", day=day)
    await RefusalWriter(database, tally).write()
    await RefusalsWorker(database, 2).remove_old()
    assert set(await stored(database)) == {"on day x", "on day xx"}
    await RefusalsWorker(database, 0).remove_old()
    assert await stored(database) == {}
