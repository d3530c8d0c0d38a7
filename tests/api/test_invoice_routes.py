"""Invoices over HTTP: read, downloaded, followed to their events; acted on by the operator."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pypdfium2
import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from sqlalchemy import select

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.pricing.periods import billing_period
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoices
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Role, Tenant
from tests.support.billing import make_tenant
from tests.support.invoices import count, run_invoices, used

pytestmark = pytest.mark.engine

Headers = dict[str, str]
NOW = datetime.now(UTC)
THIS = billing_period(NOW, "UTC")
LAST = billing_period(THIS.start - timedelta(days=1), "UTC")


@pytest.fixture
async def tenant(app: FastAPI, database: Database) -> Tenant:
    """A tenant with usage in the last month, on a plan with tiers."""
    tenant = await make_tenant(database, slug="sample-customer", name="Sample & Söhne")
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "pay-as-you-go", LAST.start)
    events = [
        used(tenant, LAST.start + timedelta(hours=hour), 1_000_000, "output_tokens")
        for hour in range(12)
    ]
    events.append(used(tenant, LAST.start, 1_234_567))
    await count(database, [replace(event, model="sample-large") for event in events])
    return tenant


@pytest.fixture
async def member(database: Database, tenant: Tenant) -> Headers:
    return await a_session(database, tenant, Role.BILLING)


async def a_session(database: Database, tenant: Tenant, role: Role) -> Headers:
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject=role, name=role, email=f"{role}@mail.example"
        )
        await add_member(connection, tenant.id, user, role)
        new_session = await begin_session(connection, user, tenant.id, seconds=600)
    return {"authorization": f"Bearer {new_session.token}"}


@pytest.fixture
async def invoice_id(database: Database, tenant: Tenant, api_settings: Settings) -> str:
    run = await run_invoices(database, api_settings, max(NOW, THIS.start + timedelta(days=1)))
    assert run.invoiced == 1
    async with database.begin() as connection:
        return str(await connection.scalar(select(invoices.c.id)))


async def test_the_list_and_an_invoice_with_an_etag(
    api: httpx.AsyncClient, member: Headers, invoice_id: str
) -> None:
    listed = (await api.get("/v1/invoices", headers=member)).json()["items"]
    assert [(invoice["state"], invoice["number"]) for invoice in listed] == [
        ("draft", None),
        ("finalized", "FB-sample-customer-000001"),
    ]
    answer = await api.get(f"/v1/invoices/{invoice_id}", headers=member)
    invoice = answer.json()
    # 1,234,567 * 2.50 / 1e6 = 3.0864175; 10 M at 10 and 2 M at 9
    assert [(line["name"], line["amount"]["amount"]) for line in invoice["lines"]] == [
        ("Sample Large input tokens", "3.09"),
        ("Sample Large output tokens", "118.00"),
    ]
    assert invoice["total"] == {"amount": "121.09", "currency": "USD"}
    same = await api.get(
        f"/v1/invoices/{invoice_id}", headers=member | {"if-none-match": answer.headers["etag"]}
    )
    assert (same.status_code, same.content) == (304, b"")
    draft = await api.get(f"/v1/invoices/{listed[0]['id']}", headers=member)
    assert draft.json()["state"] == "draft"
    assert (await api.get("/v1/invoices/inv_none", headers=member)).status_code == 404


async def test_an_invoice_as_pdf_is_the_same_each_time(
    api: httpx.AsyncClient, member: Headers, operator: Headers, tenant: Tenant, invoice_id: str
) -> None:
    await api.put(
        "/v1/billing-details", headers=member, json={"name": "Later Ltd", "address": ["Street 1"]}
    )
    path = f"/v1/invoices/{invoice_id}.pdf"
    first = await api.get(path, headers=member)
    assert first.status_code == 200, first.text
    assert first.headers["content-type"] == "application/pdf"
    assert "FB-sample-customer-000001.pdf" in first.headers["content-disposition"]
    with closing(pypdfium2.PdfDocument(first.content)) as printed:
        page = printed[0].get_textpage().get_text_bounded()
    for words in (
        "FB-sample-customer-000001",
        "Sample & Söhne",  # as it was named when it was issued
        "Sample Large output tokens",
        "up to 10,000,000: 10,000,000 × 10.00 / 1,000,000 = 100",
        "exactly 3.0864175",
        "121.09 USD",
        "rounded once, half up",
    ):
        assert words in page, words
    # What is paid on it changes nothing of what was sent
    paid = await api.post(
        f"/v1/tenants/{tenant.id}/invoices/{invoice_id}/payments",
        headers=operator,
        json={"amount": "121.09", "method": "transfer", "reference": "r1"},
    )
    assert (paid.status_code, paid.json()["state"]) == (201, "paid")
    second = await api.get(path, headers=member)
    assert second.content == first.content
    same = await api.get(path, headers=member | {"if-none-match": first.headers["etag"]})
    assert same.status_code == 304


async def test_an_invoice_as_csv_adds_up(
    api: httpx.AsyncClient, member: Headers, invoice_id: str
) -> None:
    answer = await api.get(f"/v1/invoices/{invoice_id}.csv", headers=member)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["kind"] for row in rows] == ["charge", "charge", "subtotal", "total"]
    assert sum(Decimal(row["amount"]) for row in rows[:2]) == Decimal(rows[-1]["amount"])
    assert rows[0]["exact"] == "3.0864175"


async def test_a_line_lists_its_events(
    api: httpx.AsyncClient, member: Headers, invoice_id: str
) -> None:
    async def events(line: int, limit: int) -> list[dict[str, object]]:
        items: list[dict[str, object]] = []
        query: dict[str, str | int] = {"limit": limit}
        while True:
            path = f"/v1/invoices/{invoice_id}/lines/{line}/events"
            page = (await api.get(path, headers=member, params=query)).json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]

    assert [event["quantities"] for event in await events(1, 50)] == [{"input_tokens": "1234567"}]
    by_pages = await events(2, 5)
    assert len(by_pages) == 12
    assert by_pages == await events(2, 200)
    assert [event["time"] for event in by_pages] == sorted(str(event["time"]) for event in by_pages)
    missing = await api.get(f"/v1/invoices/{invoice_id}/lines/9/events", headers=member)
    assert missing.status_code == 404
    wrong = await api.get(
        f"/v1/invoices/{invoice_id}/lines/1/events", headers=member, params={"cursor": "eHg"}
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "cursor")


async def test_the_operator_credits_voids_and_writes_off(
    api: httpx.AsyncClient, operator: Headers, tenant: Tenant, invoice_id: str
) -> None:
    invoice = f"/v1/tenants/{tenant.id}/invoices/{invoice_id}"
    for _ in range(2):  # each act may be repeated, and is in the audit once
        lost = await api.post(f"{invoice}/write-off", headers=operator)
        assert lost.json()["state"] == "uncollectible"
    for _ in range(2):
        again = await api.post(
            f"{invoice}/void", headers=operator, json={"reason": "wrong name", "reissue": True}
        )
        assert again.status_code == 200, again.text
    assert (again.json()["replaces"], again.json()["total"]) == (
        invoice_id,
        lost.json()["total"],
    )
    new = f"/v1/tenants/{tenant.id}/invoices/{again.json()['id']}"
    once = operator | {"idempotency-key": "once"}
    wanted = {"reason": "slow", "lines": [{"line": 1, "amount": "1.09"}]}
    notes = [await api.post(f"{new}/credit-notes", headers=once, json=wanted) for _ in range(2)]
    assert [note.status_code for note in notes] == [201, 201]
    assert notes[0].json() == notes[1].json()
    left = (await api.get(new, headers=operator)).json()
    assert left["due"]["amount"] == "120.00"
    wanted["lines"] = [{"line": 1, "amount": "2.01"}]
    refused = await api.post(f"{new}/credit-notes", headers=operator, json=wanted)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "lines.0.amount")
    gone = await api.post(f"{invoice}/finalize", headers=operator)
    assert gone.json()["state"] == "void"
    part = {"amount": "20", "method": "transfer", "reference": "r1"}
    for _ in range(2):
        assert (await api.post(f"{new}/payments", headers=operator, json=part)).status_code == 201
    audit = (await api.get("/v1/operator-audit?action=invoice", headers=operator)).json()["items"]
    assert [entry["action"] for entry in reversed(audit)] == [
        "invoice.write-off",
        "invoice.void",
        "invoice.credit",
        "invoice.payment",
    ]
    runs = (await api.get("/v1/invoice-runs", headers=operator)).json()
    assert [(run["state"], run["invoiced"]) for run in runs] == [("finished", 1)]
    numbers = [
        invoice["number"]
        for invoice in (
            await api.get(f"/v1/tenants/{tenant.id}/invoices", headers=operator)
        ).json()["items"]
    ]
    # In any order: on a month's first day the run is of tomorrow, when the first is issued
    assert sorted(numbers[1:]) == ["FB-sample-customer-000001", "FB-sample-customer-000002"]


async def test_a_running_period_can_not_be_finalized(
    api: httpx.AsyncClient, operator: Headers, tenant: Tenant, invoice_id: str
) -> None:
    listed = (await api.get(f"/v1/tenants/{tenant.id}/invoices", headers=operator)).json()
    draft = listed["items"][0]["id"]
    answer = await api.post(f"/v1/tenants/{tenant.id}/invoices/{draft}/finalize", headers=operator)
    assert (answer.status_code, answer.json()["code"]) == (409, "billing_period_open")


async def test_terms_hold_for_the_next_invoice(
    api: httpx.AsyncClient, database: Database, operator: Headers, member: Headers, tenant: Tenant
) -> None:
    terms = {"net_days": 14, "tax_name": "VAT", "tax_percent": "19", "tax_inclusive": True}
    path = f"/v1/tenants/{tenant.id}/billing-terms"
    changed = await api.put(path, headers=operator, json=terms)
    assert changed.status_code == 200, changed.text
    assert (await api.get(path, headers=operator)).json()["net_days"] == 14
    [draft] = (await api.get("/v1/invoices", headers=member)).json()["items"]
    whole = (await api.get(f"/v1/invoices/{draft['id']}", headers=member)).json()
    assert whole["total"] == whole["subtotal"] == {"amount": "121.09", "currency": "USD"}
    [tax] = whole["taxes"]
    assert (tax["inclusive"], tax["amount"]["amount"], tax["taxable"]["amount"]) == (
        True,
        "19.33",
        "101.76",
    )
    for wrong in ({"net_days": -1}, {"tax_percent": "101"}, {"unknown": 1}):
        assert (await api.put(path, headers=operator, json=wrong)).status_code == 422


async def test_who_may_not_see_spend_sees_no_invoice(
    api: httpx.AsyncClient, database: Database, tenant: Tenant, member: Headers, invoice_id: str
) -> None:
    viewer = await a_session(database, tenant, Role.VIEWER)
    for path in ("", f"/{invoice_id}", f"/{invoice_id}.pdf", f"/{invoice_id}/lines/1/events"):
        answer = await api.get(f"/v1/invoices{path}", headers=viewer)
        assert answer.status_code == 403, path
    answer = await api.put("/v1/billing-details", headers=viewer, json={})
    assert answer.status_code == 403
    path = f"/v1/tenants/{tenant.id}/invoices/{invoice_id}"
    for action in ("finalize", "write-off"):
        answer = await api.post(f"{path}/{action}", headers=member)
        assert answer.status_code == 403
