"""Platforms over HTTP: connecting, webhooks, replay, payment pages, and Stripe's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
import stripe as official
from fastapi import FastAPI
from sqlalchemy import select

from backend.api.app import create_app
from backend.invoices.settling import write_off
from backend.platforms.comparing.verifying import verify_all
from backend.platforms.remote_ids import StoredMemory
from backend.platforms.stripe.adapter import Stripe
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import top_ups
from backend_client.types.accounts import Role, Tenant
from tests.api.test_invoice_routes import Headers, a_session
from tests.platforms.conftest import VAT, apply, dispatches, issued, on_stripe, send, signed
from tests.support.billing import make_tenant
from tests.support.stripe.server import KEY, StripeStandIn

pytestmark = pytest.mark.engine


@pytest.fixture
async def app(
    api_settings: Settings, settings: Settings, database: Database
) -> AsyncIterator[FastAPI]:
    names = ("stripe_secret_key", "stripe_webhook_secret", "stripe_url")
    given = {name: getattr(settings, name) for name in names}
    app = create_app(api_settings.model_copy(update=given))
    async with app.router.lifespan_context(app):
        yield app


async def test_from_connecting_to_paid(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
) -> None:
    tenant = await make_tenant(database)
    at = f"/v1/tenants/{tenant.id}/platforms"
    before = await issued(database, settings, tenant, ["7.00"], month=1)
    for _ in range(2):
        put = await api.put(at, headers=operator, json={"platform": "stripe"})
        assert (put.status_code, put.json()["mode"]) == (200, "invoices")
    invoice_id = await issued(database, settings, tenant, ["10.00"], [VAT], month=2)
    assert await send(database, stripe) == 1

    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    for queued in (1, 0):
        answer = await api.post(f"{at}/backfill", headers=operator, json={"since": since})
        assert answer.json() == {"queued": queued}
    assert await send(database, stripe) == 1
    sent = (await api.get("/v1/platform-dispatches", headers=operator)).json()["items"]
    assert [item["subject"] for item in sent] == [before, invoice_id] or len(sent) == 2

    owner = await a_session(database, tenant, Role.OWNER)
    options = await api.get("/v1/payment-options", headers=owner)
    assert options.json() == {"platform": "stripe"}
    link = await api.post(f"/v1/invoices/{invoice_id}/payment-link", headers=owner)
    assert link.status_code == 200, link.text
    assert link.json()["url"].startswith("https://invoice.stripe.example/in_")
    remote_id = link.json()["url"].rpartition("/")[2]
    stand_in.books.pay(remote_id, stand_in.now)
    for event in stand_in.books.events * 2:
        body = json.dumps(event).encode()
        headers = {"stripe-signature": signed(body)}
        answer = await api.post("/v1/platforms/stripe/webhook", content=body, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        forged = await api.post(
            "/v1/platforms/stripe/webhook",
            content=body,
            headers={"stripe-signature": signed(body, "whsec_of_somebody")},
        )
        assert (forged.status_code, forged.json()["code"]) == (400, "webhook_refused")
    await apply(database, settings, stripe, [])
    paid = (await api.get(f"/v1/invoices/{invoice_id}", headers=owner)).json()
    assert (paid["state"], paid["payments"][0]["method"]) == ("paid", "stripe")
    again = await api.post(f"/v1/invoices/{invoice_id}/payment-link", headers=owner)
    assert (again.status_code, again.json()["code"]) == (409, "nothing_to_pay")

    [status, *_] = (await api.get("/v1/platforms", headers=operator)).json()
    assert (status["connections"], status["waiting"], status["refused"]) == (1, 1, 0)
    metrics = (await api.get("/metrics", headers=operator)).text
    assert 'farebox_platform_waiting{platform="stripe"} 1.0' in metrics
    cursors = (await api.get("/v1/platforms/stripe/cursors", headers=operator)).json()["items"]
    assert [cursor["stream"] for cursor in cursors] == ["documents", "usage"]
    gone = await api.delete(at, headers=operator)
    assert gone.status_code == 204
    options = await api.get("/v1/payment-options", headers=owner)
    assert options.json() == {"platform": None}
    audit = await api.get("/v1/operator-audit?action=platform", headers=operator)
    acts = {entry["action"] for entry in audit.json()["items"]}
    assert acts == {"platform.connect", "platform.backfill", "platform.disconnect"}
    await issued(database, settings, tenant, ["10.00"], month=3)
    assert len(await dispatches(database, tenant)) == 3


async def test_credit_is_bought_on_stripes_page_and_by_the_saved_method(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    tenant: Tenant,
) -> None:
    owner = await a_session(database, tenant, Role.OWNER)
    asked = await api.post("/v1/wallet/top-ups", headers=owner, json={"amount": "25"})
    at = f"/v1/wallet/top-ups/{asked.json()['id']}/payment-link"
    urls = {(await api.post(at, headers=owner)).json()["url"] for _ in range(2)}
    assert len(urls) == 1  # the session is open still
    [session] = stand_in.books.all("checkout.session")
    charge = stand_in.books.pay_checkout(session["id"], stand_in.now)
    await apply(database, settings, stripe, stand_in.books.events * 3)
    wallet = (await api.get("/v1/wallet", headers=owner)).json()
    assert wallet["spendable"] == "25"

    assert (await api.get("/v1/payment-methods", headers=owner)).json() == []
    link = await api.post("/v1/payment-methods/link", headers=owner)
    setup = link.json()["url"].rpartition("/")[2]
    stand_in.books.pay_checkout(setup, stand_in.now)
    await apply(database, settings, stripe, stand_in.books.events[-1:])
    [customer] = stand_in.books.all("customer")
    assert customer["invoice_settings"]["default_payment_method"].startswith("pm_")
    stand_in.books.add("pm", "payment_method", stand_in.now, customer=customer["id"], type="link")
    methods = (await api.get("/v1/payment-methods", headers=owner)).json()
    card = {"kind": "card", "label": "Visa •••• 4242", "expires_on": "2031-04", "chosen": True}
    link = {"kind": "link", "label": "Link", "expires_on": None, "chosen": False}
    assert methods == [card, link]
    rule = {"top_up": {"threshold": "100", "amount": "50", "daily_ceiling": "50"}}
    assert (await api.put("/v1/wallet", headers=owner, json=rule)).status_code == 200
    await send(database, stripe)
    await apply(database, settings, stripe, stand_in.books.events[-1:])
    assert (await api.get("/v1/wallet", headers=owner)).json()["spendable"] == "75"
    async with database.begin() as connection:
        states = (await connection.scalars(select(top_ups.c.state))).all()
    assert set(states) == {"paid"}
    await issued(database, settings, tenant, ["100.00"])  # its wallet pays a part at once
    await send(database, stripe)
    [remote] = stand_in.books.all("invoice")
    assert remote["collection_method"] == "charge_automatically"

    stand_in.books.refund(charge, 2500, stand_in.now)
    await apply(database, settings, stripe, stand_in.books.events[-1:])
    portal = await api.post("/v1/billing-portal/link", headers=owner)
    assert portal.json()["url"].startswith("https://billing.stripe.example/")


async def test_what_was_refused_is_replayed_once_it_is_mended(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    tenant: Tenant,
) -> None:
    await issued(database, settings, tenant, ["10.00"])
    [number] = [row["data"] for row in await dispatches(database, tenant)]
    assert number
    customer = stand_in.books.add("cus", "customer", stand_in.now, currency="eur", balance=0)

    await StoredMemory(database, "stripe", tenant.id).remember("customer", "USD", customer["id"])
    await send(database, stripe)
    [parked] = (
        await api.get("/v1/platform-dispatches", headers=operator, params={"state": "refused"})
    ).json()["items"]
    assert "combine currencies" in parked["reason"]
    customer["currency"] = "usd"
    at = f"/v1/platform-dispatches/{parked['id']}/replay"
    assert (await api.post(at, headers=operator)).json()["state"] == "waiting"
    assert (await api.post(at, headers=operator)).json()["code"] == "dispatch_not_refused"
    audit = await api.get("/v1/operator-audit?action=platform", headers=operator)
    assert [entry["action"] for entry in audit.json()["items"]] == ["platform.replay"]
    await send(database, stripe)
    assert [row["state"] for row in await dispatches(database, tenant)] == ["confirmed"]
    named = (await api.get(f"/v1/tenants/{tenant.id}/platforms/objects", headers=operator)).json()
    kinds = {item["kind"]: item["remote_id"] for item in named["items"]}
    assert kinds["customer"] == customer["id"]
    assert kinds["invoice"] == stand_in.books.all("invoice")[0]["id"]


async def test_what_was_refused_is_skipped_and_shows_as_drift(
    api: httpx.AsyncClient,
    operator: Headers,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
) -> None:
    tenant = await on_stripe(database, stripe, currency="KWD")
    at = "/v1/platform-connections"
    [on] = (await api.get(at, headers=operator)).json()["items"]
    assert (on["tenant_id"], on["platform"], on["ends_at"]) == (tenant.id, "stripe", None)
    invoice_id = await issued(database, settings, tenant, ["1.234"])  # no step of 0.010
    async with database.begin() as connection:
        await write_off(connection, tenant.id, invoice_id, datetime.now(UTC))
    await send(database, stripe)
    parked, waiting = await dispatches(database, tenant)
    assert (parked["state"], waiting["state"]) == ("refused", "waiting")
    at = f"/v1/platform-dispatches/{parked['id']}/skip"
    skipped = await api.post(at, headers=operator, json={"reason": "Paid in cash."})
    assert skipped.json()["state"] == "skipped"
    assert skipped.json()["reason"].startswith("Skipped: Paid in cash. It was refused: ")
    again = await api.post(at, headers=operator, json={"reason": "Paid in cash."})
    assert again.json()["code"] == "dispatch_not_refused"
    await send(database, stripe)
    states = [row["state"] for row in await dispatches(database, tenant)]
    assert states == ["skipped", "confirmed"]  # there is nothing to write off
    asked = await api.post(f"/v1/tenants/{tenant.id}/platforms/compare", headers=operator)
    assert asked.status_code == 202
    later, stop = datetime.now(UTC) + timedelta(hours=2), asyncio.Event()
    day = timedelta(days=1)
    assert await verify_all(database, {"stripe": stripe}, later, day, stop) == 1
    [difference] = (await api.get("/v1/platform-drift", headers=operator)).json()["items"]
    assert (difference["cause"], difference["subject"]) == ("not_sent", invoice_id)
    assert "Paid in cash" in difference["detail"]
    replay = await api.post(at.replace("skip", "replay"), headers=operator)
    assert replay.json()["state"] == "waiting"
    audit = await api.get("/v1/operator-audit?action=platform", headers=operator)
    acts = [entry["action"] for entry in audit.json()["items"]]
    assert acts == ["platform.replay", "platform.compare", "platform.skip"]


async def test_stripes_own_client_reads_what_was_written(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    invoice_id = await issued(database, settings, tenant, ["10.01", "-2.50", "3.00"], [VAT])
    await send(database, stripe)
    client = official.StripeClient(KEY, base_addresses={"api": stand_in.url})

    def read() -> tuple[official.Invoice, list[official.InvoiceLineItem]]:
        [remote] = client.v1.invoices.list().data
        lines = client.v1.invoices.line_items.list(remote.id)
        return remote, list(lines.auto_paging_iter())

    remote, lines = await asyncio.to_thread(read)
    assert remote.metadata is not None
    assert remote.metadata["farebox_id"] == invoice_id
    assert (remote.total, remote.status, remote.currency) == (1251, "open", "usd")
    assert [line.amount for line in lines] == [1001, -250, 300]
    assert sum(Decimal(tax.amount) for line in lines for tax in line.taxes or []) == 200
