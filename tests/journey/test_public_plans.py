"""Who is not signed in compares plans, and sends the link and the file to somebody else."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, expect

from portal.kit.formatting import money
from tests.journey.test_compare import CHATS, TOKENS_IN, TOKENS_OUT, bill

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

PHONE = {"width": 390, "height": 844}


async def test_anybody_compares_plans_by_an_address(
    context: BrowserContext, tmp_path: Path
) -> None:
    page = await context.new_page()
    await page.goto("/plans")
    await expect(page.get_by_role("heading", name="Compare plans", level=1)).to_be_visible()
    await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    for field, number in (
        ("Chats a day", CHATS),
        ("Input tokens a chat", TOKENS_IN),
        ("Output tokens a chat", TOKENS_OUT),
    ):
        await page.get_by_label(field, exact=True).fill(str(number))
    plan = page.locator("[data-plan=dear]")
    await expect(plan).to_contain_text(money(bill(), "USD"))
    await page.wait_for_url(
        f"**/plans?chats={CHATS}&tokens_in={TOKENS_IN}&tokens_out={TOKENS_OUT}*"
    )

    # What stands in the address is what somebody else sees, on a phone too
    other = await context.new_page()
    await other.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict of these two
    await other.goto(page.url)
    await expect(other.locator("[data-plan=dear]")).to_contain_text(money(bill(), "USD"))
    await expect(other.get_by_label("Chats a day", exact=True)).to_have_value(str(CHATS))
    assert await other.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    async with other.expect_download() as downloading:
        await other.get_by_role("link", name="CSV").click()
    file = tmp_path / "plans.csv"
    await (await downloading.value).save_as(file)
    rows = [row for row in csv.DictReader(file.read_text().splitlines()) if row["plan"] == "dear"]
    assert sum(Decimal(row["amount"]) for row in rows) == bill()
    assert await context.cookies() == []
