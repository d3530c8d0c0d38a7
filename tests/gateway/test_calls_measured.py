"""How a tenant's calls went is counted at the gateway: also those that were refused."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select

from backend.gateway.latencies import BUCKETS, percentile
from backend.gateway.measures.call_report import CallsQuestion, calls_report
from backend.gateway.measures.call_tally import (
    KEPT,
    CallCounts,
    CallKey,
    CallTally,
    add_calls,
    remove_old,
)
from backend.storage.database import Database
from backend.storage.tables import call_measures
from backend_client.types.accounts import Tenant
from backend_client.types.calls import CallDimension, CallStatus
from backend_client.types.usage import Granularity
from tests.gateway.chat_answers import ASKED, DONE, USAGE, said, streamed, whole
from tests.gateway.conftest import MakeKey, OpenClient
from tests.support.flaky import FlakyServer, Reply
from tests.support.waiting import until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def key(tenant_id: str, minutes: int = 0, **others: str) -> CallKey:
    usual = {"application_id": "app", "key_id": "key", "model": "m", "status": "completed"}
    return CallKey(
        tenant_id=tenant_id,
        bucket=NOON + timedelta(minutes=minutes),
        **{**usual, "cause": "", **others},
    )


@pytest.mark.engine
async def test_calls_are_counted_by_how_they_went_and_why(
    api: httpx.AsyncClient,
    session: dict[str, str],
    make_key: MakeKey,
    open_client: OpenClient,
    provider: FlakyServer,
) -> None:
    from openai import APIError  # here: most of a second, which pure tests would wait for

    provider.replies = [
        streamed(said("Hello"), said(" there", "stop", usage=USAGE), DONE),
        Reply(body=whole(usage=USAGE)),
        Reply(status=500),
        Reply(status=400, body=b'{"error": {"message": "No.", "code": "theirs"}}'),
        Reply(body=whole(usage=USAGE)),
    ]
    client = open_client(await make_key(limits={"requests_per_minute": 5}))
    stream = await client.chat.completions.create(model="sample-small", messages=ASKED, stream=True)
    async for _chunk in stream:
        pass
    # The last two are refused by the limit, and that of no model by admission
    for model in (*["sample-small"] * 6, "of-nobody"):
        with suppress(APIError):
            await client.chat.completions.create(model=model, messages=ASKED)

    async def rows(**query: Any) -> list[dict[str, Any]]:
        answer = await api.get(
            "/v1/usage/calls", headers=session, params={"granularity": "total", **query}
        )
        assert answer.status_code == 200, answer.text
        return list(answer.json()["rows"])

    async def all_added() -> bool:
        return sum(row["calls"] for row in await rows()) == 8

    await until(all_added, seconds=60)
    ended = {
        (row["status"], row["cause"], row["model"]): row["calls"]
        for row in await rows(group_by=["status", "cause", "model"])
    }
    assert ended == {
        ("completed", "", "sample-small"): 3,
        ("failed", "upstream_failed", "sample-small"): 1,
        ("refused", "upstream_refused", "sample-small"): 1,
        ("refused", "requests_per_minute", "sample-small"): 2,
        ("refused", "model_not_found", ""): 1,
    }
    (whole_time,) = await rows()
    assert 0 < whole_time["seconds"]["p50"] <= whole_time["seconds"]["p99"]
    assert whole_time["first_token_seconds"] is not None
    (failed,) = await rows(status="failed")
    assert (failed["calls"], failed["seconds"]) == (1, None)
    assert (await rows(cause="requests_per_minute", group_by="application"))[0]["calls"] == 2
    assert await rows(model="another") == []


@pytest.mark.engine
async def test_a_question_that_can_not_be_answered_is_refused_by_its_field(
    api: httpx.AsyncClient, session: dict[str, str]
) -> None:
    for query, field in (
        ({"start": "2026-03-01T00:05:00Z"}, "start"),
        ({"start": "2026-03-02T00:00:00Z", "end": "2026-03-01T00:00:00Z"}, "end"),
        ({"time_zone": "Europe/Atlantis"}, "query.time_zone"),
        ({"group_by": "tenant"}, "query.group_by.0"),
    ):
        answer = await api.get("/v1/usage/calls", headers=session, params=query)
        assert answer.status_code in {400, 422}, answer.text
        assert field.rpartition(".")[2] in answer.text


@pytest.mark.engine
async def test_histograms_of_several_processes_add_up_and_what_is_old_goes(
    database: Database, tenant: Tenant
) -> None:
    tallies = [CallTally(), CallTally()]
    for tally in tallies:
        for number, seconds in enumerate((0.2, 0.2, 5.0)):
            tally.count(key(tenant.id, 15 * number), seconds=seconds, first_token_seconds=0.1)
        tally.count(key(tenant.id, status="refused", cause="concurrent_requests"))
        tally.count(key("ten_another"), seconds=60)
    async with database.begin() as connection:
        for tally in tallies:
            await add_calls(connection, tally.take())
        question = CallsQuestion(NOON, NOON + timedelta(hours=1), Granularity.TOTAL)
        (row,) = (await calls_report(connection, tenant, question)).rows
        by_quarter = await calls_report(
            connection,
            tenant,
            CallsQuestion(
                NOON,
                NOON + timedelta(hours=1),
                Granularity.QUARTER_HOUR,
                group_by=frozenset({CallDimension.STATUS}),
            ),
        )
        old = {**key(tenant.id)._asdict(), "bucket": NOON - KEPT - timedelta(hours=1)}
        counts = {"calls": 1, "total_counts": [1], "first_token_counts": [1]}
        await connection.execute(insert(call_measures).values(**old, **counts))
        await remove_old(connection, NOON)
        oldest = await connection.scalar(select(func.min(call_measures.c.bucket)))
    assert not any(tallies)
    assert row.calls == 8
    assert row.seconds is not None
    assert row.first_token_seconds is not None
    assert 0.15 < row.seconds.p50 < 0.25
    assert 4 < row.seconds.p95 <= row.seconds.p99 < 6.5
    assert 0.075 < row.first_token_seconds.p99 < 0.125
    assert [(each.start, each.status, each.calls) for each in by_quarter.rows] == [
        (NOON, CallStatus.COMPLETED, 2),
        (NOON, CallStatus.REFUSED, 2),
        (NOON + timedelta(minutes=15), CallStatus.COMPLETED, 2),
        (NOON + timedelta(minutes=30), CallStatus.COMPLETED, 2),
    ]
    assert oldest == NOON


@pytest.mark.engine
async def test_days_are_those_of_the_zone_that_is_asked_for(
    database: Database, tenant: Tenant
) -> None:
    tally = CallTally()
    late = key(tenant.id, 60 * 11)  # 23:00 in UTC, and the next day in Tokyo
    tally.count(late, seconds=1)
    async with database.begin() as connection:
        await add_calls(connection, tally.take())
        question = CallsQuestion(
            NOON - timedelta(days=2), NOON + timedelta(days=2), time_zone="Asia/Tokyo"
        )
        report = await calls_report(connection, tenant, question)
    assert report.time_zone == "Asia/Tokyo"
    assert [row.start for row in report.rows] == [datetime(2026, 3, 2, 15, tzinfo=UTC)]


def merged(parts: Iterable[list[float]]) -> list[int]:
    """The counts of each part by itself, added up."""
    whole_counts = CallCounts()
    for part in parts:
        tally = CallTally()
        for seconds in part:
            tally.count(key("t"), seconds=seconds)
        for counts in tally.take().values():
            whole_counts.add(counts)
    return whole_counts.total_counts


@pytest.mark.fast
@given(st.lists(st.lists(st.floats(0.001, 400), max_size=4), max_size=4))
def test_percentiles_are_the_same_however_calls_were_divided(parts: list[list[float]]) -> None:
    together = merged([[seconds for part in parts for seconds in part]])
    assert merged(parts) == together
    assert len(together) == BUCKETS
    assert [percentile(merged(parts), share) for share in (0.5, 0.95, 0.99)] == [
        percentile(together, share) for share in (0.5, 0.95, 0.99)
    ]


@pytest.mark.fast
def test_what_could_not_be_added_waits_for_the_next_time() -> None:
    tally = CallTally()
    tally.count(key("t"), seconds=1)
    waiting = tally.take()
    assert not tally
    tally.count(key("t"), seconds=1)
    tally.count(key("u"), seconds=1)
    tally.take_back(waiting)
    assert {each.tenant_id: counts.calls for each, counts in tally.take().items()} == {
        "t": 2,
        "u": 1,
    }
