"""A tenant on a plan, and the settings that its invoices are made by."""

from __future__ import annotations

import pytest

from backend.catalog.published import apply_catalog
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from tests.support.billing import catalog_with
from tests.support.invoices import subscribed


@pytest.fixture
def settings() -> Settings:
    return Settings(seller_name="Sample seller", invoice_payment_note="Sample bank, account 1")


@pytest.fixture
async def database(database: Database) -> Database:
    """The test's own, with the catalog published in it."""
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with())
    return database


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    """A tenant on the plan "paid" since the first of March."""
    return await subscribed(database)
