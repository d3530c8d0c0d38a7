"""A seller signs in at the provider, makes a customer and acts for it; its owner comes in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from playwright.async_api import Browser, BrowserContext, Page, expect

from backend.accounts.tenants import find_tenant
from backend.metering.counting.labels import declare_label
from backend.storage.database import Database
from tests.journey.conftest import Farebox, browsing, installation
from tests.journey.steps import visit
from tests.journey.test_access import lacking

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::authlib.deprecate.AuthlibDeprecationWarning"),
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]

GROUP = "sellers"
PEOPLE = [
    User(
        sub="sam",
        claims={
            "name": "Sam",
            "email": "sam@seller.example",
            "email_verified": True,
            "groups": [GROUP],
        },
    ),
    User(sub="ada", claims={"name": "Ada", "email": "ada@mail.example", "email_verified": True}),
    User(sub="ben", claims={"name": "Ben", "email": "ben@mail.example"}),
    User(sub="eve", claims={"name": "Eve", "email": "eve@mail.example"}),
]
NAME = "Sample: Acme"


@pytest.fixture(scope="module")
async def selling() -> AsyncIterator[Farebox]:
    """An installation where sellers have a group, and others come in by invitation."""
    with run_server_in_thread(require_nonce=True, user_claims=PEOPLE) as server:
        async with installation(
            FAREBOX_OIDC_ISSUER=f"http://localhost:{server.server_port}",
            FAREBOX_OIDC_CLIENT_ID="farebox",
            FAREBOX_OIDC_CLIENT_SECRET="a secret of the client",
            FAREBOX_OPERATOR_GROUP=GROUP,
            FAREBOX_DEFAULT_TIME_ZONE="Europe/Berlin",
        ) as running:
            yield running


async def signed_in(context: BrowserContext, person: str, at: str = "/") -> Page:
    page = await context.new_page()
    await page.goto(at)
    await page.get_by_role("link", name="Continue with single sign-on").click()
    await page.get_by_role("button", name=person, exact=True).first.click()
    return page


async def open_tab(page: Page, name: str) -> None:
    await page.get_by_role("tab", name=name).click()
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)


async def copied(page: Page, button: str) -> str:
    """What a dialog shows once, by way of the clipboard."""
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name=button).click()
    await expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    text: str = await page.evaluate("navigator.clipboard.readText()")
    return text


async def test_a_seller_makes_a_customer_and_its_owner_comes_in(
    selling: Farebox, chromium: Browser
) -> None:
    complaints: list[str] = []
    async with browsing(chromium, selling, complaints) as context:
        page = await signed_in(context, "sam")
        await visit(page, "Customers")
        await page.get_by_role("button", name="New customer").click()
        dialog = page.get_by_role("dialog", name="New customer")
        await dialog.get_by_role("button", name="Create the customer").click()
        await expect(dialog.get_by_role("alert").filter(has_text="A name is")).to_be_visible()
        await dialog.get_by_label("Name").fill(NAME)
        await dialog.get_by_label("Owner’s e-mail").fill("nobody")
        await dialog.get_by_role("combobox", name="Plan").click()
        await page.get_by_role("option", name="Dear", exact=True).click()
        await dialog.get_by_role("button", name="Create the customer").click()
        await expect(dialog.get_by_role("alert").filter(has_text="e-mail")).to_be_visible()
        await dialog.get_by_label("Owner’s e-mail").fill("ada@mail.example")
        await dialog.get_by_role("button", name="Create the customer").click()
        link = await copied(page, "Copy the link")
        assert re.fullmatch(rf"{selling.url}/invitation/#fbi_[\w-]+", link)
        await page.get_by_role("link", name="Open the customer").click()
        await expect(page.get_by_role("heading", name=NAME, level=1)).to_be_visible()
        assert link not in await page.content()
        await expect(page.get_by_text("Europe/Berlin")).to_be_visible()

        await open_tab(page, "Plan and prices")
        await page.get_by_role("button", name="Agree prices").click()
        dialog = page.get_by_role("dialog", name="Agree prices")
        price = dialog.get_by_label("Questions", exact=True)
        await price.fill("much")
        await dialog.get_by_role("button", name="Agree these prices").click()
        await expect(dialog.get_by_role("alert").filter(has_text="a number")).to_be_visible()
        await price.fill("0.25")
        await dialog.get_by_role("button", name="Agree these prices").click()
        await expect(page.get_by_role("row", name="Questions").first).to_contain_text("$0.25")

        await open_tab(page, "Keys")
        await page.get_by_role("button", name="Create key").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Name").fill("first key")
        await dialog.get_by_role("button", name="Create key").click()
        secret = await copied(page, "Copy the key")
        await page.get_by_role("button", name="Done").click()
        row = page.get_by_role("row", name="first key")
        await expect(row).to_contain_text("Active")
        await page.reload()
        await expect(row).to_contain_text("Active")
        assert secret not in await page.content()

        await page.get_by_role("button", name="Limits and budget of first key").click()
        dialog = page.get_by_role("dialog", name="What bounds first key")
        budget = dialog.get_by_label("Budget", exact=True)
        await budget.fill("none")
        await dialog.get_by_role("button", name="Save").click()
        await expect(budget).to_have_attribute("aria-invalid", "true")
        await budget.fill("25")
        await dialog.get_by_label("Requests a minute").fill("60")
        await dialog.get_by_role("button", name="Save").click()
        await expect(row).to_contain_text("60 requests/min · $25.00 a month")
        bounds = page.locator("#customer-bounds")
        changes = bounds.get_by_role("button", name="Change what bounds")
        await changes.click()
        dialog = page.get_by_role("dialog", name="What bounds")
        await dialog.get_by_label("Budget", exact=True).fill("30")
        assert await lacking(page, whole=False) == []
        await dialog.get_by_role("button", name="Save").click()
        await expect(bounds).to_contain_text("of $30.00 this month")
        await changes.click()
        await expect(dialog.get_by_label("Budget", exact=True)).to_have_value("30")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
        await page.get_by_role("button", name="Budget of a label").click()
        dialog = page.get_by_role("dialog", name="Give a label a budget")
        await dialog.get_by_label("Label").fill("crew")
        await dialog.get_by_label("Value").fill("night")
        await dialog.get_by_label("Budget", exact=True).fill("5")
        create = dialog.get_by_role("button", name="Create")
        await create.click()
        await expect(dialog.get_by_role("alert").filter(has_text="crew")).to_be_visible()
        database = Database(selling.database_url, pool_size=1)
        async with database.begin() as connection:
            tenant = await find_tenant(connection, "sample-acme")
            await declare_label(connection, tenant.id, "crew")
        await database.close()
        await create.click()
        label = bounds.get_by_role("row", name="crew = night")
        await expect(label).to_contain_text("of $5.00 this month")
        await label.get_by_role("button", name="Remove the budget").click()
        removal = page.get_by_role("alertdialog")
        await removal.get_by_role("button", name="Remove it").click()
        await expect(label).to_be_hidden()

        await open_tab(page, "Credit")
        await page.get_by_role("button", name="Grant credit").click()
        dialog = page.get_by_role("dialog", name="Grant credit")
        await dialog.get_by_label("Name").fill("Welcome")
        await dialog.get_by_label("Amount").fill("40")
        await dialog.get_by_role("button", name="Grant credit").click()
        await expect(page.locator("#customer-grants")).to_contain_text("$40.00")

        await open_tab(page, "Billing details")
        await page.get_by_label("Tax id").fill("IE1234567T")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Billing details saved.")).to_be_visible()

        await open_tab(page, "People")
        await expect(page.get_by_text("No members yet")).to_be_visible()
        await expect(page.locator("#invitations")).to_contain_text("ada@mail.example")

        fresh = await context.new_page()
        await fresh.goto("/customer/?tenant=sample-acme&tab=credit")
        await expect(fresh.locator("#customer-grants")).to_contain_text("Welcome")
        await fresh.close()
        await page.goto("/customers/?search=acme")
        await expect(page.get_by_role("row", name=NAME)).to_be_visible()
        await page.get_by_label("Find customers").fill("nothing like it")
        await expect(page.get_by_text("No customers found")).to_be_visible()

    async with httpx.AsyncClient(base_url=selling.api_url) as api:
        me = await api.get("/v1/me", headers={"authorization": f"Bearer {secret}"})
        assert me.json()["tenant"]["name"] == NAME

    # Who was not invited is told so; the owner's link works after the sign-in that it asks for
    async with browsing(chromium, selling, complaints) as context:
        page = await signed_in(context, "eve")
        await expect(page.get_by_role("alert")).to_contain_text("Nobody has invited you yet")
    async with browsing(chromium, selling, complaints) as context:
        page = await context.new_page()
        await page.goto(link)
        await page.get_by_role("button", name="Accept the invitation").click()
        assert "fbi_" not in page.url
        await page.get_by_role("link", name="Continue with single sign-on").click()
        await page.get_by_role("button", name="ada", exact=True).first.click()
        switcher = page.get_by_role("button", name="Switch organization")
        await expect(switcher).to_contain_text(NAME)
        await expect(switcher).to_contain_text("owner")
        await expect(page.get_by_role("link", name="Customers")).to_be_hidden()
        await visit(page, "API keys")
        await expect(page.get_by_role("row", name="first key")).to_be_visible()
        await visit(page, "Credit")
        await expect(page.locator("#grants")).to_contain_text("Welcome")
        await visit(page, "Spend")
        await expect(page.get_by_text("Dear").first).to_be_visible()
        await page.goto("/customer/?tenant=sample-acme")
        await expect(page.get_by_role("alert").first).to_contain_text("Only the operator")
        cookies = {cookie["name"]: cookie["value"] for cookie in await context.cookies()}
        async with httpx.AsyncClient(base_url=selling.api_url) as api:
            bearer = {"authorization": f"Bearer {cookies['farebox_session']}"}
            entries = (await api.get("/v1/audit", headers=bearer)).json()["items"]
        acts = {entry["action"]: entry["actor_kind"] for entry in entries}
        assert acts["key.create"] == acts["subscription.set"] == acts["wallet.grant"] == "operator"
        assert acts["invitation.accept"] == "user"
    assert complaints == []
