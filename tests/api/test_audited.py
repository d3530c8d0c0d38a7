"""Every route that changes something leaves an entry in the audit, or has a reason for none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from sqlalchemy import select

from backend.accounts.secrets import API_KEY, INVITATION, OPERATOR_KEY, SESSION
from backend.catalog.published import load_catalog
from backend.metering.counting.labels import declare_label
from backend.pricing.periods import billing_period
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Role, Tenant
from tests.api.acts import Acts, Headers, Route, for_a_customer, member, paused_tenant
from tests.api.isolation import operations
from tests.metering.reconciliation.exports import openai_usage
from tests.support.billing import make_tenant
from tests.support.invoices import count, used
from tests.support.paths import CATALOG

pytestmark = pytest.mark.engine

UNRECORDED: Final = {
    ("post", "/api/v1/events"): "usage: each event is on record itself, with who sent it",
    **dict.fromkeys(
        (
            ("post", "/v1/audio/speech"),
            ("post", "/v1/audio/transcriptions"),
            ("post", "/v1/audio/translations"),
            ("post", "/v1/chat/completions"),
            ("post", "/v1/completions"),
            ("post", "/v1/embeddings"),
            ("post", "/v1/images/edits"),
            ("post", "/v1/images/generations"),
            ("post", "/v1/messages"),
            ("post", "/v1/moderations"),
            ("post", "/v1/rerank"),
            ("post", "/v1/responses"),
        ),
        "usage: each call is on record as an event",
    ),
    ("post", "/v1/messages/count_tokens"): "a question: it changes nothing",
    ("post", "/v1/conversations"): "what a person does at their own desk, as each call in it",
    ("put", "/v1/conversations/{conversation_id}"): "written again with each answer",
    ("post", "/v1/events"): "usage: each event is on record itself, with who sent it",
    ("post", "/v1/events/preview"): "a question: it changes nothing",
    **dict.fromkeys(
        (
            ("post", "/v1/billing-portal/link"),
            ("post", "/v1/invoices/{invoice_id}/payment-link"),
            ("post", "/v1/payment-methods/link"),
            ("post", "/v1/wallet/top-ups/{top_up_id}/payment-link"),
        ),
        "the way to a platform's page: what is done there comes back by its webhook",
    ),
    ("post", "/v1/chargeback/preview"): "a question: it changes nothing",
    ("post", "/v1/platforms/{platform}/webhook"): "nobody's act: the platform's inbox keeps it",
    ("post", "/v1/public/simulate"): "a question: it changes nothing",
    ("post", "/v1/public/simulate.pdf"): "a question: it changes nothing",
    ("post", "/v1/simulate"): "a question: it changes nothing",
    ("post", "/v1/simulate.pdf"): "a question: it changes nothing",
    ("post", "/v1/subscription/preview"): "a question: it changes nothing",
    ("post", "/v1/tenants/{tenant_id}/subscription/preview"): "a question: it changes nothing",
    ("post", "/v1/tenants/{tenant_id}/simulate"): "a question: it changes nothing",
    ("post", "/v1/tokens/count"): "a question: it changes nothing",
}
"""Routes that leave no entry, and why."""

ELSEWHERE: Final = {
    **{
        (method, f"/v1/chargeback/{path}"): ("tests/chargeback/test_routes.py", action)
        for method, path, action in (
            ("put", "policies/{valid_from}", "chargeback.policy"),
            ("delete", "policies/{valid_from}", "chargeback.policy-remove"),
            ("post", "months/{month}/close", "chargeback.close"),
        )
    },
    ("post", "/v1/tenants/{tenant_id}/billing-details/tax-id-check"): (
        "tests/customers/test_tax_ids.py",
        "tax-id.look-up",
    ),
    ("put", "/v1/accounting/terms"): ("tests/accounting/test_books.py", "accounting.terms"),
    ("delete", "/v1/conversations/{conversation_id}"): (
        "tests/playground/test_history.py",
        "conversation.remove",
    ),
    ("delete", "/v1/dead-letters/{sequence}"): (
        "tests/metering/ingest/test_dead_letters.py",
        "dead_letter.discard",
    ),
    ("post", "/v1/dead-letters/{sequence}/replay"): (
        "tests/metering/ingest/test_dead_letters.py",
        "dead_letter.replay",
    ),
    ("post", "/v1/notifications/{notification_id}/resend"): (
        "tests/outbox/test_routes.py",
        "notification.resend",
    ),
    ("post", "/v1/notifications/test"): ("tests/outbox/test_routes.py", "notification.test"),
    ("post", "/v1/plans/{plan_id}/migrations"): (
        "tests/spend/test_plan_moves.py",
        "subscription.migrate",
    ),
    **{
        (method, path): ("tests/platforms/test_platform_routes.py", action)
        for method, path, action in (
            ("put", "/v1/tenants/{tenant_id}/platforms", "platform.connect"),
            ("delete", "/v1/tenants/{tenant_id}/platforms", "platform.disconnect"),
            ("post", "/v1/tenants/{tenant_id}/platforms/backfill", "platform.backfill"),
            ("post", "/v1/platform-dispatches/{dispatch_id}/replay", "platform.replay"),
            ("post", "/v1/platform-dispatches/{dispatch_id}/skip", "platform.skip"),
            ("post", "/v1/tenants/{tenant_id}/platforms/compare", "platform.compare"),
        )
    },
    ("delete", "/v1/sessions/current/view"): ("tests/accounts/test_viewing.py", "view.end"),
    ("post", "/v1/tenants/{tenant_id}/view"): ("tests/accounts/test_viewing.py", "view.begin"),
    ("post", "/v1/sessions"): ("tests/accounts/test_sign_in.py", "session.create"),
    ("post", "/v1/leaked-keys"): ("tests/accounts/test_leaked_keys.py", "key.leak"),
    ("post", "/v1/secret-scanning"): ("tests/accounts/test_leaked_keys.py", "key.leak"),
    ("post", "/v1/tenants/{tenant_id}/test-clock/advance"): (
        "tests/clocks/test_routes.py",
        "test-clock.advance",
    ),
}
"""Routes whose act needs more than this test has, and the test that shows their entry."""


SECRETS: Final = (
    *(API_KEY, OPERATOR_KEY, SESSION, INVITATION),
    "a secret of this machine",
    "whsec_",
)
"""What stands in every secret that the acts here give or take."""


@pytest.fixture
def act(api: httpx.AsyncClient) -> Acts:
    return Acts(api)


@pytest.fixture
async def tenant(app: FastAPI, database: Database) -> Tenant:
    """A tenant with usage in the last month."""
    tenant = await make_tenant(database, slug="audited", name="Audited")
    last = billing_period(billing_period(datetime.now(UTC), "UTC").start - timedelta(1), "UTC")
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "pay-as-you-go", last.start)
    event = used(tenant, last.start, 9_000_000, "output_tokens")
    await count(database, [replace(event, model="sample-large", id="e1", source="s")])
    return tenant


async def test_every_change_leaves_an_entry(
    app: FastAPI,
    database: Database,
    operator: Headers,
    tenant: Tenant,
    act: Acts,
) -> None:
    _, owner = await member(database, tenant.id, Role.OWNER)
    await _of_accounts(act, owner, database, tenant.id)
    paused = await paused_tenant(database)
    _, its_owner = await member(database, paused.id, Role.OWNER)
    await act("POST", "/v1/subscription/resume", its_owner)
    await for_a_customer(act, operator, database)
    await _of_plans_and_credit(act, owner, operator, tenant.id)
    await _of_invoices(act, operator, tenant.id)
    await _of_the_operator(act, operator, tenant.id)
    other, _ = await member(database, tenant.id, Role.VIEWER)
    path = "/v1/tenants/{tenant_id}/members/{user_id}/sessions"
    await act("DELETE", path, operator, tenant_id=tenant.id, user_id=other)

    routes = {operation.name for operation in operations(app) if operation.method != "get"}
    done = set(act.done.values())
    assert routes - done == UNRECORDED.keys() | ELSEWHERE.keys()
    assert done <= routes
    async with database.begin() as connection:
        entries = (await connection.execute(select(audit_entries))).all()
    recorded = {entry.request_id for entry in entries}
    written = repr(entries)
    assert [prefix for prefix in SECRETS if prefix in written] == []
    assert [route for request, route in act.done.items() if request not in recorded] == []


@pytest.mark.parametrize("route", ELSEWHERE)
def test_what_is_shown_elsewhere_is(route: Route) -> None:
    file, action = ELSEWHERE[route]
    assert f'"{action}"' in (Path(__file__).parents[2] / file).read_text()


async def _of_accounts(act: Acts, owner: Headers, database: Database, tenant: str) -> None:
    application = (await act("POST", "/v1/applications", owner, {"name": "New"}))["id"]
    wanted = {"name": "k", "application_id": application}
    key = (await act("POST", "/v1/keys", owner, wanted))["id"]
    await act("PATCH", "/v1/keys/{key_id}", owner, {"enabled": False}, key_id=key)
    await act("POST", "/v1/keys/{key_id}/rotate", owner, {}, key_id=key)
    await act("DELETE", "/v1/keys/{key_id}/previous", owner, key_id=key)
    await act("DELETE", "/v1/keys/{key_id}", owner, key_id=key)
    at = {"application_id": application}
    await act("PATCH", "/v1/applications/{application_id}", owner, {"name": "Newer"}, **at)
    logged = {"enabled": True, "days": 3}
    await act("PUT", "/v1/applications/{application_id}/body-logging", owner, logged, **at)
    async with database.begin() as connection:
        await declare_label(connection, tenant, "squad")
    budget = {"budget": {"amount": "5", "period": "day"}}
    bound = await act(
        "POST", "/v1/label-budgets", owner, {"label": "squad", "value": "a", **budget}
    )
    bounds = {"budget_id": bound["id"]}
    await act("PATCH", "/v1/label-budgets/{budget_id}", owner, budget, **bounds)
    await act("DELETE", "/v1/label-budgets/{budget_id}", owner, **bounds)
    await act("PATCH", "/v1/tenant", owner, {"name": "Renamed"})

    await _of_webhooks(act, owner)

    await act("DELETE", "/v1/conversations", owner)
    prompt = await act("POST", "/v1/prompts", owner, {"name": "Brief", "content": {}})
    kept = {"prompt_id": prompt["id"]}
    await act("PATCH", "/v1/prompts/{prompt_id}", owner, {"shared": True}, **kept)
    version = {"content": {"system": "Be brief."}}
    await act("POST", "/v1/prompts/{prompt_id}/versions", owner, version, **kept)
    await act("DELETE", "/v1/prompts/{prompt_id}", owner, **kept)

    invited = await act("POST", "/v1/invitations", owner, {"role": "viewer"})
    await act("DELETE", "/v1/invitations/{invitation_id}", owner, invitation_id=invited["id"])
    local = await act("POST", "/v1/sessions/local", {}, {"secret": "a secret of this machine"})
    guest = {"authorization": f"Bearer {local['token']}"}
    invited = await act("POST", "/v1/invitations", owner, {"role": "viewer"})
    accepted = {"secret": invited["secret"]}
    joined = await act("POST", "/v1/invitations/accept", guest, accepted)
    switch = {"tenant_id": joined["tenant"]["id"]}
    await act("PATCH", "/v1/sessions/current", guest, switch)
    await act("POST", "/v1/sessions/local", {}, {"secret": "a secret of this machine"})
    await act("DELETE", "/v1/sessions", guest)
    again = await act("POST", "/v1/sessions/local", {}, {"secret": "a secret of this machine"})
    elsewhere = {"authorization": f"Bearer {again['token']}"}
    listed = await act.read("/v1/sessions", elsewhere)
    session = next(item["id"] for item in listed["items"] if not item["is_current"])
    await act("DELETE", "/v1/sessions/{session_id}", elsewhere, session_id=session)
    await act("DELETE", "/v1/sessions/current", elsewhere)
    other, _ = await member(database, tenant, Role.VIEWER)
    await act("PATCH", "/v1/members/{user_id}", owner, {"role": "billing"}, user_id=other)
    await act("DELETE", "/v1/members/{user_id}", owner, user_id=other)
    await act("PUT", "/v1/billing-details", owner, {"name": "Audited Ltd"})


async def _of_webhooks(act: Acts, owner: Headers) -> None:
    path = "/v1/webhooks"
    hook = (await act("POST", path, owner, {"url": "https://hooks.example.com"}))["id"]
    path += "/{webhook_id}"
    await act("PATCH", path, owner, {"description": "Ours"}, webhook_id=hook)
    await act("POST", path + "/rotate", owner, {}, webhook_id=hook)
    await act("DELETE", path + "/previous", owner, webhook_id=hook)
    sent = await act("POST", path + "/test", owner, webhook_id=hook)
    at = {"webhook_id": hook, "notification_id": sent["event_id"]}
    await act("POST", path + "/deliveries/{notification_id}/resend", owner, **at)
    since = {"since": datetime.now(UTC).isoformat()}
    await act("POST", path + "/replay", owner, since, webhook_id=hook)
    await act("DELETE", path, owner, webhook_id=hook)


async def _of_plans_and_credit(act: Acts, owner: Headers, operator: Headers, tenant: str) -> None:
    at = {"tenant_id": tenant}
    coupon = {"id": "half", "name": "Half", "percent": "50", "periods": None}
    await act("PUT", "/v1/coupons/{coupon_id}", operator, coupon, coupon_id="half")
    await act("POST", "/v1/subscription/coupons", owner, {"coupon": "half"})
    await act("POST", "/v1/subscription/pause", owner, {})
    await act("PUT", "/v1/subscription", owner, {"plan": "pay-as-you-go"})
    await act("POST", "/v1/subscription/cancel", owner, {})
    plan = {"plan": "pay-as-you-go"}
    await act("PUT", "/v1/tenants/{tenant_id}/subscription", operator, plan, **at)
    await act("PUT", "/v1/tenants/{tenant_id}/billing-anchor", operator, {"day": 9}, **at)
    await act("PUT", "/v1/wallet", owner, {"low_balance": "1"})
    top_up = await act("POST", "/v1/wallet/top-ups", owner, {"amount": "20"})
    outcome = {"state": "paid", "reference": "r1"}
    path = "/v1/tenants/{tenant_id}/wallet/top-ups/{top_up_id}"
    await act("PUT", path, operator, outcome, top_up_id=top_up["id"], **at)
    gift = {"name": "gift", "kind": "paid", "amount": "1"}
    grant = await act("POST", "/v1/tenants/{tenant_id}/wallet/grants", operator, gift, **at)
    path = "/v1/tenants/{tenant_id}/wallet/grants/{grant_id}/refund"
    await act("POST", path, operator, grant_id=grant["id"], **at)
    start = billing_period(datetime.now(UTC), "UTC").start.isoformat()
    ramps = {"ramps": [{"amount": "100", "periods": 12}]}
    terms = {"name": "Deal", "start": start, "commitment": ramps}
    path = "/v1/tenants/{tenant_id}/contracts"
    contract = await act("POST", path, operator, terms, **at)
    more = {"effective_at": start, "more": "20", "reason": "Grows"}
    path += "/{contract_id}/amendments"
    await act("POST", path, operator, more, contract_id=contract["id"], **at)


async def _of_invoices(act: Acts, operator: Headers, tenant: str) -> None:
    path = "/v1/tenants/{tenant_id}/invoices/{invoice_id}"
    listed = (await act.read(f"/v1/tenants/{tenant}/invoices", operator))["items"]
    [draft] = [each for each in listed if each["number"] is None]  # beside a top-up's receipt
    at = {"tenant_id": tenant, "invoice_id": draft["id"]}
    await act("POST", path + "/finalize", operator, **at)
    await act("POST", path + "/write-off", operator, **at)
    again = {"reason": "wrong name", "reissue": True}
    new = await act("POST", path + "/void", operator, again, **at)
    at["invoice_id"] = new["id"]
    slow = {"reason": "slow", "lines": [{"line": 1, "amount": "1.09"}]}
    note = await act("POST", path + "/credit-notes", operator, slow, **at)
    paid = {"amount": "1.00", "method": "transfer", "reference": "r1"}
    invoice = await act("POST", path + "/payments", operator, paid, **at)
    [payment] = [each for each in invoice["payments"] if each["reference"] == "r1"]
    returned = path + "/payments/{payment_id}/return"
    await act("POST", returned, operator, {"reference": "b1"}, payment_id=payment["id"], **at)
    one_off = {"lines": [{"name": "Set-up", "unit_price": "5"}]}
    tenants = {"tenant_id": tenant}
    extra = await act("POST", "/v1/tenants/{tenant_id}/invoices", operator, one_off, **tenants)
    items = "/v1/tenants/{tenant_id}/invoice-items"
    item = await act("POST", items, operator, {"name": "Set-up", "amount": "5"}, **tenants)
    await act("DELETE", items + "/{item_id}", operator, **tenants, item_id=item["id"])
    more = {"amount": "500", "method": "transfer", "reference": "r2", "excess": "balance"}
    invoice = await act("POST", path + "/payments", operator, more, **at)
    [payment_id] = [each["id"] for each in invoice["payments"] if each["reference"] == "r2"]
    refund = {"amount": "1.00", "reference": "back"}
    refunds = path + "/payments/{payment_id}/refund"
    await act("POST", refunds, operator, refund, payment_id=payment_id, **at)
    by_hand = {"source": "balance", "amount": "2"}
    of_extra = tenants | {"invoice_id": extra["id"]}
    await act("POST", path + "/apply", operator, by_hand, **of_extra)
    out = {"amount": "1", "method": "transfer", "reference": "out"}
    await act("POST", "/v1/tenants/{tenant_id}/balance/refunds", operator, out, **tenants)
    reverse = "/v1/tenants/{tenant_id}/credit-notes/{credit_note_id}/reverse"
    of_note = tenants | {"credit_note_id": note["id"]}
    await act("POST", reverse, operator, {"reason": "It was right"}, **of_note)
    await act(
        "PUT", "/v1/tenants/{tenant_id}/billing-terms", operator, {"net_days": 9}, tenant_id=tenant
    )


async def _of_the_operator(act: Acts, operator: Headers, tenant: str) -> None:
    wanted = {"name": "k", "scopes": ["read"]}
    key = (await act("POST", "/v1/operator-keys", operator, wanted))["id"]
    await act("DELETE", "/v1/operator-keys/{key_id}", operator, key_id=key)
    spare = {"base_url": "http://127.0.0.1:1/v1", "models": ["sample-small"]}
    await act("PUT", "/v1/upstreams/{name}", operator, spare, name="spare")
    upstream = "/v1/upstreams/{name}"
    await act("POST", upstream + "/disable", operator, {"leave_unserved": True}, name="spare")
    await act("POST", upstream + "/enable", operator, name="spare")
    await act("POST", upstream + "/test", operator, {}, name="spare")
    await act("POST", upstream + "/retire", operator, {"leave_unserved": True}, name="spare")
    await act("DELETE", upstream, operator, name="spare")
    catalog = load_catalog(CATALOG).model_dump(mode="json")
    plan = next(plan for plan in catalog["plans"] if plan["id"] == "pay-as-you-go")
    plan["description"] = "Changed"
    await act("PUT", "/v1/catalog", operator, catalog)
    await act("PUT", "/v1/labels/{label}", operator, label="team", tenant=tenant)
    await act("DELETE", "/v1/labels/{label}", operator, label="team", tenant=tenant)
    correction = {
        "id": "c1",
        "action": "void",
        "event": {"source": "s", "id": "e1"},
        "reason": "test",
    }
    batch = {"tenant": tenant, "corrections": [correction]}
    await act("POST", "/v1/corrections", operator, batch)

    options = json.dumps({"provider": "openai", "models": {"gpt-4o": "sample-large"}})
    content = json.dumps(openai_usage({})).encode()
    path = "/v1/reconciliations"
    imported = await act("POST", path, operator, content, options=options, name="usage.json")
    at = {"reconciliation_id": imported["id"]}
    path += "/{reconciliation_id}"
    await act("POST", path + "/match", operator, **at)
    listed = await act.read(f"/v1/reconciliations/{imported['id']}/discrepancies", operator)
    path += "/discrepancies/{discrepancy_id}"
    accepted = {"status": "accepted", "note": "known"}
    discrepancy = listed["items"][0]["id"]
    await act("PATCH", path, operator, accepted, discrepancy_id=discrepancy, **at)
    await act("DELETE", "/v1/reconciliations/{reconciliation_id}", operator, **at)

    two = await act("POST", "/v1/tenants", operator, {"slug": "two", "name": "Two"})
    await act("PATCH", "/v1/tenants/{tenant_id}", operator, {"ingest": False}, tenant_id=two["id"])
    await act("DELETE", "/v1/tenants/{tenant_id}", operator, tenant_id=two["id"])
