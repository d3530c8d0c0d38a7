"""Anybody compares the public plans, where the seller has it so; nothing of tenants is told."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import httpx
import pypdfium2
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from backend.api.public_questions import PublicQuestions
from backend.settings import Settings
from backend.storage.database import Database
from portal.features.compare.public_page import PublicCompare
from portal.settings import PortalSettings

pytestmark = pytest.mark.engine

WORKLOAD: dict[str, Any] = {
    "workload": {
        "requests_per_day": "1000",
        "per_request": {"requests": "1", "input_tokens": "1500", "output_tokens": "300"},
        "models": {"sample-small": "1"},
    }
}
PUBLIC = ("/v1/public/simulate", "/v1/public/simulate.pdf")


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    return api_settings.model_copy(update={"public_compare": True})


@pytest.fixture
async def browser(url: str) -> Any:
    """The portal's pages for strangers, before a running API."""
    settings = PortalSettings(api_url=url, public_compare=True)
    app = Starlette(routes=PublicCompare(settings).routes)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://portal") as client:
        yield client


async def test_a_customers_comparison_is_a_pdf_too(
    api: httpx.AsyncClient, session: dict[str, str]
) -> None:
    compared = (await api.post("/v1/simulate", headers=session, json=WORKLOAD)).json()["plans"]
    drawn = await api.post("/v1/simulate.pdf", headers=session, json=WORKLOAD)
    assert drawn.headers["content-type"] == "application/pdf", drawn.text
    with closing(pypdfium2.PdfDocument(drawn.content)) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    assert [plan["name"] for plan in compared if plan["name"] not in text] == []
    assert (await api.post("/v1/simulate.pdf", json=WORKLOAD)).status_code == 401


async def test_a_stranger_is_told_what_a_customer_is(
    api: httpx.AsyncClient, session: dict[str, str]
) -> None:
    theirs = (await api.post("/v1/simulate", headers=session, json=WORKLOAD)).json()
    plans = {plan["plan"]: plan for plan in theirs["plans"]}
    operators = await api.get("/v1/plans", headers=session)
    by_contract = {
        plan["definition"]["id"]
        for plan in operators.json()["items"]
        if plan["definition"]["by_contract"]
    }
    answer = await api.post(PUBLIC[0], json=WORKLOAD)
    assert answer.status_code == 200, answer.text
    compared = answer.json()["plans"]
    assert compared
    assert {plan["plan"] for plan in compared} == plans.keys() - by_contract
    for plan in compared:
        assert (plan["to_pay"], plan["fits"]) == (
            plans[plan["plan"]]["to_pay"],
            plans[plan["plan"]]["fits"],
        )
    drawn = await api.post(PUBLIC[1], json=WORKLOAD)
    with closing(pypdfium2.PdfDocument(drawn.content)) as document:
        text = " ".join(page.get_textpage().get_text_range() for page in document)
    for plan in compared:
        assert plan["name"] in text


@pytest.mark.parametrize(
    "asked",
    [
        {"past_periods": 1},
        WORKLOAD | {"plans": ["none-such"]},
        WORKLOAD | {"drafts": [{"id": "d", "name": "D", "currency": "USD", "charges": []}]},
    ],
    ids=["past", "plan", "draft"],
)
async def test_what_is_not_for_strangers_is_refused(
    api: httpx.AsyncClient, asked: dict[str, Any]
) -> None:
    answer = await api.post(PUBLIC[0], json=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "not_for_strangers"), answer.text


async def test_one_address_asks_only_so_often(app: FastAPI) -> None:
    trusted = app.state.services.settings.trusted_addresses
    slow = PublicQuestions(trusted, burst=2, every_seconds=3600)
    app.state.services = replace(app.state.services, public_questions=slow)

    async def ask(address: str) -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(address, 1234))
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as stranger:
            return await stranger.get("/v1/public/models")

    answers = [await ask("192.0.2.7") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json()["code"] == "too_many_comparisons"
    assert int(answers[2].headers["retry-after"]) >= 1
    assert (await ask("198.51.100.7")).status_code == 200


async def test_the_page_and_its_files_follow_the_address(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/plans?chats=500&share:sample-small=100&share:sample-large=0")
    assert page.status_code == 200, page.text
    assert 'data-query="chats=500&amp;mix=sample-small%3A100"' in page.text
    assert 'data-plan="pay-as-you-go"' in page.text
    assert "<polyline" in page.text
    query = "chats=500&mix=sample-small:100"
    table = (await browser.get(f"/plans.csv?{query}")).text
    assert table.startswith("plan,version,fits,period")
    assert "pay-as-you-go" in table
    drawn = await browser.get(f"/plans.pdf?{query}")
    assert drawn.headers["content-type"] == "application/pdf"
    assert drawn.content.startswith(b"%PDF")
    # What anybody may write into an address is read as far as it makes sense, and never shown raw
    odd = await browser.get("/plans?chats=<script>&mix=<b>:1&seats=-9")
    assert odd.status_code == 200
    assert "<script>&" not in odd.text
    assert "<b>" not in odd.text


class TestOff:
    """As it is without the setting."""

    @pytest.fixture
    def api_settings(self, database_url: str, api_settings: Settings) -> Settings:
        return api_settings.model_copy(update={"public_compare": False})

    async def test_strangers_compare_nothing_unless_the_seller_has_it_so(
        self, api: httpx.AsyncClient, database: Database
    ) -> None:
        answers = [await api.post(path, json=WORKLOAD) for path in PUBLIC]
        answers.append(await api.get("/v1/public/models"))
        codes = [(answer.status_code, answer.json()["code"]) for answer in answers]
        assert codes == [(404, "public_compare_off")] * 3
        assert PublicCompare(PortalSettings()).routes == []
