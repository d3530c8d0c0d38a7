"""Orb over the API and the command line: from connecting to paid, dry runs, and its own client."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from typer.testing import CliRunner

from backend.api.app import create_app
from backend.commands import platform as commands
from backend.customers.profiles import set_details
from backend.platforms.comparing.verifying import connection_rows, verify
from backend.platforms.configured import open_adapters
from backend.platforms.connections import connect
from backend.platforms.orb.adapter import Orb
from backend.platforms.queries import replay_all
from backend.platforms.queueing.usage import collect_usage
from backend.platforms.sending.sending import Sending
from backend.platforms.stripe.adapter import Stripe
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Role, Tenant
from backend_client.types.platforms import PlatformConnect
from tests.api.test_invoice_routes import Headers, a_session
from tests.platforms.conftest import VAT, dispatches, drift, issued, on_stripe
from tests.platforms.orb.conftest import DETAILS, apply, send
from tests.platforms.orb.rated import (
    LATELY,
    SOME_DAY,
    becomes,
    rated_by_orb,
)
from tests.support.billing import make_tenant
from tests.support.invoices import count, used
from tests.support.orb.server import KEY, WEBHOOK_SECRET, OrbStandIn, signed
from tests.support.stripe.server import KEY as STRIPE_KEY
from tests.support.stripe.server import StripeStandIn

pytestmark = pytest.mark.engine


@pytest.fixture
async def app(
    api_settings: Settings, settings: Settings, database: Database
) -> AsyncIterator[FastAPI]:
    names = ("orb_api_key", "orb_webhook_secret", "orb_url", "orb_requests_per_second")
    given = {name: getattr(settings, name) for name in names}
    app = create_app(api_settings.model_copy(update=given))
    async with app.router.lifespan_context(app):
        yield app


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


async def test_from_connecting_to_paid(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    settings: Settings,
    stand_in: OrbStandIn,
    orb: Orb,
) -> None:
    tenant = await make_tenant(database)
    async with database.begin() as connection:
        await set_details(connection, tenant.id, DETAILS)
    before = await issued(database, settings, tenant, ["7.00"], month=1)
    at = f"/v1/tenants/{tenant.id}/platforms"
    for _ in range(2):
        put = await api.put(at, headers=operator, json={"platform": "orb"})
        assert (put.status_code, put.json()["platform"]) == (200, "orb")
    invoice_id = await issued(database, settings, tenant, ["10.00"], [VAT], month=2)
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for queued in (1, 0):
        answer = await api.post(f"{at}/backfill", headers=operator, json={"since": since})
        assert answer.json() == {"queued": queued}
    await send(database, orb)
    own = {remote["metadata"]["farebox_id"] for remote in stand_in.books.all("invoice")}
    assert own == {before, invoice_id}

    owner = await a_session(database, tenant, Role.OWNER)
    link = await api.post(f"/v1/invoices/{invoice_id}/payment-link", headers=owner)
    assert link.json()["url"].startswith("https://invoice.withorb.example/")
    stand_in.books.pay(link.json()["url"].rpartition("/")[2], stand_in.now)
    for event in stand_in.books.events * 2:
        body = json.dumps(event).encode()
        address = "/v1/platforms/orb/webhook"
        answer = await api.post(address, content=body, headers=signed(body))
        assert (answer.status_code, answer.content) == (200, b"")
        forged = await api.post(address, content=body, headers=signed(body, "of-somebody"))
        assert (forged.status_code, forged.json()["code"]) == (400, "webhook_refused")
    await apply(database, settings, orb, [])
    paid = (await api.get(f"/v1/invoices/{invoice_id}", headers=owner)).json()
    assert (paid["state"], paid["payments"][0]["method"]) == ("paid", "orb")

    # A webhook that never comes is made up for when both sides are compared
    [unpaid] = [of for of in stand_in.books.all("invoice") if of["status"] == "issued"]
    stand_in.books.pay(unpaid["id"], stand_in.now)
    for row in await connection_rows(database, "orb", tenant.id):
        await verify(database, orb, row, datetime.now(UTC))
    assert await drift(database) == []
    states = {
        (await api.get(f"/v1/invoices/{own_id}", headers=owner)).json()["state"] for own_id in own
    }
    assert states == {"paid"}
    statuses = (await api.get("/v1/platforms", headers=operator)).json()
    [status] = [status for status in statuses if status["platform"] == "orb"]
    assert (status["configured"], status["connections"], status["drift"]) == (True, 1, 0)
    portal = await api.post("/v1/billing-portal/link", headers=owner)
    assert portal.json()["url"].startswith("https://portal.withorb.example/")


async def test_credit_is_bought_on_orbs_page_and_by_the_saved_method(
    api: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    stand_in: OrbStandIn,
    orb: Orb,
    tenant: Tenant,
) -> None:
    owner = await a_session(database, tenant, Role.OWNER)
    asked = await api.post("/v1/wallet/top-ups", headers=owner, json={"amount": "25"})
    at = f"/v1/wallet/top-ups/{asked.json()['id']}/payment-link"
    urls = {(await api.post(at, headers=owner)).json()["url"] for _ in range(2)}
    assert len(urls) == 1
    [invoice] = stand_in.books.all("invoice")
    stand_in.books.pay(invoice["id"], stand_in.now)
    await apply(database, settings, orb, stand_in.books.events * 3)
    assert (await api.get("/v1/wallet", headers=owner)).json()["spendable"] == "25"

    [customer] = stand_in.books.all("customer")
    rule = {"top_up": {"threshold": "100", "amount": "50", "daily_ceiling": "100"}}
    assert (await api.put("/v1/wallet", headers=owner, json=rule)).status_code == 200
    await send(database, orb)
    [parked] = await dispatches(database, tenant)
    assert (parked["state"], parked["reason"]) == (
        "refused",
        "The customer has saved no payment method.",
    )
    customer["payment_provider"] = "stripe_charge"
    async with database.begin() as connection:
        assert await replay_all(connection, "orb", tenant.id, datetime.now(UTC)) == 1
    await send(database, orb)
    automatic = stand_in.books.all("invoice")[-1]
    assert automatic["auto_collection"]["enabled"] is True
    stand_in.books.fail(automatic["id"], stand_in.now)
    await apply(database, settings, orb, stand_in.books.events[-1:])
    assert automatic["status"] == "void"  # nobody pays it later
    wallet = (await api.get("/v1/wallet", headers=owner)).json()
    assert wallet["spendable"] == "25"

    # What is given back for a top-up takes its credit with it
    line = {"invoice_line_item_id": invoice["line_items"][0]["id"], "amount": "25.00"}
    body = {"line_items": [line], "reason": "order_change", "memo": "not wanted"}
    stand_in.books.post_credit_notes(body, {}, stand_in.now)
    await apply(database, settings, orb, stand_in.books.events[-1:] * 2)
    wallet = (await api.get("/v1/wallet", headers=owner)).json()
    assert wallet["spendable"] == "0"


async def test_the_commands_rehearse_send_and_compare(
    run: CliRunner,
    database: Database,
    settings: Settings,
    stand_in: OrbStandIn,
    orb: Orb,
    tenant: Tenant,
    applied: object,
) -> None:
    await issued(database, settings, tenant, ["10.00", "5.00"], [VAT])
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    assert (code, stand_in.writes()) == (0, [])
    paths = re.findall(r"^  (?:POST|PUT) (\S+)$", said, re.MULTILINE)
    assert paths == [
        "/customers",
        "/items",
        "/items",
        "/items",
        "/invoices",
        "/invoices/new-5/issue",
    ]
    assert '"name": "2. Line 2 (12.34567891)"' in said
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["attempts"]) == ("waiting", 0)
    code, said = await invoked(run, "push", tenant.id)
    assert (code, said.splitlines()[-1]) == (0, "1 tried")
    [remote] = stand_in.books.all("invoice")
    assert [asked.path.replace(remote["id"], "new-5") for asked in stand_in.writes()] == paths
    assert (await invoked(run, "verify", tenant.id, "--platform", "orb"))[0] == 0
    remote["total"] = "1.00"
    code, said = await invoked(run, "verify", tenant.id, "--platform", "orb")
    assert (code, re.findall(r": (\w+_\w+): ", said)) == (1, ["edited_there"])

    await issued(database, settings, tenant, ["1.00"], month=4)  # items are remembered by now
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    assert re.findall(r"^  POST (\S+)$", said, re.MULTILINE) == [
        "/invoices",
        "/invoices/new-1/issue",
    ]
    code, said = await invoked(run, "plan", "paid", "--platform", "orb")
    assert code == 1
    assert "Charge 'input' prices all models: name them" in said
    code, said = await invoked(run, "status")
    assert "orb: configured, 1 tenants" in said


async def test_usage_is_rehearsed_too(
    run: CliRunner, database: Database, stand_in: OrbStandIn, orb: Orb
) -> None:
    """What was never sent, and what takes it back: new, old, and corrected."""
    tenant = await rated_by_orb(database, orb)
    await count(database, [used(tenant, at, "5") for at in (LATELY, SOME_DAY)])
    await collect_usage(database, ["orb"], datetime.now(UTC))
    before = len(stand_in.writes())
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    assert (code, len(stand_in.writes())) == (0, before)
    assert re.findall(r"^  (POST|PUT) (\S+)$", said, re.MULTILINE) == [
        ("POST", "/ingest"),
        ("POST", "/events/backfills"),
        ("POST", "/ingest"),
        ("POST", "/events/backfills/new-2/close"),
    ]
    await send(database, orb)
    await becomes(database, LATELY, "3")
    await collect_usage(database, ["orb"], datetime.now(UTC))
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    first = next(iter(stand_in.books.usage))
    assert re.findall(r"^  (POST|PUT) (\S+)$", said, re.MULTILINE) == [
        ("PUT", f"/events/{first}"),
    ]
    assert '"quantity": 3' in said


async def test_from_one_platform_to_another_nothing_is_sent_twice_or_not_at_all(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb
) -> None:
    """From Stripe to Orb in the middle of a month: each invoice by when it was issued."""
    async with StripeStandIn() as at_stripe:
        both = settings.model_copy(
            update={"stripe_secret_key": SecretStr(STRIPE_KEY), "stripe_url": at_stripe.url}
        )
        adapters = open_adapters(database, both)
        stripe = adapters["stripe"]
        assert isinstance(stripe, Stripe)
        tenant = await on_stripe(database, stripe)
        first = await issued(database, both, tenant, ["10.00"], month=1)
        async with database.begin() as connection:
            await set_details(connection, tenant.id, DETAILS)
            wanted = PlatformConnect(platform="orb")
            await connect(connection, tenant.id, wanted, orb, datetime.now(UTC))
        second = await issued(database, both, tenant, ["20.00"], month=2)
        sending = Sending(database, adapters)
        while await sending.send_due(asyncio.Event()):
            pass
        for adapter in adapters.values():
            await adapter.close()
        [of_stripe] = at_stripe.books.all("invoice")
    [of_orb] = stand_in.books.all("invoice")
    assert (of_stripe["metadata"]["farebox_id"], of_stripe["total"]) == (first, 1000)
    assert (of_orb["metadata"]["farebox_id"], of_orb["total"]) == (second, "20.00")
    for row in await connection_rows(database, "orb", tenant.id):
        await verify(database, orb, row, datetime.now(UTC) + timedelta(hours=2))
    assert await drift(database) == []


async def test_orbs_own_client_reads_what_was_written_and_verifies_as_we_do(
    database: Database, settings: Settings, stand_in: OrbStandIn, orb: Orb, tenant: Tenant
) -> None:
    import orb as official  # here: a second, which every process would take as it collects

    invoice_id = await issued(database, settings, tenant, ["10.01", "-2.50", "3.00"], [VAT])
    await send(database, orb)
    client = official.Orb(
        api_key=KEY, base_url=f"{stand_in.url}/v1", webhook_secret=WEBHOOK_SECRET, max_retries=0
    )

    def read() -> tuple[official.types.shared.Invoice, str]:
        customer = client.customers.fetch_by_external_id(f"{tenant.id}-USD")
        [summary] = client.invoices.list_summary(customer_id=customer.id).data
        return client.invoices.fetch(summary.id), customer.name

    remote, name = await asyncio.to_thread(read)
    assert (remote.metadata["farebox_id"], name) == (invoice_id, "Sample Inc.")
    assert (remote.total, remote.status, remote.currency) == ("12.51", "issued", "USD")
    assert [Decimal(line.amount) for line in remote.line_items] == [
        Decimal(amount) for amount in ("10.01", "-2.50", "3.00", "2.00")
    ]
    body = json.dumps(stand_in.books.events[0]).encode()
    event = client.webhooks.unwrap(body, signed(body))
    assert (event.type, orb.verify(signed(body), body, datetime.now(UTC)).object_id) == (
        "invoice.issued",
        remote.id,
    )
