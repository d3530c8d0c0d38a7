"""The operator puts a customer on Stripe, and mends what it refuses; the customer saves a card."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest
from playwright.async_api import Page, Route, expect
from sqlalchemy import delete, insert, select

from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import members, platform_dispatches, tenants
from backend_client.types.accounts import Role, Tenant
from backend_client.types.platforms import DispatchState
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.journey.test_tenants import switch_to
from tests.platforms.conftest import issued
from tests.support.billing import make_tenant
from tests.support.stripe.server import StripeStandIn
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NAME = "Sample: on a platform"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
async def database(farebox: Farebox) -> AsyncIterator[Database]:
    database = Database(farebox.database_url)
    yield database
    await database.close()


@pytest.fixture
async def customer(farebox: Farebox, database: Database) -> AsyncIterator[Tenant]:
    """A customer that pays in dinars, of which Stripe collects steps of 0.010."""
    async with person_at(farebox) as person:
        user = (await person.me.get()).user_id
    tenant = await make_tenant(database, name=NAME, slug="on-a-platform", currency="KWD")
    async with database.begin() as connection:
        values = {"tenant_id": tenant.id, "user_id": user, "role": Role.OWNER}
        await connection.execute(insert(members).values(values))
    yield tenant
    async with database.begin() as connection:
        await connection.execute(delete(tenants).where(tenants.c.id == tenant.id))


async def test_a_customer_goes_on_a_platform(
    customer: Tenant, database: Database, stand_in: StripeStandIn, page: Page
) -> None:
    settings = Settings(seller_name="Sample seller")
    await visit(page, "Platforms")
    await expect(page.locator("#no-connections")).to_be_visible()
    await page.get_by_role("button", name="Connect a customer").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Customer").fill("nobody of that name")
    await form.get_by_role("button", name="Connect").click()
    await expect(form.get_by_text("There is no such customer.")).to_be_visible()
    await form.get_by_label("Customer").fill(customer.slug)
    await form.get_by_role("button", name="Connect").click()
    await expect(form).to_be_hidden()
    connections = page.locator("#platform-connections")
    await expect(connections.get_by_role("row", name=NAME)).to_contain_text("Collects our invoices")

    await issued(database, settings, customer, ["1.234"], month=1)
    await issued(database, settings, customer, ["2.340"], month=2)
    parked = page.locator("#parked-dispatches")
    await expect(parked.get_by_role("row", name=NAME)).to_contain_text("steps of 0.010")
    await parked.get_by_role("button", name="Send again").click()
    await expect(page.get_by_text("It is sent again.")).to_be_visible()
    # The row may be that of the first refusal
    await until(partial(_all_refused, database, customer), seconds=60)
    await expect(parked.get_by_role("row", name=NAME)).to_contain_text("steps of 0.010")
    await parked.get_by_role("button", name="Leave out").click()
    await form.get_by_role("button", name="Leave out").click()
    await expect(form.get_by_text("Say why")).to_be_visible()
    await form.get_by_label("Reason").fill("Paid in cash.")
    await form.get_by_role("button", name="Leave out").click()
    await expect(form).to_be_hidden()
    await expect(page.get_by_text("Nothing is refused")).to_be_visible()

    async def sent() -> bool:
        return any(invoice["status"] == "open" for invoice in stand_in.books.all("invoice"))

    await until(sent, seconds=60)
    [remote] = stand_in.books.all("invoice")
    remote["status"] = "void"  # somebody did that on Stripe, and no webhook came
    await page.get_by_role("button", name=f"Compare {NAME}").click()
    drift = page.locator("#platform-drift")
    await expect(drift.get_by_role("row", name=NAME).first).to_contain_text("Voided there")

    await page.get_by_role(
        "button", name=f"Names that the platform has for things of {NAME}"
    ).click()
    await expect(page.locator("#platform-objects")).to_contain_text(remote["id"])
    await page.get_by_role("button", name="Close").click()
    await page.set_viewport_size(PHONE)
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"]
    await page.set_viewport_size({"width": 1280, "height": 800})

    await saves_a_card(stand_in, page)

    await visit(page, "Platforms")
    await page.get_by_role("button", name=f"Disconnect {NAME}").click()
    question = page.get_by_role("alertdialog")
    await question.get_by_role("button", name="Disconnect").click()
    await expect(page.locator("#no-connections")).to_be_visible()


async def _all_refused(database: Database, customer: Tenant) -> bool:
    """Whether nothing of the customer's that was set aside is on its way again."""
    query = select(platform_dispatches.c.state).where(
        platform_dispatches.c.tenant_id == customer.id,
        platform_dispatches.c.reason.is_not(None),
    )
    async with database.begin() as connection:
        states = (await connection.execute(query)).scalars().all()
    return bool(states) and set(states) == {DispatchState.REFUSED}


async def saves_a_card(stand_in: StripeStandIn, page: Page) -> None:
    """The customer goes to Stripe's page from the portal, and sees its card afterwards."""

    async def show(route: Route) -> None:
        await route.fulfill(
            content_type="text/html", body="<title>The page of the stand-in</title>"
        )

    await page.route("https://checkout.stripe.example/**", show)
    await switch_to(page, NAME)
    await visit(page, "Invoices")
    await page.get_by_role("button", name="Payment methods").click()
    await expect(page.locator("#no-methods")).to_be_visible()
    await page.get_by_role("button", name="Add a method").click()
    await page.wait_for_url("https://checkout.stripe.example/**")
    stand_in.books.pay_checkout(page.url.rpartition("/")[2], stand_in.now)
    await page.goto("/invoices/")
    await page.get_by_role("button", name="Payment methods").click()
    await expect(page.locator("#methods")).to_contain_text("Visa •••• 4242")
    await page.get_by_role("button", name="Close").click()
