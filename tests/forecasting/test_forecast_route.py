"""A forecast is asked for, computed by a worker, kept, shown, and renewed; each once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import psutil
import pytest
from sqlalchemy import delete, insert, select, update

from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import delete_tenant, find_tenant
from backend.errors import NotFound
from backend.forecasting.forecast import Outcome
from backend.forecasting.store import FRESH_SECONDS, basis_now, store_forecast, stored_forecast
from backend.forecasting.worker import ForecastFailed, ForecastsWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import daily_rollups, forecasts, rollups, usage_versions
from backend_client.types.accounts import Tenant
from backend_client.types.spend import BudgetOutlook, Forecast
from tests.support.days import sum_days
from tests.support.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture
async def forecaster(api_settings: Settings, database: Database) -> AsyncIterator[ForecastsWorker]:
    """A worker that computes forecasts, listening."""
    assert api_settings.nats_url is not None
    stop = asyncio.Event()
    worker = ForecastsWorker(database, api_settings.nats_url, api_settings)
    task = asyncio.create_task(worker.run(stop))
    yield worker
    stop.set()
    await task


@pytest.fixture
async def unasked(database: Database) -> AsyncIterator[ForecastsWorker]:
    """A worker that nobody can ask: it computes when the test says so."""
    worker = ForecastsWorker(database, "", Settings())
    yield worker
    await worker.close()


@pytest.fixture
async def tenant(api: httpx.AsyncClient, session: dict[str, str], database: Database) -> Tenant:
    me = (await api.get("/v1/me", headers=session)).json()
    async with database.begin() as connection:
        return await find_tenant(connection, me["tenant"]["id"])


async def use(database: Database, tenant: Tenant, days: int, quantity: int = 50_000) -> None:
    """Have the tenant use the same each day up to yesterday."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    async with database.begin() as connection:
        for back in range(1, days + 1):
            await connection.execute(
                insert(rollups).values(
                    tenant_id=tenant.id,
                    bucket=midnight - timedelta(days=back) + timedelta(hours=9),
                    application_id="app_1",
                    key_id="",
                    model="sample-large",
                    meter="output_tokens",
                    quantity=Decimal(quantity),
                    event_count=1,
                )
            )
        await sum_days(connection, tenant.id, midnight - timedelta(days=days), midnight)
        await connection.execute(
            insert(usage_versions).values(
                tenant_id=tenant.id, version=days, last_event_at=datetime.now(UTC)
            )
        )


async def until_forecast(
    api: httpx.AsyncClient, session: dict[str, str], *, after: str = ""
) -> dict[str, object]:
    """The forecast, once there is one that was computed after ``after``."""
    forecast: dict[str, object] = {}

    async def computed() -> bool:
        answer = await api.get("/v1/forecast", headers=session)
        if answer.status_code != 200:
            assert (answer.status_code, answer.content) == (202, b"")
            assert int(answer.headers["retry-after"]) >= 1
            return False
        forecast.update(answer.json())
        return bool(answer.json()["computed_at"] > after)

    await until(computed)
    return forecast


async def test_it_is_computed_on_demand_and_kept(
    api: httpx.AsyncClient,
    session: dict[str, str],
    tenant: Tenant,
    database: Database,
    forecaster: ForecastsWorker,
) -> None:
    await use(database, tenant, 60)
    first = Forecast.model_validate(await until_forecast(api, session))
    assert (first.method, first.history_days, first.version) == ("prophet", 60, 60)
    assert first.low.amount <= first.expected.amount <= first.high.amount
    again = Forecast.model_validate((await api.get("/v1/forecast", headers=session)).json())
    assert again == first
    # It is the worker's child that computes, and it ends with the worker
    children = psutil.Process().children(recursive=True)
    assert any("spawn_main" in " ".join(child.cmdline()) for child in children)


async def test_a_stale_one_is_shown_while_the_next_is_computed(
    api: httpx.AsyncClient,
    session: dict[str, str],
    tenant: Tenant,
    database: Database,
    forecaster: ForecastsWorker,
) -> None:
    await use(database, tenant, 3)
    await until_forecast(api, session)
    old = datetime.now(UTC) - timedelta(minutes=20)
    async with database.begin() as connection:
        kept = await stored_forecast(connection, tenant, datetime.now(UTC))
        assert kept is not None
        document = {**kept.forecast.model_dump(mode="json"), "computed_at": old.isoformat()}
        await connection.execute(
            update(forecasts).values(
                computed_at=old, document=forecasts.c.document.op("||")({"forecast": document})
            )
        )
    shown = await api.get("/v1/forecast", headers=session)
    assert shown.status_code == 200
    assert datetime.fromisoformat(shown.json()["computed_at"]) == old
    newer = await until_forecast(api, session, after=shown.json()["computed_at"])
    assert datetime.fromisoformat(str(newer["computed_at"])) > old


async def test_its_trust_follows_and_stays(
    api: httpx.AsyncClient,
    session: dict[str, str],
    tenant: Tenant,
    database: Database,
    forecaster: ForecastsWorker,
) -> None:
    await use(database, tenant, 60)

    async def tested() -> bool:
        return (await until_forecast(api, session))["trust"] is not None

    await until(tested)
    trust = (await until_forecast(api, session))["trust"]
    assert isinstance(trust, dict)
    assert (trust["measure"], trust["trials"]) == ("tokens", 5)
    assert trust["error"] < 0.01
    assert not await forecaster.test(tenant.id)  # it is known for today
    async with database.begin() as connection:
        await connection.execute(update(forecasts).values(usage_version=-1))
        old = forecasts.c.computed_at - timedelta(minutes=1)
        await connection.execute(update(forecasts).values(computed_at=old))
    assert await forecaster.refresh(tenant.id)
    assert (await until_forecast(api, session))["trust"] == trust


async def test_a_budget_is_held_against_the_forecast(
    api: httpx.AsyncClient,
    session: dict[str, str],
    tenant: Tenant,
    database: Database,
    unasked: ForecastsWorker,
) -> None:
    asked = "/v1/forecast/budget?amount=12.50"
    waiting = await api.get(asked, headers=session)
    assert (waiting.status_code, waiting.content) == (202, b"")
    await use(database, tenant, 20)
    await unasked.refresh(tenant.id)
    answer = await api.get(asked, headers=session)
    assert answer.status_code == 200, answer.text
    outlook = BudgetOutlook.model_validate(answer.json())
    assert outlook.budget.amount == Decimal("12.50")
    assert (outlook.chance, outlook.likely) == (0.0, None)  # the free plan asks for nothing
    for amount in ("0", "-1", "much"):
        wrong = await api.get(f"/v1/forecast/budget?amount={amount}", headers=session)
        assert wrong.status_code == 422
        assert wrong.json()["errors"][0]["field"] == "amount"


async def test_when_one_is_fresh_stale_and_none(
    session: dict[str, str],
    tenant: Tenant,
    database: Database,
    api: httpx.AsyncClient,
    unasked: ForecastsWorker,
) -> None:
    await use(database, tenant, 2)
    assert (await api.get("/v1/forecast", headers=session)).status_code == 202  # nobody computes
    assert await unasked.refresh(tenant.id)
    assert not await unasked.refresh(tenant.id)  # it is fresh

    async with database.begin() as connection:
        computed_at = await connection.scalar(select(forecasts.c.computed_at))
    assert computed_at is not None

    async def state(age: timedelta) -> str:
        async with database.begin() as connection:
            # It is made older, since a later moment could be of the next month
            await connection.execute(update(forecasts).values(computed_at=computed_at - age))
            stored = await stored_forecast(connection, tenant, computed_at)
            return "none" if stored is None else "fresh" if stored.fresh else "stale"

    minute = timedelta(seconds=FRESH_SECONDS)
    assert [await state(age) for age in (timedelta(0), 2 * minute)] == ["fresh", "fresh"]
    async with database.begin() as connection:
        await connection.execute(update(usage_versions).values(version=9))
    assert [await state(age) for age in (minute, 2 * minute)] == ["fresh", "stale"]
    assert await state(timedelta(days=2)) == "none"
    # One that another version of Farebox kept is made anew
    kept = forecasts.c.document
    async with database.begin() as connection:
        await connection.execute(update(forecasts).values(document=kept.op("-")("format")))
    assert await state(timedelta(0)) == "none"
    async with database.begin() as connection:
        await connection.execute(update(forecasts).values(document=kept.op("||")({"format": 1})))
    assert await state(timedelta(0)) == "fresh"
    # Another plan is another bill
    changed = await api.put(
        "/v1/subscription",
        headers=session,
        json={"plan": "pay-as-you-go"},
    )
    assert changed.status_code == 200, changed.text
    assert await state(timedelta(0)) == "none"


async def test_workers_don_t_compute_the_same_twice(tenant: Tenant, database: Database) -> None:
    workers = [ForecastsWorker(database, "", Settings()) for _ in range(3)]
    done = await asyncio.gather(*(worker.refresh(tenant.id) for worker in workers))
    for worker in workers:
        await worker.close()
    assert sorted(done) == [False, False, True]


async def test_a_newer_one_is_not_replaced_by_an_older(
    tenant: Tenant, database: Database, unasked: ForecastsWorker
) -> None:
    await unasked.refresh(tenant.id)
    async with database.begin() as connection:
        now = datetime.now(UTC)
        kept = await stored_forecast(connection, tenant, now)
        assert kept is not None
        earlier = kept.forecast.computed_at - timedelta(minutes=1)
        older = Outcome(kept.forecast.model_copy(update={"computed_at": earlier}), [])
        await store_forecast(connection, tenant.id, older, await basis_now(connection, tenant, now))
        assert await stored_forecast(connection, tenant, now) == kept


async def test_a_tenant_that_is_gone_is_no_trouble(
    tenant: Tenant, database: Database, unasked: ForecastsWorker
) -> None:
    async with database.begin() as connection:
        await delete_tenant(connection, COMMAND_LINE, tenant.id)
    with pytest.raises(NotFound):
        await unasked.refresh(tenant.id)


async def test_one_that_fails_stops_neither_the_worker_nor_the_next(
    api: httpx.AsyncClient,
    session: dict[str, str],
    tenant: Tenant,
    database: Database,
    forecaster: ForecastsWorker,
) -> None:
    await use(database, tenant, 3, quantity=10**400)  # more than a float can hold
    with pytest.raises(ForecastFailed):
        await forecaster.refresh(tenant.id)
    assert (await api.get("/v1/forecast", headers=session)).status_code == 202
    async with database.begin() as connection:
        for table in (rollups, daily_rollups):
            await connection.execute(delete(table))
    assert (await until_forecast(api, session))["method"] == "run_rate"


async def test_it_needs_the_right_to_see_spend(
    api: httpx.AsyncClient, session: dict[str, str], operator: dict[str, str]
) -> None:
    assert (await api.get("/v1/forecast")).status_code == 401
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    answer = await api.post(
        "/v1/keys",
        headers=session,
        json={"name": "k", "application_id": application, "scopes": ["inference"]},
    )
    key = {"authorization": f"Bearer {answer.json()['secret']}"}
    assert (await api.get("/v1/forecast", headers=key)).status_code == 403
