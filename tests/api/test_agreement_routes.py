"""Simulations, contracts and coupons over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

pytestmark = pytest.mark.engine

Headers = dict[str, str]


async def tenant_of(api: httpx.AsyncClient, session: Headers) -> str:
    return (await api.get("/v1/me", headers=session)).json()["tenant"]["id"]


def this_month() -> str:
    now = datetime.now(UTC)
    return datetime(now.year, now.month, 1, tzinfo=UTC).isoformat()


async def test_a_workload_is_simulated_with_exact_prices(
    api: httpx.AsyncClient, session: Headers
) -> None:
    body = """{
      "workload": {"requests_per_day": 10, "per_request": {"output_tokens": 1000000},
                   "models": {"sample-large": 1}},
      "plans": ["prepaid"],
      "drafts": [{"id": "draft", "name": "Draft", "charges": [
        {"id": "c", "name": "C", "kind": "per_unit", "meters": ["output_tokens"],
         "price": 0.123456789012}]}]
    }"""
    answer = await api.post("/v1/simulate", headers=session, content=body)
    assert answer.status_code == 200, answer.text
    draft, prepaid = answer.json()["plans"]
    assert (draft["plan"], prepaid["plan"]) == ("draft", "prepaid")
    assert draft["periods"][0]["lines"][0]["price"] == "0.123456789012"
    wrong = await api.post("/v1/simulate", headers=session, content='{"past_periods": 0}')
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "past_periods")


async def test_a_contract_is_agreed_amended_and_seen(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    path = f"/v1/tenants/{await tenant_of(api, session)}/contracts"
    terms = {
        "name": "Deal",
        "start": this_month(),
        "commitment": {"ramps": [{"amount": "100", "periods": 12}]},
    }
    answer = await api.post(path, headers=operator, json=terms)
    assert answer.status_code == 201, answer.text
    spend = (await api.get("/v1/spend", headers=session)).json()
    assert [
        (adjustment["kind"], adjustment["amount"]["amount"]) for adjustment in spend["adjustments"]
    ] == [("true_up", "100.00")]
    more = {"effective_at": terms["start"], "more": "20", "reason": "Grows"}
    amended = await api.post(
        f"{path}/{answer.json()['id']}/amendments", headers=operator, json=more
    )
    assert amended.status_code == 201, amended.text
    (seen,) = (await api.get("/v1/contracts", headers=session)).json()["items"]
    assert seen == amended.json()
    assert (await api.get("/v1/spend", headers=session)).json()["total"]["amount"] == "120.00"
    again = await api.post(path, headers=operator, json=terms)
    assert again.status_code == 409


async def test_a_coupon_is_made_and_redeemed(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    coupon = {"id": "half", "name": "Half", "percent": "50", "periods": None}
    for _ in range(2):
        answer = await api.put("/v1/coupons/half", headers=operator, json=coupon)
        assert answer.status_code == 200, answer.text
    wrong = await api.put("/v1/coupons/other", headers=operator, json=coupon)
    assert wrong.json()["errors"][0]["field"] == "id"
    redeemed = await api.post("/v1/subscription/coupons", headers=session, json={"coupon": "half"})
    assert (redeemed.status_code, redeemed.json()["ends_at"]) == (201, None)
    seen = (await api.get("/v1/subscription/coupons", headers=session)).json()["items"]
    assert seen == [redeemed.json()]
    unknown = await api.post("/v1/subscription/coupons", headers=session, json={"coupon": "none"})
    assert unknown.status_code == 404


async def test_a_subscription_is_paused_resumed_and_cancelled(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    paused = await api.post("/v1/subscription/pause", headers=session, json={})
    assert paused.json()["state"] == "paused"
    # Before the quarter hour is over it has not begun, and choosing the plan takes it back
    kept = await api.put("/v1/subscription", headers=session, json={"plan": "free"})
    assert kept.json()["state"] == "active"
    not_paused = await api.post("/v1/subscription/resume", headers=session)
    assert not_paused.status_code == 409
    ended = await api.post("/v1/subscription/cancel", headers=session, json={})
    assert ended.json()["end"] is not None
    tenant = await tenant_of(api, session)
    anchor = await api.put(
        f"/v1/tenants/{tenant}/billing-anchor", headers=operator, json={"day": 31}
    )
    assert anchor.json()["start"] == ended.json()["end"]
    moved = await api.put(
        f"/v1/tenants/{tenant}/subscription", headers=operator, json={"plan": "enterprise"}
    )
    assert moved.json()["plan"]["definition"]["by_contract"] is True


async def test_a_plans_versions_are_listed_compared_and_migrated(
    api: httpx.AsyncClient, session: Headers, operator: Headers
) -> None:
    versions = (await api.get("/v1/plans/growth/versions", headers=operator)).json()["items"]
    assert [version["version"] for version in versions] == [1]
    same = await api.get(
        "/v1/plans/growth/diff", headers=operator, params={"before": 1, "after": 1}
    )
    assert same.json()["changes"] == []
    unknown = await api.get(
        "/v1/plans/growth/diff", headers=operator, params={"before": 1, "after": 9}
    )
    assert unknown.status_code == 404
    nobody = await api.post("/v1/plans/growth/migrations", headers=operator, json={})
    assert nobody.json()["items"] == []
