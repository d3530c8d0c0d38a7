"""A customer buys credit and sets its rule; the operator confirms, gives, and pays back."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import asyncpg
import pytest
from playwright.async_api import Page, expect

from backend_client.types.accounts import Role, TenantCreate
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import AGAIN_SECONDS, visit
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NAME = "Sample: buys credit"


@pytest.fixture
async def tenant_id(page: Page, farebox: Farebox) -> AsyncIterator[str]:
    """A tenant of the person at this machine, whose page acts for it."""
    async with person_at(farebox) as person:
        tenant = await person.tenants.create(TenantCreate(slug="buys", name=NAME, is_sample=True))
        connection = await asyncpg.connect(farebox.database_url)
        await connection.execute(
            "INSERT INTO members (tenant_id, user_id, role) SELECT $1, user_id, $2"
            " FROM members JOIN tenants ON tenants.id = tenant_id WHERE slug = 'local'",
            tenant.id,
            Role.OWNER,
        )
        await connection.close()
        try:
            await switch_to(page, NAME)
            yield tenant.id
        finally:
            await person.tenants.delete(tenant.id)


async def switch_to(page: Page, name: str) -> None:
    switch = page.get_by_role("button", name="Switch organization")
    choice = page.get_by_role("dialog").get_by_role("button", name=name)

    async def offered() -> bool:
        # The portal asks the API for a person's tenants every few seconds
        await page.goto("/")
        await switch.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        return await choice.count() == 1

    await until(offered, pause=AGAIN_SECONDS)
    await choice.click()
    await expect(switch).to_contain_text(name)


async def has_balance(page: Page, shown: str) -> None:
    balance = re.compile(rf"Balance\s*{re.escape(shown)}")
    await expect(page.locator("main")).to_contain_text(balance)


async def buy(page: Page, amount: str) -> None:
    await page.get_by_role("button", name="Buy credit").first.click()
    dialog = page.get_by_role("dialog", name="Buy credit")
    await dialog.get_by_label("Amount").fill(amount)
    await dialog.get_by_label("Amount").press("Enter")
    await expect(dialog).to_be_hidden()


async def test_credit_is_bought_confirmed_and_paid_back(
    page: Page, farebox: Farebox, tenant_id: str
) -> None:
    await visit(page, "Credit")
    await expect(page.locator("#no-credit")).to_be_visible()
    await expect(page.get_by_text("This plan is billed after use.")).to_be_visible()

    await page.get_by_role("button", name="Buy credit").first.click()
    dialog = page.get_by_role("dialog", name="Buy credit")
    await dialog.get_by_role("button", name="Request purchase").click()
    await expect(dialog.get_by_role("alert").filter(has_text="needed")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await buy(page, "50.25")
    done = page.get_by_role("region", name="What was done")
    await expect(done).to_contain_text("$50.25 was requested.")
    await buy(page, "7")
    top_ups = page.locator("#top-ups tbody tr")
    await expect(top_ups).to_have_count(2)
    await has_balance(page, "$0.00")

    # The operator has one payment, and another failed
    waiting = page.locator("#waiting tbody tr").filter(has_text=NAME)
    await expect(waiting).to_have_count(2)
    outcome = page.get_by_role("dialog", name="Record the payment")
    await waiting.filter(has_text="$50.25").get_by_role("button", name="Record").click()
    await outcome.get_by_role("button", name="Save").click()
    await expect(outcome.get_by_role("alert").filter(has_text="Give the payment")).to_be_visible()
    await outcome.get_by_label("Reference").fill("pi_1")
    await outcome.get_by_role("button", name="Save").click()
    await expect(done).to_contain_text("recorded as paid")
    await has_balance(page, "$50.25")
    await top_ups.filter(has_text="$7.00").get_by_role("button", name="Record").click()
    await outcome.get_by_label("Failed:").click()
    await outcome.get_by_label("Reference").fill("card refused")
    await outcome.get_by_role("button", name="Save").click()
    await expect(top_ups.filter(has_text="$7.00")).to_contain_text("Failed")
    await expect(waiting).to_have_count(0)
    await has_balance(page, "$50.25")

    await page.get_by_role("button", name="Refund what is left of").click()
    refund = page.get_by_role("dialog", name="Refund the remaining credit?")
    await expect(refund).to_contain_text("$50.25 of")
    await refund.get_by_role("button", name="Cancel").click()
    await has_balance(page, "$50.25")
    await page.get_by_role("button", name="Refund what is left of").click()
    await refund.get_by_role("button", name="Refund").click()
    await expect(done).to_contain_text("$50.25 of")
    await has_balance(page, "$0.00")
    ledger = page.locator("#ledger tbody tr")
    await expect(ledger).to_have_count(2)
    await expect(ledger.first).to_contain_text("Refunded")
    await expect(ledger.first).to_contain_text("−$50.25")
    async with person_at(farebox) as person:
        (grant,) = await person.wallet.grants.list(tenant=tenant_id).all()
        assert (grant.available, grant.refunded) == (0, Decimal("50.25"))


async def test_credit_that_is_given_burns_in_order(page: Page, tenant_id: str) -> None:
    await visit(page, "Credit")
    for name, kind, last_day in (
        ("Later", "Promotional", ""),
        ("First", "Purchased", "2099-01-31"),
    ):
        await page.get_by_role("button", name="Grant credit").click()
        dialog = page.get_by_role("dialog", name="Grant credit")
        await dialog.get_by_role("button", name="Grant credit").click()
        await expect(
            dialog.get_by_role("alert").filter(has_text="A name is required")
        ).to_be_visible()
        await dialog.get_by_label("Name").fill(name)
        await dialog.get_by_label("Amount").fill("10")
        await dialog.get_by_role("combobox", name="Kind").click()
        await page.get_by_role("option", name=kind).click()
        await dialog.get_by_label("Expires after").fill("2020-01-31")
        await dialog.get_by_role("button", name="Grant credit").click()
        await expect(dialog.get_by_role("alert").filter(has_text="over already")).to_be_visible()
        await dialog.get_by_label("Expires after").fill(last_day)
        await dialog.get_by_label("Only for these models").fill("smollm2-135m-instruct")
        await dialog.get_by_role("button", name="Grant credit").click()
        await expect(dialog).to_be_hidden()
        await expect(page.locator("#grants")).to_contain_text(name)
    rows = page.locator("#grants tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text("First")
    await expect(rows.first).to_contain_text("31 Jan 2099")
    await expect(rows.first).to_contain_text("for smollm2-135m-instruct only")
    await expect(rows.last).to_contain_text("Never expires")
    await expect(rows.last.get_by_role("button", name="Refund")).to_have_count(0)
    # A phone's card is headed by what it is, not by its place
    await expect(rows.first.locator(":scope > :first-child")).to_contain_text("First")


async def test_the_rule_buys_and_the_warning_shows(
    page: Page, farebox: Farebox, tenant_id: str
) -> None:
    await visit(page, "Credit")
    rule = page.locator("#credit-rule")
    await rule.get_by_role("switch", name="Top up automatically").click()
    await rule.get_by_role("button", name="Save").click()
    await expect(rule.get_by_role("alert").filter(has_text="An amount is needed.")).to_have_count(3)
    await rule.get_by_label("When the balance is below").first.fill("5")
    await rule.get_by_label("Top up by").fill("20")
    await rule.get_by_label("Daily maximum").fill("10")
    await rule.get_by_role("button", name="Save").click()
    await expect(rule.locator("#credit-daily_ceiling-problem")).to_contain_text(
        "at least one top-up"
    )
    await rule.get_by_label("Daily maximum").fill("40")
    await rule.get_by_label("Warn when").fill("12")
    await rule.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Low-balance settings saved.")).to_be_visible()
    async with person_at(farebox) as person:
        kept = (await person.wallet.get(tenant=tenant_id)).settings
    assert kept.top_up is not None
    assert (kept.top_up.threshold, kept.top_up.daily_ceiling, kept.low_balance) == (5, 40, 12)

    # What comes in is looked at: too little, so that the wallet warns
    await page.get_by_role("button", name="Grant credit").click()
    dialog = page.get_by_role("dialog", name="Grant credit")
    await dialog.get_by_label("Name").fill("A little")
    await dialog.get_by_label("Amount").fill("1")
    await dialog.get_by_role("button", name="Grant credit").click()
    await expect(page.locator("#low-balance")).to_contain_text("Less than $12.00 is left")
    await expect(page.locator("#top-ups")).to_contain_text("Automatic")
    await expect(page.locator("#top-ups")).to_contain_text("$20.00")

    await page.reload()
    await expect(rule.get_by_label("Top up by")).to_have_value("20")
    await rule.get_by_role("switch", name="Top up automatically").click()
    await rule.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Low-balance settings saved.")).to_be_visible()


@asynccontextmanager
async def a_customer(farebox: Farebox, role: Role) -> AsyncIterator[None]:
    """Let the person at this machine be no operator for a while, and have a role."""
    connection = await asyncpg.connect(farebox.database_url)
    set_role = (
        "UPDATE members SET role = $1 FROM tenants WHERE tenants.id = tenant_id AND slug = 'local'"
    )
    try:
        await connection.execute("UPDATE users SET is_operator = false")
        await connection.execute(set_role, role)
        yield
    finally:
        await connection.execute("UPDATE users SET is_operator = true")
        await connection.execute(set_role, Role.OWNER)
        await connection.close()


@pytest.mark.parametrize(
    ("role", "buys"), [(Role.BILLING, True), (Role.DEVELOPER, False), (Role.VIEWER, None)]
)
async def test_a_customer_is_offered_what_its_role_may(
    page: Page, farebox: Farebox, role: Role, buys: bool | None
) -> None:
    async with a_customer(farebox, role):

        async def known() -> bool:
            # The portal asks the API who a session is every few seconds
            await page.goto("/credit/")
            await expect(page.get_by_role("button", name="Switch organization")).to_be_visible()
            shown = await page.get_by_role("button", name="Switch organization").inner_text()
            operates = await page.get_by_role("link", name="Operator", exact=True).count()
            return role.value in shown and not operates

        await until(known, pause=AGAIN_SECONDS)
        if buys is None:

            async def refused() -> bool:
                # Until the former role is forgotten, the wallet is shown before it is refused; and
                # a tab keeps what it has shown
                tab = await page.context.new_page()
                await tab.goto("/credit/")
                refusal = tab.get_by_role("alert").filter(has_text="Your role here (viewer)")
                await expect(refusal.or_(tab.locator("#credit-rule"))).to_be_visible()
                is_refused = await refusal.is_visible()
                await expect(tab.get_by_text("Balance")).to_have_count(0 if is_refused else 1)
                await tab.close()
                return is_refused

            await until(refused, pause=AGAIN_SECONDS)
            return
        await expect(page.locator("#credit-rule")).to_be_visible()
        await expect(page.get_by_role("button", name="Customer:")).to_have_count(0)
        await expect(page.get_by_role("button", name="Grant credit")).to_have_count(0)
        await expect(page.locator("#waiting")).to_have_count(0)
        buying = page.get_by_role("button", name="Buy credit").first
        keep = page.get_by_role("button", name="Save", exact=True)
        if buys:
            await expect(buying).to_be_visible()
            await expect(keep).to_be_visible()
        else:
            await expect(buying).to_be_hidden()
            await expect(keep).to_be_hidden()
            await expect(page.locator("#credit-rule")).to_contain_text("No automatic top-up")
