"""Tax over HTTP: where a tenant is taxed, the operator's rates, and a tax service that is away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace
from starlette.responses import JSONResponse, Response

from backend.catalog.published import load_catalog
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import Role, Tenant
from tests.api.test_invoice_routes import LAST, Headers, a_session
from tests.support.billing import make_tenant
from tests.support.invoices import count, used
from tests.support.paths import CATALOG
from tests.support.tax_server import Asked, TaxServer, honest

pytestmark = pytest.mark.engine


@pytest.fixture
async def tenant(app: FastAPI, database: Database) -> Tenant:
    """118.00 to pay for the last month."""
    tenant = await make_tenant(database, slug="sample-customer")
    async with database.begin() as connection:
        await start_subscription(connection, tenant.id, "pay-as-you-go", LAST.start)
    event = used(tenant, LAST.start, 12_000_000, "output_tokens")
    await count(database, [replace(event, model="sample-large")])
    return tenant


@pytest.fixture
async def member(database: Database, tenant: Tenant) -> Headers:
    return await a_session(database, tenant, Role.BILLING)


def german(**changes: Any) -> dict[str, Any]:
    return {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"} | changes


async def publish(api: httpx.AsyncClient, operator: Headers, *taxes: dict[str, Any]) -> Any:
    catalog = load_catalog(CATALOG).model_dump(mode="json") | {"taxes": taxes}
    return await api.put("/v1/catalog", headers=operator, json=catalog)


async def the_draft(api: httpx.AsyncClient, member: Headers) -> dict[str, Any]:
    first = (await api.get("/v1/invoices", headers=member)).json()["items"][0]
    answer = await api.get(f"/v1/invoices/{first['id']}", headers=member)
    assert answer.status_code == 200, answer.text
    draft: dict[str, Any] = answer.json()
    assert (draft["total"], draft["tax_known"]) == (first["total"], first["tax_known"])
    return draft


async def test_rates_are_published_and_listed_for_the_operator_alone(
    api: httpx.AsyncClient, operator: Headers, member: Headers
) -> None:
    published = await publish(api, operator, german())
    assert published.json()["taxes_changed"] == ["de-vat"]
    listed = (await api.get("/v1/catalog/taxes", headers=operator)).json()
    assert [(rate["id"], rate["percent"], rate["valid_until"]) for rate in listed] == [
        ("de-vat", "19", None)
    ]
    assert (await api.get("/v1/catalog/taxes", headers=member)).status_code == 403
    for wrong, field in (
        (german(country="DEU"), "taxes.0.country"),
        (german(percent=119), "taxes.0.percent"),
        (german(valid_from="soon"), "taxes.0.valid_from"),
    ):
        refused = await publish(api, operator, wrong)
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    twice = await publish(api, operator, german(), german(id="again"))
    assert (twice.status_code, twice.json()["errors"][0]["field"]) == (422, "taxes.1")


async def test_a_tenant_says_where_it_is_taxed_and_the_operator_whether(
    api: httpx.AsyncClient, operator: Headers, member: Headers, tenant: Tenant
) -> None:
    await publish(api, operator, german())
    details = {"country": "DE", "region": "BE", "business": True, "tax_id": "DE123456788"}
    changed = await api.put("/v1/billing-details", headers=member, json=details)
    assert changed.status_code == 200, changed.text
    kept = (await api.get("/v1/billing-details", headers=member)).json()
    assert kept == details | {"name": None, "address": [], "email": None, "legal": None}
    draft = await the_draft(api, member)
    assert (draft["total"]["amount"], draft["customer"]["country"]) == ("140.42", "DE")
    for wrong, field in (
        ({"country": "XX"}, "country"),
        ({"country": "de"}, "country"),
        ({"region": "BE"}, "region"),
        ({"country": "DE", "region": "Berlin"}, "region"),
        ({"tax_exemption": "I say so"}, "tax_exemption"),
        # Letters to it were left out, and nobody knew
        ({"email": "not an address at all"}, "email"),
        ({"email": "a@b.example,x@y.example"}, "email"),
    ):
        refused = await api.put("/v1/billing-details", headers=member, json=wrong)
        assert refused.status_code == 422, wrong
        assert [error["field"] for error in refused.json()["errors"]] == [field]
    owner_sees = await api.get(f"/v1/tenants/{tenant.id}/invoices", headers=operator)
    assert owner_sees.json()["items"][0]["total"]["amount"] == "140.42"

    terms = f"/v1/tenants/{tenant.id}/billing-terms"
    both = {"tax_exemption": "Certificate 12", "tax_percent": "5"}
    refused = await api.put(terms, headers=operator, json=both)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "tax_exemption")
    exempt = {"tax_exemption": "Certificate 12"}
    assert (await api.put(terms, headers=member, json=exempt)).status_code == 403
    assert (await api.put(terms, headers=operator, json=exempt)).status_code == 200
    draft = await the_draft(api, member)
    assert (draft["taxes"], draft["tax_notes"]) == ([], ["Exempt from tax: Certificate 12"])


async def test_the_audit_keeps_what_a_tenant_said_of_its_tax(
    api: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    owner = await a_session(database, tenant, Role.OWNER)
    said = {"country": "FR", "business": True, "tax_id": "FR32123456789"}
    await api.put("/v1/billing-details", headers=owner, json=said)
    [entry] = [
        entry
        for entry in (await api.get("/v1/audit", headers=owner)).json()["items"]
        if entry["action"] == "billing-details.change"
    ]
    assert entry["detail"] == said | {"region": None}


class TestWithAService:
    """The API with a tax service on a real port."""

    @pytest.fixture
    async def server(self) -> AsyncIterator[TaxServer]:
        async with TaxServer() as server:
            yield server

    @pytest.fixture
    def api_settings(self, api_settings: Settings, server: TaxServer) -> Settings:
        return api_settings.model_copy(
            update={"tax_service_url": server.url, "tax_service_timeout_seconds": 20.0}
        )

    async def test_reads_go_on_while_it_is_away_and_finalizing_waits(
        self,
        api: httpx.AsyncClient,
        operator: Headers,
        member: Headers,
        tenant: Tenant,
        server: TaxServer,
    ) -> None:
        async def away(asked: Asked) -> Response:
            return JSONResponse({}, status_code=503)

        server.reply = away
        draft = await the_draft(api, member)
        assert (draft["tax_known"], draft["total"]["amount"]) == (False, "118.00")
        path = f"/v1/invoices/{draft['id']}"
        for kind in ("pdf", "csv"):
            assert (await api.get(f"{path}.{kind}", headers=member)).status_code == 200
        finalize = f"/v1/tenants/{tenant.id}/invoices/{draft['id']}/finalize"
        refused = await api.post(finalize, headers=operator)
        assert (refused.status_code, refused.json()["code"]) == (503, "tax_not_known")
        assert "answered 503, 3 times in a row" in refused.json()["detail"]
        assert (await the_draft(api, member))["state"] == "draft"
        audit = await api.get("/v1/audit", headers=member)
        assert "invoice.finalize" not in audit.text

        server.reply = honest
        before = len(server.asked)
        done = [await api.post(finalize, headers=operator) for _ in range(2)]
        assert [answer.status_code for answer in done] == [200, 200], done[0].text
        assert done[0].json() == done[1].json()
        # 7.375 and 1.77 on 118.00
        assert done[0].json()["total"]["amount"] == "127.15"
        assert len(server.asked) == before + 1
        runs = server.asked[-1]
        assert (runs.body["id"], runs.body["preview"]) == (draft["id"], False)
