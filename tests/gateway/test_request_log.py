"""The log of calls: what a tenant reads of them, what is kept of bodies, and that none waits."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select, text, update

from backend.gateway.request_log import log as request_log
from backend.gateway.request_log.entries import Entry
from backend.gateway.request_log.queries import RequestQuestion, Sight, list_requests
from backend.gateway.request_log.worker import RequestsWorker
from backend.settings import Settings, Upstream
from backend.storage.database import Database
from backend.storage.tables import gateway_requests, request_bodies
from tests.gateway.conftest import Join, MakeKey
from tests.support.provider_double import ProviderDouble
from tests.support.tenants import sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Headers = dict[str, str]
Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as serving:
        yield serving


@pytest.fixture
def api_settings(api_settings: Settings, double: ProviderDouble) -> Settings:
    upstream = Upstream(name="hidden-name", base_url=f"{double.url}/v1", models=["sample-small"])
    return api_settings.model_copy(update={"upstreams": [upstream]})


@pytest.fixture
def ask(api: httpx.AsyncClient) -> Ask:
    async def asked(key: str, said: str = "Hello", **more: Any) -> httpx.Response:
        body = {"model": "sample-small", "messages": [{"role": "user", "content": said}], **more}
        bearer = {"authorization": f"Bearer {key}"}
        return await api.post("/v1/chat/completions", headers=bearer, json=body)

    return asked


async def logged(
    api: httpx.AsyncClient, by: Headers, number: int, at: str = "/v1/requests", **wanted: Any
) -> list[dict[str, Any]]:
    """Wait until so many calls are listed; return them, the newest first."""
    items: list[dict[str, Any]] = []

    async def enough() -> bool:
        answer = await api.get(at, headers=by, params=wanted)
        assert answer.status_code == 200, answer.text
        items[:] = answer.json()["items"]
        return len(items) >= number

    await until(enough)
    assert len(items) == number
    return items


async def test_a_call_is_listed_with_what_finds_it_elsewhere(
    api: httpx.AsyncClient,
    session: Headers,
    operator: Headers,
    make_key: MakeKey,
    ask: Ask,
) -> None:
    key = await make_key(scopes=["inference", "usage:read"])
    answer = await ask(key, max_tokens=30, user="ada")
    assert answer.status_code == 200, answer.text
    (call,) = await logged(api, key_of(key), 1)
    assert (call["outcome"], call["status"]) == ("completed", 200)
    assert call["event_id"] == answer.headers["x-farebox-event"]
    assert call["request_id"] == answer.headers["x-request-id"]
    assert call["answer_id"] == answer.json()["id"]
    assert (call["model"], call["protocol"], call["streamed"]) == ("sample-small", "chat", False)
    assert call["quantities"]["input_tokens"] == "50"
    assert call["labels"]["user"] == "ada"
    assert call["key"].startswith("key_")
    assert call["application"].startswith("app_")
    assert call["attempts"] == 1
    assert f"{call['cost']} {call['currency']}" == answer.headers["x-farebox-cost"]

    assert call["upstream"] is None
    mine = (await api.get("/v1/me", headers=session)).json()["tenant"]["id"]
    (seen,) = await logged(api, operator, 1, f"/v1/tenants/{mine}/requests")
    assert seen["upstream"] == "hidden-name"
    assert await logged(api, operator, 1, f"/v1/tenants/{mine}/requests", upstream="hidden-name")
    refused = await api.get("/v1/requests?upstream=hidden-name", headers=key_of(key))
    assert refused.status_code == 403


def key_of(secret: str) -> Headers:
    return {"authorization": f"Bearer {secret}"}


async def test_streams_failures_and_refusals_say_how_they_went(
    api: httpx.AsyncClient, session: Headers, make_key: MakeKey, ask: Ask
) -> None:
    limited = await make_key(limits={"requests_per_minute": 1})
    plain = await make_key()
    assert (await ask(plain, stream=True)).status_code == 200
    assert (await ask(plain, "do:500")).status_code == 502
    assert (await ask(limited)).status_code == 200
    assert (await ask(limited)).status_code == 429
    assert (await ask(plain, model="none\x00")).status_code == 404
    assert (await ask(plain, messages="no list")).status_code == 400
    calls = await logged(api, session, 6)
    by_status = {call["status"]: call for call in calls if call["status"] != 200}

    (stream,) = [call for call in calls if call["streamed"]]
    assert (stream["outcome"], stream["status"]) == ("completed", 200)
    assert stream["first_token_ms"] is not None
    assert stream["first_token_ms"] <= stream["duration_ms"]

    failed = by_status[502]
    assert (failed["outcome"], failed["error_code"]) == ("failed", "upstream_failed")
    assert failed["event_id"] is not None

    refused = by_status[429]
    assert (refused["outcome"], refused["error_code"]) == ("refused", "rate_limit_exceeded")
    assert "limit of 1 requests a minute" in refused["error_detail"]
    assert (refused["event_id"], refused["attempts"], refused["quantities"]) == (None, 0, {})
    assert by_status[404]["model"] == "none"
    assert by_status[400]["error_code"] == "invalid_request"


async def test_the_filters_pages_and_the_file_agree(
    api: httpx.AsyncClient, session: Headers, make_key: MakeKey, ask: Ask
) -> None:
    key = await make_key()
    for _ in range(3):
        await ask(key)
    await ask(key, "do:500")
    calls = await logged(api, session, 4)
    times = [call["time"] for call in calls]
    assert times == sorted(times, reverse=True)

    async def ids(**wanted: Any) -> list[str]:
        answer = await api.get("/v1/requests", headers=session, params=wanted)
        assert answer.status_code == 200, answer.text
        return [call["id"] for call in answer.json()["items"]]

    whole = [call["id"] for call in calls]
    (failed,) = [call for call in calls if call["outcome"] == "failed"]
    assert await ids(outcome="failed") == [failed["id"]]
    assert await ids(status=502) == [failed["id"]]
    assert await ids(code="upstream_failed") == [failed["id"]]
    assert await ids(request_id=failed["request_id"]) == [failed["id"]]
    assert await ids(event_id=failed["event_id"]) == [failed["id"]]
    assert await ids(model="sample-small", key=failed["key"]) == whole
    assert await ids(key="key_of_nobody") == []
    assert await ids(min_duration_ms=10**8) == []
    slow = [call["id"] for call in calls if call["duration_ms"] >= calls[0]["duration_ms"]]
    assert await ids(min_duration_ms=calls[0]["duration_ms"]) == slow
    assert await ids(label="status=failed") == [failed["id"]]
    assert await ids(label=["status=failed", "usage_source=local"]) == [failed["id"]]
    assert await ids(label=["status=failed", "usage_source=provider"]) == []
    assert (await api.get("/v1/requests?label=team", headers=session)).status_code == 422
    assert await ids(start=times[1]) == whole[:2]
    assert await ids(end=times[1]) == whole[2:]

    paged: list[str] = []
    cursor = None
    while cursor is not None or not paged:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/v1/requests", headers=session, params=params)).json()
        paged += [call["id"] for call in page["items"]]
        cursor = page["next_cursor"]
    assert paged == whole
    wrong = await api.get("/v1/requests?cursor=bm9uZQ", headers=session)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "invalid_cursor")
    assert (await api.get("/v1/requests?outcome=odd", headers=session)).status_code == 422

    file = await api.get("/v1/requests/export?outcome=completed", headers=session)
    rows = list(csv.DictReader(io.StringIO(file.text)))
    assert [row["id"] for row in rows] == await ids(outcome="completed")
    assert "input_tokens=50" in rows[0]["quantities"]


async def test_bodies_are_kept_where_an_admin_says_so_and_no_longer(
    api: httpx.AsyncClient,
    app: FastAPI,
    session: Headers,
    make_key: MakeKey,
    ask: Ask,
    database: Database,
) -> None:
    key = await make_key()
    reader = await make_key(scopes=["usage:read"])
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    at = f"/v1/applications/{application}/body-logging"
    assert (await api.get(at, headers=session)).json()["enabled"] is False
    said = "I am ada@lovelace.example, my card is 4111 1111 1111 1111, my key sk-abcdefghijklmnop1"
    await ask(key, said)
    (before,) = await logged(api, session, 1)
    details = await api.get(f"/v1/requests/{before['id']}", headers=session)
    assert details.json()["bodies"] is None

    assert (await api.put(at, headers=key_of(key), json={"enabled": True})).status_code == 403
    for wrong in ({"enabled": True, "days": 0}, {"enabled": True, "days": 91}, {}):
        assert (await api.put(at, headers=session, json=wrong)).status_code == 422
    assert (await api.put(at, headers=session, json={"enabled": True, "days": 5})).is_success
    log = app.state.services.gateway._log
    await until(lambda: _soon(bool(log._applications)))

    await ask(key, said + " \x00")
    await ask(key, said, stream=True)
    (streamed, whole, _) = await logged(api, session, 3)
    for call in (whole, streamed):
        bodies = (await api.get(f"/v1/requests/{call['id']}", headers=session)).json()["bodies"]
        words = json.loads(bodies["request"])["messages"][0]["content"].removesuffix(" \x00")
        assert words == "I am [e-mail], my card is [card number], my key [key]"
        assert "Hello there" in bodies["answer"]
        assert bodies["redacted"]
        assert not bodies["shortened"]
        left = datetime.fromisoformat(bodies["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=4) < left < timedelta(days=5)
    # How a call went is for every reader, and its words are not
    seen = (await api.get(f"/v1/requests/{whole['id']}", headers=key_of(reader))).json()
    assert (seen["id"], seen["bodies"]) == (whole["id"], None)

    await _expire(database, streamed["id"])
    await RequestsWorker(database, 30).remove_old()
    gone = (await api.get(f"/v1/requests/{streamed['id']}", headers=session)).json()
    assert (gone["id"], gone["bodies"]) == (streamed["id"], None)

    assert (await api.put(at, headers=session, json={"enabled": False})).is_success
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(request_bodies)) == 0
    foreign = await api.put(at.replace(application, "app_no"), headers=session, json={"enabled": 0})
    assert foreign.status_code == 404


async def _soon(value: bool) -> bool:
    return value


async def _expire(database: Database, call_id: str) -> None:
    async with database.begin() as connection:
        await connection.execute(
            update(request_bodies)
            .where(request_bodies.c.id == call_id)
            .values(expires_at=func.now())
        )


async def test_old_calls_are_removed_and_newer_ones_stay(
    api: httpx.AsyncClient, session: Headers, make_key: MakeKey, ask: Ask, database: Database
) -> None:
    key = await make_key()
    await ask(key)
    await ask(key)
    newest, oldest = await logged(api, session, 2)
    async with database.begin() as connection:
        await connection.execute(
            update(gateway_requests)
            .where(gateway_requests.c.id == oldest["id"])
            .values(time=datetime.now(UTC) - timedelta(days=31))
        )
    assert not await RequestsWorker(database, 30).remove_old()
    assert [call["id"] for call in await logged(api, session, 1)] == [newest["id"]]
    await RequestsWorker(database, 0).remove_old()
    assert await logged(api, session, 0) == []


async def test_no_call_waits_for_the_log_and_what_has_no_room_is_counted(
    api: httpx.AsyncClient,
    app: FastAPI,
    session: Headers,
    operator: Headers,
    make_key: MakeKey,
    ask: Ask,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = await make_key()
    assert (await ask(key)).status_code == 200
    await logged(api, session, 1)
    monkeypatch.setattr(request_log, "MOST_WAITING", 2)

    async def dropped() -> str:
        text_of_metrics = (await api.get("/metrics", headers=operator)).text
        lines = [line for line in text_of_metrics.splitlines() if "log_dropped_total{" in line]
        return "\n".join(lines)

    async with database.begin() as connection:
        await connection.execute(text("LOCK TABLE gateway_requests IN ACCESS EXCLUSIVE MODE"))
        for _ in range(4):
            assert (await asyncio.wait_for(ask(key), 60)).status_code == 200

        async def full() -> bool:
            return 'reason="full"} 2.0' in await dropped()

        await until(full)
    await logged(api, session, 3)


async def test_calls_that_come_while_the_log_is_written_are_written_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At one call after another each would else have a transaction of its own."""
    monkeypatch.setattr(request_log, "_GROUP", 3)
    entry: Any = SimpleNamespace(bodies=None)
    written: list[int] = []

    async def write(log: request_log.RequestLog, group: list[Entry]) -> None:
        assert len(written) < 20, "the pass does not end"
        written.append(len(group))
        log._waiting.append(entry)

    async def free(_: Entry) -> None:
        return None

    monkeypatch.setattr(request_log.RequestLog, "_write_group", write)
    log = request_log.RequestLog(database, kept=False, price=free, registry=CollectorRegistry())
    log._waiting = [entry] * 7
    await log._write()
    assert written == [3, 3, 1, 3]  # the last are of those that came meanwhile: a whole group
    await log._write()
    assert written[4:] == [1]
    assert len(log._waiting) == 1


async def test_a_call_that_can_not_be_priced_holds_up_no_other(
    api: httpx.AsyncClient,
    session: Headers,
    operator: Headers,
    make_key: MakeKey,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As long as such a fault stood in a group, the whole log waited for it."""
    row = request_log.RequestLog._row

    async def faulty(log: request_log.RequestLog, entry: Entry) -> dict[str, Any]:
        if entry.status == 502:
            raise ArithmeticError("a price that nobody thought of")
        return await row(log, entry)

    monkeypatch.setattr(request_log.RequestLog, "_row", faulty)
    key = await make_key()
    assert (await ask(key, "do:500")).status_code == 502
    assert (await ask(key)).status_code == 200
    (call,) = await logged(api, session, 1)
    assert call["outcome"] == "completed"
    metrics = (await api.get("/metrics", headers=operator)).text
    assert 'log_dropped_total{reason="unstorable"} 1.0' in metrics


async def test_who_is_refused_without_end_does_not_fill_the_log(
    api: httpx.AsyncClient,
    session: Headers,
    make_key: MakeKey,
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    join: Join,
) -> None:
    monkeypatch.setattr(request_log, "MOST_REFUSED", 0)
    key = await make_key()
    assert (await ask(key, model="none")).status_code == 404
    assert (await ask(key)).status_code == 200
    (call,) = await logged(api, session, 1)
    assert call["outcome"] == "completed"
    # And another tenant sees nothing of it
    other = await join("free")
    assert await logged(api, other, 0) == []
    assert (await api.get(f"/v1/requests/{call['id']}", headers=other)).status_code == 404


async def test_a_label_that_few_calls_have_is_read_by_its_index(database: Database) -> None:
    """Without it, all that the tenant has in the log are read."""
    tenant = await sample_tenant(database)
    many = text(
        """
        INSERT INTO gateway_requests
            (tenant_id, id, time, outcome, status, protocol, streamed, model, application_id,
             key_id, upstream, attempts, duration_ms, request_id, answer_id, quantities, labels)
        SELECT :tenant_id, 'req_' || number, now() - number * interval '1 second', 'completed',
            200, 'chat', false, 'm', '', '', '', 1, 1, '', '', '{}',
            jsonb_build_object('team', 'team-' || number % 3, 'user', 'user-' || number)
        FROM generate_series(1, 20000) AS number
        """
    )
    reads = text("SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = :name").bindparams(
        name="ix_gateway_requests_labels"
    )
    async with database.begin() as connection:
        await connection.execute(many, {"tenant_id": tenant.id})
    async with database.begin() as connection:
        await connection.execute(text("ANALYZE gateway_requests"))
        before = await connection.scalar(reads)
    async with database.begin() as connection:
        question = RequestQuestion(labels={"user": "user-19999"})
        page = await list_requests(connection, tenant.id, question, Sight(), cursor=None, limit=50)
        await connection.execute(text("SELECT pg_stat_force_next_flush()"))
    async with database.begin() as connection:
        after = await connection.scalar(reads)
    assert [item.id for item in page.items] == ["req_19999"]
    assert after > before
