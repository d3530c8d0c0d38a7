"""VAT ids looked up at a stand-in for VIES that answers, refuses, and is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import HttpUrl
from sqlalchemy import select
from starlette.types import Scope, Send

from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.sessions.sessions import begin_session
from backend.customers.profiles import set_details
from backend.customers.tax_ids import look_up_due
from backend.errors import InvalidInput
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries
from backend_client import AsyncFareboxClient, Conflict, Forbidden
from backend_client import InvalidInput as Refused
from backend_client.types.accounts import Role, Tenant
from backend_client.types.invoices import BillingDetails
from backend_client.types.taxes import TaxIdOutcome
from tests.support.billing import make_tenant
from tests.support.local_server import LocalServer, send_json

pytestmark = pytest.mark.engine

GOOD = "DE 123 456 788"
NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
AWAY = (500, {"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]})


class ViesStandIn(LocalServer):
    """Knows one German number, and answers as ``reply`` says instead while that is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        self.reply: tuple[int, Any] | None = None

    async def answer(self, scope: Scope, body: bytes, send: Send) -> None:
        assert (scope["method"], scope["path"]) == ("POST", "/check-vat-number")
        question = json.loads(body)
        self.asked.append(question)
        if self.reply is not None:
            await send_json(send, *self.reply, {}, cut=False)
            return
        valid = (question["countryCode"], question["vatNumber"]) == ("DE", "123456788")
        said = {**question, "valid": valid, "requestDate": "2026-03-01T00:00:00Z"}
        said |= {"name": "---", "address": "Hauptstr. 1\nBerlin", "requestIdentifier": "WAPI1"}
        await send_json(send, 200, said, {}, cut=False)


@pytest.fixture
async def vies() -> AsyncIterator[ViesStandIn]:
    async with ViesStandIn() as server:
        yield server


@pytest.fixture
def api_settings(api_settings: Settings, vies: ViesStandIn) -> Settings:
    changes = {"vies_url": HttpUrl(vies.url), "seller_tax_id": "ATU12345675"}
    return api_settings.model_copy(update=changes)


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    tenant = await make_tenant(database)
    async with database.begin() as connection:
        details = BillingDetails(country="DE", business=True, tax_id=GOOD)
        await set_details(connection, tenant.id, details)
    return tenant


async def test_ids_are_looked_up_and_what_was_said_is_kept(
    url: str,
    database: Database,
    api_settings: Settings,
    operator: dict[str, str],
    vies: ViesStandIn,
    tenant: Tenant,
) -> None:
    stop = asyncio.Event()
    async with database.begin() as connection:
        user = await upsert_user(
            connection, issuer="test", subject="owner", name="Owner", email="owner@mail.example"
        )
        await add_member(connection, tenant.id, user, Role.OWNER)
        session = await begin_session(connection, user, tenant.id, seconds=600)
    secret = operator["authorization"].removeprefix("Bearer ")
    async with (
        AsyncFareboxClient(url, secret) as seller,
        AsyncFareboxClient(url, session.token) as person,
    ):
        check = await person.billing_details.tax_id_check()
        assert (check.tax_id, check.outcome) == (GOOD, TaxIdOutcome.UNCHECKED)
        vies.reply = AWAY
        assert await look_up_due(database, api_settings, NOW, stop) == 1
        check = await person.billing_details.tax_id_check()
        assert (check.outcome, check.answered_at) == (TaxIdOutcome.UNAVAILABLE, None)
        assert check.problem == "The service answered MS_UNAVAILABLE."
        assert await look_up_due(database, api_settings, NOW + HOUR / 2, stop) == 0

        vies.reply = None
        assert await look_up_due(database, api_settings, NOW + 2 * HOUR, stop) == 1
        assert vies.asked[-1] == {
            "countryCode": "DE",
            "vatNumber": "123456788",
            "requesterMemberStateCode": "AT",
            "requesterNumber": "U12345675",
        }
        check = await seller.billing_details.tax_id_check(tenant=tenant.slug)
        assert check == await person.billing_details.tax_id_check()
        assert (check.outcome, check.problem, check.name) == (TaxIdOutcome.VALID, None, None)
        assert (check.address, check.consultation) == ("Hauptstr. 1 Berlin", "WAPI1")
        assert check.answered_at == NOW + 2 * HOUR
        assert await look_up_due(database, api_settings, NOW + 3 * HOUR, stop) == 0

        # What was said stays while the service is away, whatever it answers then
        for reply in (AWAY, (200, {"valid": "yes"}), (200, ["nonsense"]), (503, {})):
            vies.reply = reply
            check = await seller.billing_details.look_up_tax_id(tenant=tenant.id)
            assert (check.outcome, check.answered_at) == (TaxIdOutcome.VALID, NOW + 2 * HOUR)
            assert check.problem is not None
        vies.reply = (200, {"actionSucceed": False, "errorWrappers": [{"error": "INVALID_INPUT"}]})
        check = await seller.billing_details.look_up_tax_id(tenant=tenant.id)
        assert (check.outcome, check.problem) == (TaxIdOutcome.INVALID, None)
        async with database.begin() as connection:
            acts = set(await connection.scalars(select(audit_entries.c.action)))
        assert "tax-id.look-up" in acts

        with pytest.raises(Forbidden):
            await person.billing_details.look_up_tax_id(tenant=tenant.id)
        wrong = BillingDetails(country="DE", business=True, tax_id="DE123456789")
        with pytest.raises(Refused, match="check digits"):
            await person.billing_details.update(wrong)
        await person.billing_details.update(BillingDetails(country="US", business=True))
        with pytest.raises(Conflict, match="no tax id"):
            await seller.billing_details.look_up_tax_id(tenant=tenant.id)


@pytest.mark.parametrize(
    ("details", "fault"),
    [
        ({"country": "DE", "tax_id": "ATU12345675"}, "begins with DE"),
        ({"country": "FR", "tax_id": "FR1"}, "form"),
        ({"country": "DE", "tax_id": "12/345"}, "begins with DE"),
        ({"country": "US", "tax_id": "94-3404302"}, None),
        ({"country": "DE", "tax_id": "12/345", "business": False}, None),
        ({"tax_id": "anything"}, None),
    ],
)
async def test_the_form_is_checked_where_it_is_known(
    database: Database, details: dict[str, Any], fault: str | None
) -> None:
    tenant = await make_tenant(database)
    wanted = BillingDetails.model_validate({"business": True} | details)
    async with database.begin() as connection:
        if fault is None:
            assert await set_details(connection, tenant.id, wanted) == wanted
        else:
            with pytest.raises(InvalidInput, match=fault) as refused:
                await set_details(connection, tenant.id, wanted)
            assert refused.value.errors[0].field == "tax_id"
