"""Test clocks over HTTP: made with a tenant, advanced by the worker, and apart from real time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from backend.clocks.worker import ClocksWorker
from backend.invoices.letters.writing import CustomerLetters
from backend.outbox.routing import route
from backend.outbox.worker import configured_channels
from backend.platforms.configured import open_adapters
from backend.platforms.connections import connect
from backend.platforms.errors import NoPlatformForTestClocks
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import notification_deliveries, notifications
from backend_client.types.platforms import PlatformConnect
from tests.support.waiting import until

pytestmark = pytest.mark.engine

Headers = dict[str, str]
START = datetime(2031, 3, 1, tzinfo=UTC)
APRIL = datetime(2031, 4, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
async def clocks(api_settings: Settings, database: Database, worker: None) -> AsyncIterator[None]:
    """The worker that advances clocks, beside the one that counts."""
    assert api_settings.nats_url is not None
    stop = asyncio.Event()
    advancing = ClocksWorker(database, api_settings.nats_url, api_settings)
    task = asyncio.create_task(advancing.run(stop))
    yield
    stop.set()
    await task


class Seller:
    """The operator, at the routes of one tenant on a clock."""

    def __init__(self, api: httpx.AsyncClient, headers: Headers, tenant: str) -> None:
        self.api, self.headers, self.tenant = api, headers, tenant

    async def get(self, what: str) -> Any:
        answer = await self.api.get(f"/v1/tenants/{self.tenant}{what}", headers=self.headers)
        return answer.json()

    async def post(self, what: str, body: object) -> httpx.Response:
        url = f"/v1/tenants/{self.tenant}{what}"
        return await self.api.post(url, headers=self.headers, json=body)

    async def advance(self, to: datetime) -> httpx.Response:
        return await self.post("/test-clock/advance", {"to": to.isoformat()})

    async def at(self, moment: datetime) -> None:
        """Advance the clock, and wait until it is there."""
        assert (await self.advance(moment)).status_code == 202

        async def ready() -> bool:
            clock = await self.get("/test-clock")
            assert clock["state"] != "failed", clock
            return bool(clock["state"] == "ready")

        await until(ready)

    async def send(self, at: datetime, event_id: str) -> Any:
        """Send an event of a million tokens."""
        [application] = (await self.applications())["items"]
        event = {
            "specversion": "1.0",
            "id": event_id,
            "source": "clock",
            "type": "ai.usage",
            "subject": self.tenant,
            "time": at.isoformat(),
            "data": {
                "application": application["id"],
                "model": "sample-large",
                "quantities": {"output_tokens": 1_000_000},
            },
        }
        return (await self.api.post("/v1/events", headers=self.headers, json=[event])).json()

    async def applications(self) -> Any:
        url = f"/v1/tenants/{self.tenant}/applications"
        return (await self.api.get(url, headers=self.headers)).json()


@pytest.fixture
async def seller(api: httpx.AsyncClient, operator: Headers) -> Seller:
    wanted = {
        "slug": "on-a-clock",
        "name": "On a clock",
        "plan": "pay-as-you-go",
        "clock_at": START.isoformat(),
    }
    answer = await api.post("/v1/tenants", headers=operator, json=wanted)
    assert answer.status_code == 201, answer.text
    tenant = answer.json()
    assert (tenant["is_sample"], tenant["clock_at"]) == (True, "2031-03-01T00:00:00Z")
    return Seller(api, operator, tenant["id"])


async def test_a_month_goes_by_when_the_seller_says_so(
    seller: Seller, clocks: None, database: Database, api_settings: Settings
) -> None:
    await seller.at(START + 20 * DAY)
    late = await seller.send(START + 20 * DAY + timedelta(seconds=1), "late")
    assert (late["accepted"], late["errors"][0]["field"]) == (0, "time")
    assert "test clock" in late["errors"][0]["detail"]
    assert (await seller.send(START + 20 * DAY, "of now"))["accepted"] == 1
    assert (await seller.send(START + 3 * DAY, "earlier"))["accepted"] == 1
    # At once: what was accepted is counted before the clock goes on
    await seller.at(APRIL + 2 * DAY)
    draft, invoice = (await seller.get("/invoices"))["items"]
    assert draft["period"]["start"] == "2031-04-01T00:00:00Z"
    assert (invoice["state"], invoice["issued_at"]) == ("finalized", "2031-04-02T00:00:00Z")
    whole = await seller.get(f"/invoices/{invoice['id']}")
    assert {line["quantity"] for line in whole["lines"]} >= {"2000000"}
    subscription = await seller.get("/subscription")
    assert subscription["start"] == "2031-03-01T00:00:00Z"

    # Nothing of it goes to anybody
    secret = "whsec_" + "A" * 43 + "="
    webhook = {"webhook_url": "https://example.com/hook", "webhook_secret": secret}
    silent = Settings.model_validate(api_settings.model_dump() | webhook)
    channels = configured_channels(silent, CustomerLetters(database, silent))
    try:
        async with database.begin() as connection:
            assert await route(connection, channels, datetime.now(UTC)) > 0
            sent = select(func.count()).select_from(notification_deliveries)
            assert await connection.scalar(sent) == 0
            notice = await connection.scalar(select(notifications.c.id))
    finally:
        for channel in channels:
            await channel.close()
    again = await seller.api.post(
        f"/v1/notifications/{notice}/resend", headers=seller.headers, json={}
    )
    assert (again.status_code, again.json()["code"]) == (409, "notification_of_test_clock")


async def test_a_clock_goes_forward_in_steps_that_show_each_period(seller: Seller) -> None:
    """No worker is here, so it stays on its way."""
    for to, detail, code in (
        (START - DAY, "forward", "clock_only_forward"),
        (START + 63 * DAY, "62 days", "clock_step_too_long"),
    ):
        refused = await seller.advance(to)
        assert refused.json()["code"] == code
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "to")
        assert detail in refused.json()["detail"]
    for _ in range(2):
        clock = (await seller.advance(START + DAY)).json()
        assert (clock["state"], clock["at"]) == ("advancing", "2031-03-01T00:00:00Z")
    refused = await seller.advance(START + 2 * DAY)
    assert (refused.status_code, refused.json()["code"]) == (409, "clock_advancing")
    entries = await seller.api.get(
        f"/v1/operator-audit?tenant={seller.tenant}", headers=seller.headers
    )
    actions = [entry["action"] for entry in entries.json()["items"]]
    assert actions.count("test-clock.advance") == 1


async def test_real_time_is_nobodys_to_bend(
    api: httpx.AsyncClient, session: Headers, operator: Headers, seller: Seller
) -> None:
    customer = (await api.get("/v1/me", headers=session)).json()["tenant"]
    assert customer["clock_at"] is None
    in_real_time = Seller(api, operator, customer["id"])
    assert (await in_real_time.get("/test-clock"))["code"] == "no_test_clock"
    assert (await in_real_time.advance(datetime.now(UTC))).json()["code"] == "no_test_clock"
    url = f"/v1/tenants/{customer['id']}"
    changed = await api.patch(url, headers=operator, json={"clock_at": START.isoformat()})
    assert changed.status_code == 422
    early = {"slug": "early", "name": "Early", "clock_at": "1999-12-31T00:00:00Z"}
    refused = await api.post("/v1/tenants", headers=operator, json=early)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "clock_at")


async def test_nothing_real_is_done_for_it(
    seller: Seller, api: httpx.AsyncClient, database: Database, api_settings: Settings
) -> None:
    key = await seller.post("/keys", {"name": "k", "application_id": (await _application(seller))})
    call = {"model": "sample-small", "messages": [{"role": "user", "content": "Hi"}]}
    secret = {"authorization": f"Bearer {key.json()['secret']}"}
    refused = await api.post("/v1/chat/completions", headers=secret, json=call)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "tenant_on_test_clock")

    on_stripe = {"stripe_secret_key": "sk_test_x", "stripe_webhook_secret": "whsec_x"}
    settings = Settings.model_validate(api_settings.model_dump() | on_stripe)
    adapters = open_adapters(database, settings)
    wanted = PlatformConnect(platform="stripe")
    try:
        with pytest.raises(NoPlatformForTestClocks):
            async with database.begin() as connection:
                await connect(connection, seller.tenant, wanted, adapters["stripe"], START)
    finally:
        for adapter in adapters.values():
            await adapter.close()


async def _application(seller: Seller) -> str:
    [application] = (await seller.applications())["items"]
    return str(application["id"])
