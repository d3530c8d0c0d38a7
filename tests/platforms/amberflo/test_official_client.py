"""Amberflo's own client, as a witness: it reads what we wrote."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from metering.customer import CustomerApiClient
from metering.customer_prepaid_order import CustomerPrepaidOrderApiClient
from metering.customer_product_invoice import (
    CustomerProductInvoiceApiClient,
    create_all_invoices_query,
    create_invoice_query,
)
from metering.customer_product_plan import CustomerProductPlanApiClient
from metering.ingest import IngestApiClient, create_ingest_payload
from metering.session import ApiSession, IngestSession
from metering.usage import (
    AggregationType,
    TimeGroupingInterval,
    TimeRange,
    UsageApiClient,
    create_usage_query,
)

from backend.platforms.amberflo.adapter import Amberflo
from backend.platforms.paying import top_up_link
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.top_ups import ask_for_top_up
from backend_client.types.accounts import Tenant
from backend_client.types.wallets import TopUpCreate
from tests.platforms.amberflo.conftest import (
    LATER,
    PERIOD,
    SOME_DAY,
    on_amberflo,
    rated_by_amberflo,
    sent,
)
from tests.support.amberflo.server import KEY, AmberfloStandIn
from tests.support.invoices import count, used

pytestmark = pytest.mark.engine


@pytest.fixture
def witness(stand_in: AmberfloStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Amberflo's own client, pointed at the stand-in."""
    monkeypatch.setattr(ApiSession, "root_url", stand_in.url)
    monkeypatch.setattr(IngestSession, "root_url", stand_in.url)


def read_by_its_client(tenant: Tenant) -> dict[str, object]:
    query = create_usage_query(
        AggregationType.SUM,
        "fb-input_tokens-large",
        TimeGroupingInterval.HOUR,
        TimeRange(int(PERIOD.start.timestamp()), int(LATER.timestamp())),
        usage_filter={"customerId": [tenant.id]},
    )
    usage = UsageApiClient(KEY).get(query)
    [assigned] = CustomerProductPlanApiClient(KEY).list(tenant.id)
    invoices = CustomerProductInvoiceApiClient(KEY)
    first, *_ = invoices.get_all(create_all_invoices_query(tenant.id))
    key = first["invoiceKey"]
    day = date(key["year"], key["month"], key["day"])
    again = invoices.get(create_invoice_query(tenant.id, key["productPlanId"], day))
    [order] = CustomerPrepaidOrderApiClient(KEY).list_active(tenant.id)
    return {
        "name": CustomerApiClient(KEY).get(tenant.id)["customerName"],
        "usage": sum(value["value"] for value in usage["clientMeters"][0]["values"]),
        "plan": assigned["productPlanId"],
        "total": again["totalBill"]["totalPrice"],
        "order": order["prepaidPrice"],
    }


async def test_amberflos_own_client_reads_what_was_written(
    database: Database,
    settings: Settings,
    stand_in: AmberfloStandIn,
    amberflo: Amberflo,
    witness: None,
) -> None:
    tenant = await rated_by_amberflo(database, amberflo)
    await count(database, [used(tenant, SOME_DAY, "4000.5")])
    await sent(database, amberflo)
    async with database.begin() as connection:
        top_up = await ask_for_top_up(
            connection, tenant.id, TopUpCreate(amount="40"), datetime.now(UTC)
        )
    await top_up_link(database, settings, {"amberflo": amberflo}, tenant.id, top_up.id)
    stand_in.ahead = LATER - datetime.now(UTC)
    assert await asyncio.to_thread(read_by_its_client, tenant) == {
        "name": tenant.name,
        "usage": 4000.5,
        "plan": "fb-fitting-1-usd",
        "total": 20.030005,
        "order": 40,
    }
    # What it sends is known as ours is, by its id
    [event] = stand_in.books.events.there.values()
    again = create_ingest_payload(
        event.said["meterApiName"],
        event.said["meterValue"],
        event.said["meterTimeInMillis"],
        tenant.id,
        unique_id=event.said["uniqueId"],
    )
    said = await asyncio.to_thread(IngestApiClient(KEY).send, [again])
    assert (said, on_amberflo(stand_in)) == ("1 records were ingested", Decimal("4000.5"))
