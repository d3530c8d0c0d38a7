"""Wallets over HTTP: what a tenant sees and asks for, and what an operator gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

pytestmark = pytest.mark.engine

Headers = dict[str, str]


async def tenant_of(api: httpx.AsyncClient, session: Headers) -> str:
    return (await api.get("/v1/me", headers=session)).json()["tenant"]["id"]


async def test_credit_is_given_seen_and_taken_back(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    tenant = await tenant_of(api, session)
    before = datetime.now(UTC)
    path = f"/v1/tenants/{tenant}/wallet/grants"
    body = {"name": "Bought", "kind": "paid", "amount": "25.50", "models": ["sample-small"]}
    once = operator | {"idempotency-key": "invoice 7"}
    answers = [await api.post(path, headers=once, json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()

    wallet = (await api.get("/v1/wallet", headers=session)).json()
    assert (wallet["spendable"], wallet["granted"], wallet["currency"]) == ("25.5", "25.5", "USD")
    then = (before - timedelta(hours=1)).isoformat()
    past = await api.get("/v1/wallet", headers=session, params={"at": then})
    assert past.json()["spendable"] == "0"
    (entry,) = (await api.get("/v1/wallet/ledger", headers=session)).json()["items"]
    assert (entry["source"], entry["target"], entry["amount"]) == ("granted", "available", "25.5")

    refund = await api.post(f"{path}/{answers[0].json()['id']}/refund", headers=operator)
    assert (refund.json()["refunded"], refund.json()["available"]) == ("25.5", "0")
    first = (await api.get("/v1/wallet/ledger", headers=session, params={"limit": 1})).json()
    rest = await api.get(
        "/v1/wallet/ledger", headers=session, params={"cursor": first["next_cursor"]}
    )
    assert [entry["number"] for entry in [*first["items"], *rest.json()["items"]]] == [2, 1]


async def test_a_top_up_waits_for_its_payment(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    tenant = await tenant_of(api, session)
    asked = await api.post("/v1/wallet/top-ups", headers=session, json={"amount": "20"})
    assert (asked.status_code, asked.json()["state"]) == (201, "pending")
    path = f"/v1/tenants/{tenant}/wallet/top-ups/{asked.json()['id']}"
    outcome = {"state": "paid", "reference": "pi_1"}
    for _ in range(2):
        assert (await api.put(path, headers=operator, json=outcome)).json()["state"] == "paid"
    assert (await api.get("/v1/wallet", headers=session)).json()["spendable"] == "20"
    other = await api.put(path, headers=operator, json={"state": "failed", "reference": "pi_1"})
    assert other.status_code == 409
    unknown = await api.put(f"{path}x", headers=operator, json=outcome)
    assert unknown.status_code == 404


async def test_what_is_sent_again_is_in_the_audit_once(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    """An answer that was lost, and a request that is repeated, are one act."""
    tenant = await tenant_of(api, session)
    wallet, own = f"/v1/tenants/{tenant}/wallet", {"idempotency-key": "own"}
    paid = {"state": "paid", "reference": "pi_1"}
    grant = {"name": "Bought", "kind": "paid", "amount": "25"}
    for _ in range(2):
        asked = await api.post("/v1/wallet/top-ups", headers=session | own, json={"amount": "20"})
        await api.put(f"{wallet}/top-ups/{asked.json()['id']}", headers=operator, json=paid)
        sold = operator | {"idempotency-key": "sold"}
        await api.post(f"{wallet}/top-ups", headers=sold, json={"amount": "7"})
        given = operator | {"idempotency-key": "given"}
        bought = await api.post(f"{wallet}/grants", headers=given, json=grant)
        await api.post(f"{wallet}/grants/{bought.json()['id']}/refund", headers=operator)
        app = session | {"idempotency-key": "app"}
        await api.post("/v1/applications", headers=app, json={"name": "Chat"})
    entries = (await api.get("/v1/operator-audit", headers=operator)).json()["items"]
    nouns = ("wallet.", "application.")
    acts = sorted(entry["action"] for entry in entries if entry["action"].startswith(nouns))
    assert acts == [
        "application.create",
        "wallet.grant",
        "wallet.refund",
        "wallet.top_up",
        "wallet.top_up",
        "wallet.top_up.paid",
    ]


async def test_settings_and_their_mistakes(api: httpx.AsyncClient, session: Headers) -> None:
    rule = {"threshold": "5", "amount": "10", "daily_ceiling": "30"}
    wanted = {"top_up": rule, "low_balance": "3"}
    answer = (await api.put("/v1/wallet", headers=session, json=wanted)).json()
    assert answer["settings"] == wanted
    # The wallet is empty: the rule asks at once, and it is on record that little is left
    assert answer["low_since"] is not None
    asked = (await api.get("/v1/wallet/top-ups", headers=session)).json()["items"]
    assert [top_up["state"] for top_up in asked] == ["pending"]
    wrong = await api.put(
        "/v1/wallet", headers=session, json={"top_up": rule | {"daily_ceiling": "9"}}
    )
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["field"].startswith("top_up")
    for body in ({"amount": "0"}, {"amount": "-1"}, {"amount": "1e-7"}):
        answer = await api.post("/v1/wallet/top-ups", headers=session, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "amount")


async def test_a_tenant_gives_itself_nothing(api: httpx.AsyncClient, session: Headers) -> None:
    """The local session's person is an operator too; an API key of the tenant's is not."""
    tenant = await tenant_of(api, session)
    applications = (await api.get("/v1/applications", headers=session)).json()["items"]
    body = {"name": "k", "application_id": applications[0]["id"], "scopes": ["usage:read"]}
    answer = await api.post("/v1/keys", headers=session, json=body)
    key = {"authorization": f"Bearer {answer.json()['secret']}"}
    given = await api.post(
        f"/v1/tenants/{tenant}/wallet/grants",
        headers=key,
        json={"name": "gift", "kind": "paid", "amount": "1"},
    )
    assert given.status_code == 403
    assert (await api.get("/v1/wallet", headers=key)).status_code == 200
    refused = await api.post("/v1/wallet/top-ups", headers=key, json={"amount": "1"})
    assert refused.status_code == 403
