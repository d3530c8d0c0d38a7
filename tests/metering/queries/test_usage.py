"""Usage by time, in the tenant's own days, and by everything that it can be told apart by."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.metering.queries import usage
from backend.storage.database import Database
from tests.support.tenants import SampleTenant, sample_tenant

pytestmark = pytest.mark.engine

Rows = list[dict[str, Any]]


async def count(database: Database, tenant: SampleTenant, *events: dict[str, Any]) -> None:
    """Count events of one request and some tokens each; ``time`` is given, the rest may be."""
    batch = [
        AcceptedEvent(
            tenant_id=tenant.id,
            source="test",
            id=event.get("id", str(place)),
            time=event["time"],
            received_at=event["time"],
            application_id=event.get("application", tenant.application),
            key_id=event.get("key", ""),
            model=event.get("model", "model-a"),
            quantities=event.get("quantities", {"requests": Decimal(1)}),
        )
        for place, event in enumerate(events)
    ]
    async with database.raw() as connection:
        await count_events(connection, batch)


async def ask(api: httpx.AsyncClient, tenant: SampleTenant, **asked: Any) -> Rows:
    answer = await api.get("/v1/usage", headers=tenant.headers, params=asked)
    assert answer.status_code == 200, answer.text
    rows: Rows = answer.json()["rows"]
    return rows


def quarters(start: datetime, end: datetime) -> list[dict[str, Any]]:
    """An event in the middle of every quarter hour between two moments."""
    events = []
    moment = start
    while moment < end:
        events.append({"time": moment + timedelta(minutes=7)})
        moment += timedelta(minutes=15)
    return events


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 24), ("2026-03-29", 23), ("2026-10-25", 25)]
)
async def test_a_day_has_the_hours_that_its_clocks_give_it(
    api: httpx.AsyncClient, database: Database, day: str, hours: int
) -> None:
    tenant = await sample_tenant(database, time_zone="Europe/Berlin")
    zone = ZoneInfo("Europe/Berlin")
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone)
    start, end = midnight.astimezone(UTC), (midnight + timedelta(days=1)).astimezone(UTC)
    around = quarters(start - timedelta(days=1), end + timedelta(days=1))
    await count(database, tenant, *around)
    span = {
        "start": (start - timedelta(days=1)).isoformat(),
        "end": (end + timedelta(days=1)).isoformat(),
    }
    by_day = {row["start"]: row["event_count"] for row in await ask(api, tenant, **span)}
    assert by_day[start.isoformat().replace("+00:00", "Z")] == hours * 4
    assert sum(by_day.values()) == len(around)
    by_hour = await ask(
        api, tenant, granularity="hour", start=start.isoformat(), end=end.isoformat()
    )
    assert len(by_hour) == hours
    assert {row["event_count"] for row in by_hour} == {4}


async def test_days_begin_at_a_quarter_to_in_nepal(
    api: httpx.AsyncClient, database: Database
) -> None:
    tenant = await sample_tenant(database, time_zone="Asia/Kathmandu")
    midnight = datetime(2026, 6, 9, 18, 15, tzinfo=UTC)  # 00:00 on the 10th at +05:45
    second = timedelta(seconds=1)
    await count(database, tenant, {"time": midnight - second}, {"time": midnight})
    span = {"start": "2026-06-01T00:00:00Z", "end": "2026-07-01T00:00:00Z"}
    assert [row["start"] for row in await ask(api, tenant, **span)] == [
        "2026-06-08T18:15:00Z",
        "2026-06-09T18:15:00Z",
    ]
    hours = await ask(api, tenant, granularity="hour", **span)
    assert [row["start"] for row in hours] == ["2026-06-09T17:15:00Z", "2026-06-09T18:15:00Z"]
    months = await ask(api, tenant, granularity="month", **span)
    assert [(row["start"], row["event_count"]) for row in months] == [("2026-05-31T18:15:00Z", 2)]


async def test_a_question_starts_and_ends_at_quarter_hours(
    api: httpx.AsyncClient, database: Database
) -> None:
    tenant = await sample_tenant(database)
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    await count(database, tenant, *quarters(noon, noon + timedelta(hours=1)))
    span = {"start": "2026-05-05T12:15:00Z", "end": "2026-05-05T12:45:00Z"}
    rows = await ask(api, tenant, granularity="quarter_hour", **span)
    assert [row["start"] for row in rows] == ["2026-05-05T12:15:00Z", "2026-05-05T12:30:00Z"]


async def test_a_range_within_a_quarter_hour_is_refused_and_never_summed_as_another(
    api: httpx.AsyncClient, database: Database
) -> None:
    tenant = await sample_tenant(database)
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    await count(database, tenant, *quarters(noon, noon + timedelta(hours=1)))
    whole = {"start": "2026-05-05T12:00:00Z", "end": "2026-05-05T13:00:00Z"}
    for width in ("quarter_hour", "hour", "day", "month", "total"):
        for changed in (
            {"end": "2026-05-05T12:01:00Z"},
            {"start": "2026-05-05T12:07:30Z", "end": "2026-05-05T12:14:00Z"},
            {"end": "2026-05-05T12:15:00.000001Z"},
        ):
            asked = whole | changed | {"granularity": width}
            answer = await api.get("/v1/usage", headers=tenant.headers, params=asked)
            assert (answer.status_code, answer.json()["code"]) == (
                422,
                "range_not_on_quarter_hours",
            )
            assert answer.json()["errors"][0]["field"] == min(changed, key=["start", "end"].index)
        part = whole | {"start": "2026-05-05T12:15:00Z", "granularity": width}
        assert sum(row["event_count"] for row in await ask(api, tenant, **part)) == 3
    assert (
        "12:00 or 12:15"
        in (
            await api.get(
                "/v1/usage", headers=tenant.headers, params=whole | {"end": "2026-05-05T12:01:00Z"}
            )
        ).json()["detail"]
    )


async def test_an_answer_without_bounds_is_refused(
    api: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage, "MOST_ROWS", 3)
    tenant = await sample_tenant(database)
    noon = datetime(2026, 5, 5, 12, tzinfo=UTC)
    await count(database, tenant, *quarters(noon, noon + timedelta(hours=1)))
    span = {"start": "2026-05-05T12:00:00Z", "granularity": "quarter_hour"}
    three = await ask(api, tenant, **span, end="2026-05-05T12:45:00Z")
    assert len(three) == 3
    answer = await api.get(
        "/v1/usage", headers=tenant.headers, params=span | {"end": "2026-05-05T13:00:00Z"}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_usage_rows")


async def test_usage_is_told_apart_by_all_that_is_asked(
    api: httpx.AsyncClient, database: Database
) -> None:
    tenant = await sample_tenant(database)
    at = datetime(2026, 5, 5, 12, tzinfo=UTC)
    tokens = {"input_tokens": Decimal("0.1"), "output_tokens": Decimal("1E+2")}
    await count(
        database,
        tenant,
        {"time": at, "key": "key_1", "quantities": tokens},
        {"time": at, "key": "key_1", "model": "model-b", "quantities": tokens},
        {"time": at, "key": "key_2", "application": "app_2", "quantities": tokens},
        {"time": at, "quantities": tokens},
    )
    span = {"start": "2026-05-01T00:00:00Z", "end": "2026-06-01T00:00:00Z", "granularity": "total"}

    def told(rows: Rows, *names: str) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in (*names, "meter", "quantity")) for row in rows]

    assert told(await ask(api, tenant, **span)) == [
        ("input_tokens", "0.4"),
        ("output_tokens", "400"),
    ]
    by_key = await ask(api, tenant, group_by="key", meter="input_tokens", **span)
    assert told(by_key, "key") == [
        (None, "input_tokens", "0.1"),
        ("key_1", "input_tokens", "0.2"),
        ("key_2", "input_tokens", "0.1"),
    ]
    by_both = await ask(
        api, tenant, group_by=["model", "application"], meter=["input_tokens"], **span
    )
    assert len(told(by_both, "model", "application")) == 3
    only = await ask(api, tenant, key=["key_1", "key_2"], model="model-a", **span)
    assert told(only) == [("input_tokens", "0.2"), ("output_tokens", "200")]
    assert await ask(api, tenant, key="key_of_nobody", **span) == []


async def test_a_tenant_sees_its_own_usage_alone(
    api: httpx.AsyncClient, database: Database
) -> None:
    tenant, other = await sample_tenant(database), await sample_tenant(database, "other")
    at = datetime(2026, 5, 5, 12, tzinfo=UTC)
    await count(database, tenant, {"time": at})
    span = {"start": "2026-05-01T00:00:00Z", "end": "2026-06-01T00:00:00Z"}
    assert len(await ask(api, tenant, **span)) == 1
    assert await ask(api, other, **span) == []
    assert await ask(api, other, application=tenant.application, **span) == []


async def test_csv_holds_the_same_and_no_formula(
    api: httpx.AsyncClient, database: Database
) -> None:
    tenant = await sample_tenant(database)
    at = datetime(2026, 5, 5, 12, tzinfo=UTC)
    await count(database, tenant, {"time": at, "model": '=1+1,"x"'})
    asked = {
        "start": "2026-05-01T00:00:00Z",
        "end": "2026-06-01T00:00:00Z",
        "group_by": "model",
        "format": "csv",
    }
    answer = await api.get("/v1/usage", headers=tenant.headers, params=asked)
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    row = next(csv.DictReader(io.StringIO(answer.text)))
    assert row["start"] == "2026-05-05T00:00:00+00:00"
    assert (row["model"], row["meter"], row["quantity"]) == ('\'=1+1,"x"', "requests", "1")


async def test_the_etag_changes_when_usage_does(api: httpx.AsyncClient, database: Database) -> None:
    tenant = await sample_tenant(database)
    asked = {"start": "2026-05-01T00:00:00Z"}

    async def get(etag: str | None = None) -> httpx.Response:
        condition = {} if etag is None else {"if-none-match": etag}
        return await api.get("/v1/usage", headers=tenant.headers | condition, params=asked)

    first = await get()
    assert (await get(first.headers["etag"])).status_code == 304
    await count(database, tenant, {"time": datetime.now(UTC)})
    second = await get(first.headers["etag"])
    assert (second.status_code, len(second.json()["rows"])) == (200, 1)
    assert (await get(second.headers["etag"])).status_code == 304
    ahead = datetime.now(UTC) + timedelta(minutes=4)  # a sender's clock may run ahead
    await count(database, tenant, {"id": "ahead", "time": ahead})
    third = await get(second.headers["etag"])
    assert sum(row["event_count"] for row in third.json()["rows"]) == 2


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"start": "2026-05-02T00:00:00Z", "end": "2026-05-01T00:00:00Z"}, "end"),
        (
            {
                "start": "2026-01-01T00:00:00Z",
                "end": "2026-05-01T00:00:00Z",
                "granularity": "quarter_hour",
            },
            "granularity",
        ),
        ({"start": "2026-05-02T00:00:00"}, "start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start"),
        ({"end": "9999-12-31T23:59:59-14:00"}, "end"),
        ({"granularity": "fortnight"}, "granularity"),
        ({"group_by": "color"}, "group_by.0"),
    ],
)
async def test_a_question_that_makes_no_sense_names_the_field(
    api: httpx.AsyncClient, database: Database, asked: dict[str, str], field: str
) -> None:
    tenant = await sample_tenant(database)
    answer = await api.get("/v1/usage", headers=tenant.headers, params=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == field
