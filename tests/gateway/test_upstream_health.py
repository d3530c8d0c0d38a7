"""How upstreams fare is told by every process, and measured; stopped ones take no calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select, update

from backend.api.app import create_app
from backend.gateway.latencies import BUCKETS
from backend.gateway.upstreams.health_report import upstream_health
from backend.gateway.upstreams.process_report import SEEN_SECONDS, ProcessReport
from backend.gateway.upstreams.tally import KEPT, UpstreamTally, add_attempts, remove_old_attempts
from backend.gateway.upstreams.targets import Targets
from backend.settings import Settings, Upstream
from backend.storage.database import Database
from backend.storage.tables import audit_entries, gateway_processes, upstream_measures, upstreams
from tests.gateway.conftest import MakeKey
from tests.support.provider_double import ProviderDouble
from tests.support.waiting import until

pytestmark = pytest.mark.engine

SECRET = "their-key-0123456789"
Headers = dict[str, str]


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as serving:
        yield serving


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """No upstream in the settings, and a key to seal with."""
    return api_settings.model_copy(update={"upstreams": [], "secrets_key": SecretStr("k" * 32)})


@pytest.fixture
async def other(app: FastAPI, api_settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A second process of the API on the same database, which starts after the first."""
    replica = create_app(api_settings)
    async with (
        replica.router.lifespan_context(replica),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=replica), base_url="http://api"
        ) as client,
    ):
        yield client


async def put(
    api: httpx.AsyncClient, operator: Headers, url: str, name: str = "main", **more: Any
) -> dict[str, Any]:
    body = {"base_url": f"{url}/v1", "models": {"sample-small": "own"}, **more}
    answer = await api.put(f"/v1/upstreams/{name}", headers=operator, json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def ask(api: httpx.AsyncClient, key: str, does: str = "", **more: Any) -> httpx.Response:
    messages = [{"role": "user", "content": f"do:{does}" if does else "Hello"}]
    return await api.post(
        "/v1/chat/completions",
        headers={"authorization": f"Bearer {key}"},
        json={"model": "sample-small", "messages": messages, **more},
    )


async def test_any_process_tells_how_an_upstream_fares_at_all_of_them(
    api: httpx.AsyncClient,
    other: httpx.AsyncClient,
    operator: Headers,
    make_key: MakeKey,
    double: ProviderDouble,
) -> None:
    await put(api, operator, double.url, keys=[{"secret": SECRET}])
    key = await make_key()

    async def health() -> dict[str, Any]:
        answer = await other.get("/v1/upstreams/main", headers=operator)
        assert answer.status_code == 200, answer.text
        assert SECRET not in answer.text
        return dict(answer.json()["health"])

    async def is_at_both() -> bool:
        return bool((await health())["processes"] == 2)

    await until(is_at_both, seconds=60)
    well = await health()
    assert (well["state"], well["circuits"], well["last_failure"]) == ("closed", [], None)

    for _ in range(2):
        assert (await ask(api, key, stream=True)).status_code == 200
    for _ in range(5):
        with suppress(httpx.HTTPError):
            await ask(api, key, "503")

    async def is_known() -> bool:
        health_now = await health()
        return bool(health_now["attempts"] >= 7 and health_now["circuits"])

    await until(is_known, seconds=60)
    ill = await health()
    assert ill["failed"] == ill["attempts"] - 2
    assert ill["error_rate"] == round(ill["failed"] / ill["attempts"], 4)
    assert ill["state"] in {"open", "half-open"}
    # It is the first process that finds it so
    (circuit,) = ill["circuits"]
    assert (circuit["model"], circuit["keys"], circuit["keys_resting"]) == ("sample-small", 1, 0)
    assert 0 <= ill["first_token"]["p50"] <= ill["first_token"]["p95"]
    assert [each["model"] for each in ill["models"]] == ["own"]
    assert ill["last_failure"]["outcome"] == "failed"
    assert "503" in ill["last_failure"]["detail"]
    listed = (await other.get("/v1/upstreams", headers=operator)).json()["items"]
    assert [each["name"] for each in listed] == ["main"]
    assert listed[0]["health"]["failed"] == ill["failed"]


async def test_a_report_is_written_when_it_is_news_and_its_process_alive(
    database: Database,
) -> None:
    targets = Targets()
    await targets.use([Upstream(name="main", base_url="http://x.example/v1", models=["m"])])
    report = ProcessReport(database, targets)

    async def seen() -> datetime:
        async with database.begin() as connection:
            moment = await connection.scalar(select(gateway_processes.c.seen_at))
        assert isinstance(moment, datetime)
        return moment

    async def processes() -> int:
        async with database.begin() as connection:
            return (await upstream_health(connection, datetime.now(UTC)))["main"].processes

    await report.publish()
    first = await seen()
    await report.publish()
    assert await seen() == first  # nothing has changed
    ((_, _, by_model),) = targets.all()
    by_model["m"].circuit.fail(0.0, retry_after=30)
    await report.publish()
    assert await seen() > first
    assert await processes() == 1

    # One that was killed takes nothing back: its word ends by itself
    late = func.now() - timedelta(seconds=SEEN_SECONDS + 1)
    async with database.begin() as connection:
        await connection.execute(update(gateway_processes).values(seen_at=late))
    assert await processes() == 0
    await report.withdraw()
    async with database.begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(gateway_processes)) == 0
    await targets.close()


async def test_attempts_of_several_processes_add_up_and_old_ones_go(database: Database) -> None:
    async with database.begin() as connection:
        for number in range(2):
            tally = UpstreamTally()
            tally.note_answer("main", "own")
            tally.note_failure("main", "own", "timeout", f"{number}" * 1000)
            tally.note_first_token("main", "own", 0.3)
            taken = tally.take()
            assert not tally
            tally.take_back(taken)  # the database was away
            tally.take_back({})
            await add_attempts(connection, tally.take())
        (row,) = (await connection.execute(select(upstream_measures))).mappings().all()
        health = (await upstream_health(connection, datetime.now(UTC)))["main"]
        await remove_old_attempts(connection, datetime.now(UTC) + KEPT + timedelta(minutes=6))
        left = await connection.scalar(select(func.count()).select_from(upstream_measures))
    assert (row["answered"], row["failed"], sum(row["first_token_counts"])) == (2, 2, 2)
    assert len(row["first_token_counts"]) == BUCKETS
    assert (health.attempts, health.error_rate, health.processes) == (4, 0.5, 0)
    assert health.last_failure is not None
    assert health.last_failure.detail == "1" * 300  # the later one, cut
    assert left == 0


async def test_a_disabled_upstream_takes_no_calls_and_a_retired_one_never_again(
    api: httpx.AsyncClient,
    operator: Headers,
    make_key: MakeKey,
    double: ProviderDouble,
    database: Database,
) -> None:
    await put(api, operator, double.url, keys=[{"secret": SECRET}])
    await put(api, operator, double.url, "spare", priority=1)
    key = await make_key()

    async def act(verb: str, name: str = "main", **body: Any) -> httpx.Response:
        at = f"/v1/upstreams/{name}/{verb}"
        return await api.post(at, headers=operator, json=body)

    def of(answer: httpx.Response) -> tuple[str, list[str], int]:
        assert answer.status_code == 200, answer.text
        upstream = answer.json()
        return upstream["state"], upstream["sole_models"], len(upstream["keys"])

    assert of(await act("disable")) == ("disabled", [], 1)
    assert of(await act("disable")) == ("disabled", [], 1)
    assert (await ask(api, key)).status_code == 200
    assert "authorization" not in double.asked[-1].headers  # the spare one has no key
    spare = await api.get("/v1/upstreams/spare", headers=operator)
    assert of(spare) == ("active", ["sample-small"], 0)

    # A change keeps it disabled, and a test reaches it all the same
    assert (await put(api, operator, double.url, weight=2))["state"] == "disabled"
    tested = await act("test")
    assert tested.status_code == 200, tested.text
    outcome = tested.json()
    assert (outcome["went_well"], outcome["status"], outcome["model"]) == (True, 200, "own")
    assert double.asked[-1].headers["authorization"] == f"Bearer {SECRET}"
    assert double.asked[-1].document["max_completion_tokens"] == 16

    refused = await act("retire", "spare")
    assert (refused.status_code, refused.json()["code"]) == (409, "upstream_needed")
    assert "sample-small" in refused.json()["detail"]
    assert of(await act("enable")) == ("active", [], 1)
    assert of(await act("retire")) == ("retired", [], 0)
    async with database.begin() as connection:
        query = select(upstreams.c["keys"]).where(upstreams.c.name == "main")
        assert await connection.scalar(query) == []
    assert of(await act("disable", "spare", leave_unserved=True)) == ("disabled", [], 0)
    assert (await ask(api, key)).status_code == 404
    for again in (await act("enable"), await act("test"), await act("disable")):
        assert (again.status_code, again.json()["code"]) == (409, "upstream_retired")
    wanted = {"base_url": double.url, "models": ["sample-small"]}
    revived = await api.put("/v1/upstreams/main", headers=operator, json=wanted)
    assert revived.json()["code"] == "upstream_retired"
    assert (await act("enable", "none")).status_code == 404
    async with database.begin() as connection:
        acts = await connection.scalars(
            select(audit_entries.c.action)
            .where(audit_entries.c.action.startswith("upstream."))
            .order_by(audit_entries.c.id)
        )
        audited = list(acts)
    assert audited.count("upstream.retire") == 1
    assert {"upstream.disable", "upstream.enable", "upstream.test"} <= set(audited)


async def test_a_test_does_not_say_of_keys_that_were_not_tried_that_they_were_slow(
    api: httpx.AsyncClient, operator: Headers, double: ProviderDouble
) -> None:
    double.default = "hang"
    keys = [{"secret": f"their-key-{number}"} for number in range(7)]
    await put(api, operator, double.url, keys=keys, timeouts={"total_seconds": 3})
    tested = (await api.post("/v1/upstreams/main/test", headers=operator, json={})).json()
    details = [key["detail"] for key in tested["keys"]]
    assert len(double.asked) == 5  # as many as are tried at a time
    assert all(detail.startswith("It did not answer within ") for detail in details[:5])
    assert all(detail.startswith("It was not tried") for detail in details[5:])
    assert not tested["went_well"]


async def test_a_test_tells_what_is_wrong_and_never_a_key(
    api: httpx.AsyncClient, operator: Headers, double: ProviderDouble
) -> None:
    await put(api, operator, double.url, keys=[{"secret": SECRET}])

    async def test(name: str = "main", **wanted: Any) -> httpx.Response:
        return await api.post(f"/v1/upstreams/{name}/test", headers=operator, json=wanted)

    for wanted, field in (
        ({"model": "of-nobody"}, "model"),
        ({"protocol": "messages"}, "protocol"),
    ):
        refused = await test(**wanted)
        assert refused.status_code == 422
        assert refused.json()["code"] == "upstream_cannot_be_tested"
        assert refused.json()["errors"][0]["field"] == field
    await put(api, operator, "http://127.0.0.1:1", "away")
    away = (await test("away")).json()
    assert (away["went_well"], away["status"]) == (False, None)
    assert "could not be reached" in away["detail"]

    # A provider that repeats the key that it does not take
    refused_words = [{"role": "user", "content": "do:401"}]
    await put(api, operator, double.url, rules={"force": {"messages": refused_words}})
    wrong = await test()
    assert (wrong.json()["went_well"], wrong.json()["status"]) == (False, 401)
    assert wrong.json()["detail"]
    assert SECRET not in wrong.text
