"""Pages of events, the live tail, and usage told apart by declared labels."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.kit.pages import Cursor
from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent, bucket_start
from backend.storage.database import Database
from backend_client.types.accounts import Role
from tests.support.tenants import Headers, SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
async def tenant(app: object, database: Database) -> SampleTenant:
    return await sample_tenant(database)


def event(tenant: SampleTenant, number: int, **changes: Any) -> AcceptedEvent:
    values: dict[str, Any] = {
        "tenant_id": tenant.id,
        "source": "test",
        "id": f"{number:04}",
        "time": NOW - timedelta(seconds=number // 3),  # some at the same moment
        "received_at": datetime.now(UTC),
        "application_id": tenant.application,
        "model": f"model-{number % 2}",
        "key_id": f"key_{number % 3}",
        "quantities": {"requests": Decimal(1)} if number % 4 else {"images": Decimal("0.5")},
        "labels": {"team": f"team-{number % 2}"},
    }
    return AcceptedEvent(**{**values, **changes})


async def count(database: Database, *events: AcceptedEvent) -> None:
    async with database.raw() as connection:
        await count_events(connection, events)


async def pages(
    api: httpx.AsyncClient, tenant: SampleTenant, **asked: Any
) -> list[list[dict[str, Any]]]:
    pages = []
    cursor: str | None = None
    while True:
        params = asked | ({"cursor": cursor} if cursor else {})
        answer = await api.get("/v1/events", headers=tenant.headers, params=params)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return pages


async def test_pages_hold_every_event_once_newest_first(
    api: httpx.AsyncClient, database: Database, tenant: SampleTenant
) -> None:
    await count(database, *(event(tenant, number) for number in range(100)))
    other = await sample_tenant(database, "other")
    await count(database, event(other, 1))
    all_pages = await pages(api, tenant, limit=17)
    assert [len(page) for page in all_pages] == [17] * 5 + [15]
    listed = [row for page in all_pages for row in page]
    assert {row["id"] for row in listed} == {f"{number:04}" for number in range(100)}
    assert [row["time"] for row in listed] == sorted((row["time"] for row in listed), reverse=True)
    assert [len(page) for page in await pages(api, tenant, limit=100)] == [100]
    assert await pages(api, tenant, start=(NOW + timedelta(days=1)).isoformat()) == [[]]


@pytest.mark.parametrize(
    ("asked", "count_of_those"),
    [
        ({"model": "model-1"}, 20),
        ({"model": ["model-1", "model-0"], "key": "key_0"}, 14),
        ({"meter": "images"}, 10),
        ({"source": "test", "id": "0007"}, 1),
        ({"label": "team=team-1"}, 20),
        ({"label": "team=nobody"}, 0),
        ({"application": "app_x"}, 0),
        ({"start": (NOW - timedelta(seconds=5)).isoformat(), "end": NOW.isoformat()}, 15),
    ],
)
async def test_events_are_filtered(
    api: httpx.AsyncClient,
    database: Database,
    tenant: SampleTenant,
    asked: dict[str, Any],
    count_of_those: int,
) -> None:
    await count(database, *(event(tenant, number) for number in range(40)))
    (page,) = await pages(api, tenant, limit=200, **asked)
    assert len(page) == count_of_those


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": "WzFd"}, "cursor"),
        ({"cursor": Cursor.write('["2026-03-01T00:00:00","a","1"]')}, "cursor"),
        ({"cursor": Cursor.write('["0001-01-01T00:00:00+14:00","a","1"]')}, "cursor"),
        ({"label": "team"}, "label.0"),
        ({"limit": "1000"}, "limit"),
        ({"start": "yesterday"}, "start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({"end": "9999-12-31T23:59:59Z"}, "end"),
    ],
)
async def test_a_list_that_can_not_be_names_the_field(
    api: httpx.AsyncClient, tenant: SampleTenant, asked: dict[str, str], field: str
) -> None:
    answer = await api.get("/v1/events", headers=tenant.headers, params=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field


async def test_a_tail_tells_what_is_counted_and_goes_on_where_it_was(
    url: str, database: Database
) -> None:
    tenant = await sample_tenant(database)
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=url, headers=tenant.headers) as client,
        client.stream("GET", "/v1/events/tail") as stream,
    ):
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith(":")
        await count(database, event(tenant, 1), event(tenant, 2))
        messages: list[dict[str, Any]] = []
        last_id = ""
        while len(messages) < 2:
            line = await anext(lines)
            if line.startswith("data: "):
                messages.append(json.loads(line.removeprefix("data: ")))
            elif line.startswith("id: "):
                last_id = line.removeprefix("id: ")
    assert {message["id"] for message in messages} == {"0001", "0002"}
    await count(database, event(tenant, 3))
    async with httpx.AsyncClient(base_url=url, headers=tenant.headers) as client:
        again = await client.get(
            "/v1/events/tail", params={"seconds": 0}, headers={"last-event-id": last_id}
        )
        wrong = await client.get("/v1/events/tail", headers={"last-event-id": "7"})
    assert '"id":"0003"' in again.text
    assert '"id":"0001"' not in again.text
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "last-event-id")


async def test_a_tail_ends_with_its_credential(
    url: str, database: Database, operator: Headers
) -> None:
    tenant = await sample_tenant(database)
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=url, headers=tenant.headers) as client,
        client.stream("GET", "/v1/events/tail") as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        async with database.raw() as connection:
            await connection.execute("UPDATE api_keys SET revoked_at = now()")
        assert [line async for line in lines if line.startswith("data:")] == []


async def test_a_tail_ends_when_its_session_moves_to_another_tenant(
    url: str, database: Database
) -> None:
    """Whether the person is still a member of the first is not asked any more."""
    tenant, other = await sample_tenant(database), await sample_tenant(database, slug="other")
    async with database.begin() as connection:
        person = await upsert_user(
            connection, issuer="test", subject="ada", name="Ada", email="ada@mail.example"
        )
        for joined in (tenant, other):
            await add_member(connection, joined.id, person, Role.VIEWER)
        session = await begin_session(connection, person, tenant.id, seconds=600)
    headers = {"authorization": f"Bearer {session.token}"}
    async with (
        asyncio.timeout(60),
        httpx.AsyncClient(base_url=url, headers=headers) as client,
        client.stream("GET", "/v1/events/tail") as stream,
    ):
        lines = stream.aiter_lines()
        await anext(lines)
        moved = await client.patch("/v1/sessions/current", json={"tenant_id": other.id})
        assert moved.status_code == 200, moved.text
        assert [line async for line in lines if line.startswith("data:")] == []


async def test_usage_is_grouped_by_declared_labels(
    api: httpx.AsyncClient, database: Database, tenant: SampleTenant, operator: Headers
) -> None:
    url = "/v1/labels/team"
    params = {"tenant": tenant.slug}
    assert (await api.put(url, headers=tenant.headers)).status_code == 403
    for _ in range(2):
        declared = await api.put(url, headers=operator, params=params)
        assert (declared.status_code, declared.json()["label"]) == (200, "team")
    listed = (await api.get("/v1/labels", headers=tenant.headers)).json()["items"]
    assert [label["label"] for label in listed] == ["team"]
    await count(
        database, *(event(tenant, n, quantities={"requests": Decimal(1)}) for n in range(9))
    )
    await count(database, event(tenant, 10, labels={}, quantities={"requests": Decimal(1)}))

    async def usage(**asked: Any) -> httpx.Response:
        start = bucket_start(NOW - timedelta(days=1))
        span = {"start": start.isoformat(), "granularity": "total"}
        return await api.get("/v1/usage", headers=tenant.headers, params=span | asked)

    rows = (await usage(group_by_label="team")).json()["rows"]
    assert {row["labels"]["team"]: row["quantity"] for row in rows} == {
        "team-0": "5",
        "team-1": "4",
        None: "1",
    }
    (only,) = (await usage(label="team=team-1")).json()["rows"]
    assert only["quantity"] == "4"
    written = (await usage(group_by_label="team", format="csv")).text.splitlines()
    assert written[0].endswith("event_count,label.team")
    undeclared = await usage(group_by_label="note")
    assert (undeclared.status_code, undeclared.json()["errors"][0]["field"]) == (
        422,
        "group_by_label",
    )
    assert (await api.delete(url, headers=operator, params=params)).status_code == 204
    assert (await api.delete(url, headers=operator, params=params)).status_code == 404


async def test_a_tenant_declares_few_labels(
    api: httpx.AsyncClient, tenant: SampleTenant, operator: Headers
) -> None:
    answers = [
        await api.put(f"/v1/labels/l{number}", headers=operator, params={"tenant": tenant.id})
        for number in range(6)
    ]
    assert [answer.status_code for answer in answers] == [200] * 5 + [409]
