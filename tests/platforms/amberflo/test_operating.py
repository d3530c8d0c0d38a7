"""Running it: dry runs, the commands, the API, and what must not be seen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select
from typer.testing import CliRunner

from backend.api.app import create_app
from backend.commands import platform as commands
from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.connections import connect
from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import metadata
from backend_client.types.platforms import PlatformConnect, PlatformMode
from tests.api.test_invoice_routes import Headers
from tests.platforms.amberflo.conftest import (
    PERIOD,
    SOME_DAY,
    amberflo_settings,
    on_amberflo,
    opened,
    rated_by_amberflo,
    send,
    sent,
)
from tests.platforms.conftest import Clock, dispatches
from tests.support.amberflo.server import KEY, WEBHOOK_SECRET, AmberfloStandIn
from tests.support.invoices import count, subscribed, used

pytestmark = pytest.mark.engine


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: Database) -> CliRunner:
    own = settings.model_copy(update={"database_url": database.url})
    monkeypatch.setattr(commands, "running_settings", lambda: own)
    return CliRunner()


async def invoked(run: CliRunner, *words: str) -> tuple[int, str]:
    """A command, in a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(run.invoke, commands.platform, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


async def test_a_dry_run_says_each_request_and_sends_none(
    run: CliRunner, database: Database, stand_in: AmberfloStandIn, amberflo: Amberflo
) -> None:
    tenant = await subscribed(database, "fitting", PERIOD.start)
    wanted = PlatformConnect(platform="amberflo", mode=PlatformMode.USAGE, starts_at=PERIOD.start)
    async with database.begin() as connection:
        await connect(connection, tenant.id, wanted, amberflo, PERIOD.start)
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    assert (code, stand_in.writes()) == (0, [])
    rehearsed = re.findall(r"^  (\w+ \S+)$", said, re.MULTILINE)
    assert rehearsed[:2] == ["POST /customers/", "POST /meters"]
    assert f'"customerId": "{tenant.id}"' in said

    code, said = await invoked(run, "push", tenant.id)
    assert (code, said.splitlines()[-1]) == (0, "1 tried")
    assert [f"{of.method} {of.path}" for of in stand_in.writes()] == rehearsed

    await count(database, [used(tenant, SOME_DAY, "10")])
    before = len(stand_in.writes())
    since = ("backfill", tenant.id, "--since", f"{PERIOD.start:%Y-%m-%d}")
    assert await invoked(run, *since, "--dry-run") == (0, "1 would be queued\n")
    assert await invoked(run, *since) == (0, "1 are queued\n")
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    assert said.splitlines()[:2] == ["1 of usage", "  POST /ingest/"]
    assert '"meterApiName": "fb-input_tokens-large"' in said
    assert len(stand_in.writes()) == before
    assert await invoked(run, "push", tenant.id) == (0, "1 tried\n")
    assert on_amberflo(stand_in) == 10

    code, said = await invoked(run, "verify", tenant.id, "--platform", "amberflo")
    assert (code, said) == (0, "Both sides agree.\n")
    stand_in.books.events.reject(
        *[of.said["uniqueId"] for of in stand_in.books.events.there.values()]
    )
    code, said = await invoked(run, "verify", tenant.id, "--platform", "amberflo")
    assert (code, "refused: 10 were refused" in said) == (1, True)
    again = await invoked(run, "replay", tenant.id, "--platform", "amberflo")
    assert again == (0, "1 are queued again\n")
    code, said = await invoked(run, "plan", "paid", "--platform", "amberflo")
    assert (code, "Charge 'input' adds up several meters" in said) == (1, True)
    code, said = await invoked(run, "status")
    assert "amberflo: configured, 1 tenants, 1 waiting" in said


@pytest.fixture
async def app(
    api_settings: Settings, settings: Settings, database: Database
) -> AsyncIterator[FastAPI]:
    names = ("amberflo_api_key", "amberflo_webhook_secret", "amberflo_url", "amberflo_ingest_url")
    given = {name: getattr(settings, name) for name in names}
    app = create_app(api_settings.model_copy(update=given))
    async with app.router.lifespan_context(app):
        yield app


async def test_by_the_api_it_is_judged_connected_and_heard(
    api: httpx.AsyncClient, operator: Headers, database: Database, amberflo: Amberflo
) -> None:
    tenant = await subscribed(database, "fitting", PERIOD.start)
    fit = await api.get("/v1/platforms/amberflo/plans/fitting", headers=operator)
    assert fit.json() == {"plan": "fitting", "platform": "amberflo", "obstacles": []}
    at, on = f"/v1/tenants/{tenant.id}/platforms", {"platform": "amberflo"}
    refused = await api.put(at, headers=operator, json=on)
    assert (refused.status_code, refused.json()["code"]) == (409, "platform_mode")
    following = billing_period(datetime.now(UTC), "UTC", 1).end
    wanted = on | {"mode": "usage", "starts_at": following.isoformat()}
    connected = await api.put(at, headers=operator, json=wanted)
    assert (connected.status_code, connected.json()["mode"]) == (200, "usage")
    body = {"topic": "ready-product-invoices", "eventTime": 1, "eventId": "1"}
    body["data"] = {"invoiceUri": "payments/invoices/customer_id=nobody"}
    for secret, status in ((WEBHOOK_SECRET, 200), ("of somebody", 400)):
        heard = await api.post(
            "/v1/platforms/amberflo/webhook", json=body, headers={"X-Auth": secret}
        )
        assert heard.status_code == status
    statuses = (await api.get("/v1/platforms", headers=operator)).json()
    [status] = [of for of in statuses if of["platform"] == "amberflo"]
    assert (status["configured"], status["inbox_waiting"]) == (True, 1)


async def test_no_credential_is_stored_or_logged(
    database: Database,
    settings: Settings,
    stand_in: AmberfloStandIn,
    amberflo: Amberflo,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wrong = amberflo_settings(stand_in, amberflo_api_key="key_that_is_wrong")
    async with opened(database, wrong) as adapter:
        tenant = await rated_by_amberflo(database, adapter)
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["reason"]) == ("waiting", "Amberflo answered 403: Forbidden")
    clock = Clock()
    clock.pass_by(timedelta(hours=1))
    await count(database, [used(tenant, SOME_DAY, "1")])
    await send(database, amberflo, clock)
    await sent(database, amberflo, clock)
    assert on_amberflo(stand_in) == 1
    written = capsys.readouterr()
    said = f"{written.out} {written.err} {settings!r}"
    async with database.begin() as connection:
        for table in metadata.tables.values():
            if table.name.startswith("platform_"):
                said += " ".join(map(repr, (await connection.execute(select(table))).all()))
    assert tenant.id in said
    for secret in (KEY, WEBHOOK_SECRET, "key_that_is_wrong"):
        assert secret not in said
