"""What is done with a plan, and a draft that the operator can't issue yet."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.async_api import Page, expect

from backend_client.types.accounts import TenantCreate
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ACME = "acme-of-plans"


@pytest.fixture(scope="module")
async def customer(farebox: Farebox) -> str:
    """A customer without usage, by its slug."""
    async with person_at(farebox) as person:
        await person.tenants.create(TenantCreate(slug=ACME, name="Acme of plans"))
    return ACME


async def test_what_a_plan_can_not_do_is_said_in_its_dialog(page: Page) -> None:
    await visit(page, "Spend")
    await page.get_by_role("button", name="Redeem a coupon").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Redeem").click()
    await expect(dialog.get_by_role("alert").filter(has_text="Write the code")).to_be_visible()
    await dialog.get_by_label("Code").fill("none-such")
    await dialog.get_by_role("button", name="Redeem").click()
    await expect(dialog.get_by_role("alert").filter(has_text="coupon")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await page.get_by_role("button", name="End the plan").click()
    await expect(dialog.get_by_role("button", name="End it with the period")).to_be_visible()
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(dialog).to_be_hidden()


async def test_a_phone_has_all_parts_of_a_customer_in_a_list(page: Page, customer: str) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(f"/customer/?tenant={customer}")
    parts = page.get_by_role("combobox", name="Part of the page")
    await expect(parts).to_have_text("Overview")
    await expect(page.get_by_role("tab", name="Overview")).to_be_hidden()
    await parts.click()
    await page.get_by_role("option", name="Billing details").click()
    await expect(page.get_by_label("Tax id")).to_be_visible()
    await expect(page).to_have_url(re.compile("tab=billing"))


async def test_an_operator_looks_at_a_customers_portal_and_changes_nothing(
    farebox: Farebox, page: Page, customer: str
) -> None:
    await page.goto(f"/customer/?tenant={customer}")
    await page.get_by_role("button", name="View as customer").click()
    banner = page.get_by_role("region", name="Viewing a customer")
    await expect(banner).to_contain_text("Acme of plans")
    await expect(page.get_by_role("group", name="Mode")).to_be_hidden()
    await visit(page, "API keys")
    await expect(page.get_by_role("heading", name="API keys", level=1)).to_be_visible()
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)
    await expect(page.get_by_role("button", name="Create key")).to_have_count(0)
    # Who forges what the page does not offer is refused by the API
    cookies = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    bearer = {"authorization": f"Bearer {cookies['farebox_session']}"}
    async with httpx.AsyncClient(base_url=farebox.api_url, headers=bearer) as api:
        refused = await api.patch("/v1/tenant", json={"name": "Other"})
        assert (refused.status_code, refused.json()["code"]) == (403, "viewing_only")
    await page.goto("/customers/")
    await expect(page.get_by_role("link", name="Customers")).to_have_count(0)
    await banner.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", name="Acme of plans", level=1)).to_be_visible()
    await expect(banner).to_be_hidden()
    async with person_at(farebox) as person:
        [acme] = (await person.tenants.list(search=customer).page()).items
        entries = await person.audit.list_all(tenant=acme.id, action="view.begin").page()
    assert [entry.actor_kind for entry in entries.items] == ["operator"]


async def test_a_draft_whose_period_runs_is_not_issued(page: Page, customer: str) -> None:
    await page.goto(f"/customer/?tenant={customer}&tab=invoices")
    table = page.locator("#customer-invoices")
    await expect(table.get_by_role("row", name="Next invoice")).to_be_visible()
    await page.get_by_role("button", name="Issue now: Next invoice").click()
    question = page.get_by_role("alertdialog")
    await question.get_by_role("button", name="Issue now").click()
    # Its period runs: that is said, and nothing is issued
    why = re.compile("can.t be final yet|is not over|until the period ends")
    await expect(page.get_by_text(why).first).to_be_visible()
    await expect(table.get_by_role("row", name="Next invoice")).to_contain_text("Draft")
