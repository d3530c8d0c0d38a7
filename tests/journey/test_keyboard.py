"""What a page is mostly for, by keyboard alone."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import Locator, Page, expect

from backend_client.types.accounts import (
    InvitationAccept,
    InvitationCreate,
    Role,
    TenantCreate,
)
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import ANSWER_MS, visit
from tests.journey.test_no_api import NOON
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

MOST_TABS = 120


async def go(page: Page, name: str) -> None:
    """Go to a page by the palette; its heading has the focus then."""
    await page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search pages")
    await expect(field).to_be_focused()
    await page.keyboard.type(name)
    await expect(page.get_by_role("option").first).to_contain_text(name)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name=name, level=1)).to_be_focused()
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)


async def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until the ``wanted`` control has the focus."""
    await expect(wanted).to_be_enabled()
    for _ in range(MOST_TABS):
        if await wanted.evaluate("element => element === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    await expect(wanted).to_be_focused(timeout=1)


async def press(page: Page, wanted: Locator) -> None:
    await tab_to(page, wanted)
    await page.keyboard.press("Enter")


async def test_main_tasks_need_no_mouse(page: Page) -> None:
    dialog = page.get_by_role("dialog")

    await visit(page, "Overview")
    # A key is created; the focus comes back to what opened the dialog
    await go(page, "API keys")
    create = page.get_by_role("button", name="Create key")
    await press(page, create)
    await expect(dialog.get_by_label("Name")).to_be_focused()
    await page.keyboard.type("by keyboard")
    await page.keyboard.press("Enter")
    await expect(dialog.locator("#key-secret")).to_contain_text("fb_")
    await press(page, dialog.get_by_role("button", name="Done"))
    await expect(create).to_be_focused()
    rotate = page.get_by_role("button", name="Rotate by keyboard")
    await press(page, rotate)
    await press(page, dialog.get_by_role("button", name="Rotate the key"))
    await expect(dialog.locator("#key-secret")).to_contain_text("fb_")
    await press(page, dialog.get_by_role("button", name="Done"))
    await expect(dialog).to_be_hidden()
    await expect(rotate).to_be_focused()

    # A question is asked, and its answer stopped, if it has not come by then
    await go(page, "Playground")
    question = page.get_by_label("Your question")
    await tab_to(page, question)
    await page.keyboard.type("Write a long story about a lighthouse.")
    await page.keyboard.press("Enter")
    send = page.get_by_role("button", name="Send")
    stop = page.get_by_role("button", name="Stop", exact=True)
    await expect(page.get_by_role("log", name="Conversation")).to_contain_text("lighthouse")
    await expect(send.or_(stop)).to_be_visible()
    while await stop.count():
        if await stop.evaluate_all("buttons => buttons[0] === document.activeElement"):
            await page.keyboard.press("Enter")
            break
        await page.keyboard.press("Tab")
    await expect(send).to_be_visible(timeout=ANSWER_MS)

    # Usage is filtered, and a range chosen
    await go(page, "Usage")
    span = page.get_by_role("combobox", name="Range", exact=True)
    await press(page, span)
    # By the arrows: letters typed before the list has the focus, or over a second apart, are lost
    week = page.get_by_role("option", name="Last 7 days")
    await expect(page.locator("[role=option]:focus")).to_have_count(1)
    while not await week.evaluate("option => option === document.activeElement"):
        await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(span).to_have_text("Last 7 days")
    await expect(span).to_be_focused()
    await expect(page).to_have_url(re.compile("range=week"))

    # A coupon is written; that there is none such is said at its field
    await go(page, "Spend")
    redeem = page.get_by_role("button", name="Redeem a coupon")
    await press(page, redeem)
    await tab_to(page, dialog.get_by_label("Code"))
    await page.keyboard.type("none-such")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="coupon")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(redeem).to_be_focused()

    # Somebody is invited
    await go(page, "Team")
    invite = page.get_by_role("button", name="Invite")
    await press(page, invite)
    await expect(dialog.get_by_label("E-mail")).to_be_focused()
    await page.keyboard.type("grace@mail.example")
    await page.keyboard.press("Enter")
    await expect(dialog.locator("#invitation-link")).to_contain_text("/invitation")
    await press(page, dialog.get_by_role("button", name="Done"))
    await expect(page.get_by_role("row", name="grace@mail.example")).to_be_visible()
    await expect(invite).to_be_focused()


@pytest.fixture
async def customer(farebox: Farebox) -> AsyncIterator[str]:
    """A customer whose owner is the person at this machine for a while, by its name."""
    async with person_at(farebox) as person:
        # By a clock of its own: in a month's last quarter of an hour, nothing is left to be paid
        wanted = TenantCreate(
            slug="changed-by-keyboard", name="Changed by keyboard", is_sample=True, clock_at=NOON
        )
        tenant = await person.tenants.create(wanted)
        invitation = await person.invitations.create(
            InvitationCreate(role=Role.OWNER), tenant=tenant.id
        )
        await person.invitations.accept(InvitationAccept(secret=invitation.secret))
    yield tenant.name
    connection = await asyncpg.connect(farebox.database_url)
    # By hand, since a customer keeps an owner: the other journeys' person has one organization
    await connection.execute("DELETE FROM members WHERE tenant_id = $1", tenant.id)
    await connection.close()


async def test_a_plan_is_changed_without_a_mouse(page: Page, customer: str) -> None:
    dialog = page.get_by_role("dialog")
    switcher = page.get_by_role("button", name="Switch organization")
    choice = dialog.get_by_role("button", name=customer)

    async def is_offered() -> bool:
        await page.goto("/")
        await press(page, switcher)
        await expect(dialog).to_be_visible()
        return await choice.count() > 0

    # What a session may act for is asked every few seconds
    await until(is_offered)
    await press(page, choice)
    await expect(switcher).to_contain_text(customer)

    await go(page, "Spend")
    plan = page.locator("main")
    await expect(plan).to_contain_text("Dear")
    change = page.get_by_role("button", name="Change plan")
    await press(page, change)
    await press(page, dialog.get_by_role("button", name="Choose Dearer"))
    # What it costs is said before it is confirmed; one may go back, and stay
    await expect(dialog.locator("#plan-preview")).to_contain_text("Base")
    await press(page, dialog.get_by_role("button", name="Back"))
    await press(page, dialog.get_by_role("button", name="Choose Dearer"))
    await press(page, dialog.get_by_role("button", name="Confirm the change"))
    await expect(dialog).to_be_hidden()
    await expect(plan).to_contain_text("Dearer")
    await expect(change).to_be_focused()
