"""A year of many tenants on each platform: what it asks for is what we do, to the cent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest
from sqlalchemy import select, text

from backend.customers.profiles import set_details
from backend.platforms.adapter import Adapter
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import tenants
from tests.platforms import a_year
from tests.platforms.conftest import opened, send, stripe_settings
from tests.platforms.orb.conftest import DETAILS, orb_settings
from tests.platforms.orb.conftest import opened as opened_orb
from tests.support.examples import examples
from tests.support.orb.server import OrbStandIn
from tests.support.stripe.server import StripeStandIn

pytestmark = pytest.mark.engine

TENANTS = examples(10)
"""A hundred with ``--hypothesis-profile thorough``."""

OURS = text(
    """
    SELECT id, total, total - coalesce((
        SELECT sum(amount) FROM payments
        WHERE payments.tenant_id = invoices.tenant_id AND payments.invoice_id = invoices.id
      ), 0) AS due
    FROM invoices WHERE number IS NOT NULL
    """
)

Totals = dict[str, tuple[Decimal, Decimal]]


@dataclass(frozen=True)
class Remote:
    """A platform's adapter, and what it asks for: total and rest by our id of the invoice.

    ``of_the_rest``: what was paid before is a line below zero there, so that the total is the rest.
    """

    adapter: Adapter
    totals: Callable[[], Totals]
    of_the_rest: bool = False


@asynccontextmanager
async def on_stripe(database: Database) -> AsyncIterator[Remote]:
    async with StripeStandIn() as stand_in:
        # No limit but the machine's
        quick = stripe_settings(stand_in).model_copy(update={"stripe_requests_per_second": 1e6})

        def totals() -> Totals:
            invoices = stand_in.books.all("invoice")
            assert len({invoice["number"] for invoice in invoices}) == len(invoices)
            return {
                invoice["metadata"]["farebox_id"]: (
                    Decimal(invoice["total"]) / 100,
                    Decimal(invoice["amount_remaining"]) / 100,
                )
                for invoice in invoices
            }

        async with opened(database, quick) as stripe:
            yield Remote(stripe, totals)


@asynccontextmanager
async def on_orb(database: Database) -> AsyncIterator[Remote]:
    async with OrbStandIn() as stand_in:
        quick = orb_settings(stand_in).model_copy(update={"orb_requests_per_second": 1e6})

        def totals() -> Totals:
            return {
                invoice["metadata"]["farebox_id"]: (
                    Decimal(invoice["total"]),
                    Decimal(0) if invoice["status"] == "paid" else Decimal(invoice["amount_due"]),
                )
                for invoice in stand_in.books.all("invoice")
            }

        async with opened_orb(database, quick) as orb:
            yield Remote(orb, totals, of_the_rest=True)


PLATFORMS: dict[str, Callable[[Database], AbstractAsyncContextManager[Remote]]] = {
    "stripe": on_stripe,
    "orb": on_orb,
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_year_of_invoices_is_there_to_the_cent(
    database: Database, settings: Settings, platform: str
) -> None:
    """Twelve months each, some paid by credit in part or whole: each invoice once, as it is."""
    await a_year.lived(database, TENANTS, platform, "invoices")
    async with database.begin() as connection:
        for tenant_id in (await connection.scalars(select(tenants.c.id))).all():
            await set_details(connection, tenant_id, DETAILS)
    await a_year.invoiced(database, settings)
    async with PLATFORMS[platform](database) as remote:
        await send(database, remote.adapter)
        theirs = remote.totals()
    async with database.begin() as connection:
        rows = (await connection.execute(OURS)).all()
    assert len(rows) == 12 * TENANTS
    assert any(due < total for _, total, due in rows)
    assert theirs == {
        invoice_id: (due if remote.of_the_rest else total, due) for invoice_id, total, due in rows
    }
