"""The operator looks at a month of the books, and takes it along."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.async_api import Page, expect

from backend_client.types.wallets import CreditGrantCreate, CreditKind
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit

pytestmark = pytest.mark.browser


async def test_a_month_is_looked_at_and_taken_along(farebox: Farebox, page: Page) -> None:
    async with person_at(farebox) as person:
        tenant = (await person.me.get()).tenant
        sold = CreditGrantCreate(
            name="For the books", kind=CreditKind.PAID, amount=Decimal("12.34")
        )
        grant = await person.wallet.grants.create(sold, tenant=tenant.id)
    month = f"{datetime.now(UTC):%Y-%m-01}"
    await visit(page, "Accounting")
    await expect(page.get_by_role("heading", name="Journal", level=2)).to_be_visible()
    await page.goto(f"/accounting/?month={month}&customer={tenant.id}")
    revenue = page.locator("#revenue tbody tr").filter(has_text="Prepaid credit")
    await expect(revenue).to_be_visible()
    journal = page.locator("#journal")
    await expect(journal).to_contain_text("Credit sold: For the books")
    await expect(journal.locator("tr").filter(has_text=grant.id)).to_contain_text("$12.34")
    await expect(page.get_by_role("combobox", name="Customer")).to_have_text(tenant.name)

    address = await page.get_by_role("link", name="Journal as CSV").get_attribute("href")
    answer = await page.request.get(f"{farebox.url}{address}")
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    [debit] = [row for row in rows if row["reference"] == grant.id and row["debit"]]
    assert (debit["debit"], debit["tenant"]) == ("12.34", tenant.id)
    # DATEV needs what is not set: it is said, and nothing is downloaded
    address = await page.get_by_role("link", name="Journal as DATEV").get_attribute("href")
    answer = await page.request.get(f"{farebox.url}{address}")
    assert (answer.status, "datev" in await answer.text()) == (409, True)
