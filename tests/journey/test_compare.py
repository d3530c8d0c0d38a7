"""Somebody compares plans for a workload, and sends the link to somebody else."""

from __future__ import annotations

import csv
from calendar import monthrange
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pypdfium2
import pytest
from playwright.async_api import Page, expect

from portal.kit.formatting import money
from tests.journey.steps import visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

CHATS, TOKENS_IN, TOKENS_OUT = 100, 1_000, 10


def bill() -> Decimal:
    """Next month's bill of the workload by hand, on the plan that is cheaper: see catalog.yaml."""
    following = datetime.now(UTC).replace(day=1) + timedelta(days=32)
    chats = CHATS * monthrange(following.year, following.month)[1]
    answered = chats * TOKENS_OUT
    lines = (
        chats * TOKENS_IN * Decimal("3.17") / 1_000,
        12 * Decimal("5.55") / 1_000 + (answered - 12) * Decimal("4.25") / 1_000,
        chats * Decimal("0.015"),
    )
    return sum((line.quantize(Decimal("0.01"), ROUND_HALF_UP) for line in lines), Decimal(0))


async def test_a_workload_is_priced_and_the_address_holds_it(page: Page) -> None:
    await visit(page, "Compare plans")
    plan = page.locator("[data-plan=dear]")
    await expect(plan).to_be_visible()
    for field, number in (
        ("Chats a day", CHATS),
        ("Input tokens a chat", TOKENS_IN),
        ("Output tokens a chat", TOKENS_OUT),
    ):
        await page.get_by_label(field, exact=True).fill(str(number))
    await expect(plan).to_contain_text(money(bill(), "USD"))
    await expect(plan.get_by_text("Cheapest")).to_be_visible()
    await expect(page.get_by_role("img", name="monthly bill")).to_be_visible()
    await page.wait_for_url("**chats=100&tokens_in=1000&tokens_out=10&**")

    # The same in another tab, from the link that the button copies
    await page.get_by_role("button", name="Copy link").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link: str = await page.evaluate("navigator.clipboard.readText()")
    other = await page.context.new_page()
    await other.goto(link)
    await expect(other.locator("[data-plan=dear]")).to_contain_text(money(bill(), "USD"))
    await expect(other.get_by_label("Chats a day", exact=True)).to_have_value(str(CHATS))

    # By keyboard, to the slider's next stop
    slider = other.get_by_role("slider", name="Chats a day")
    await slider.press("ArrowRight")
    await expect(other.get_by_label("Chats a day", exact=True)).to_have_value("150")
    await other.wait_for_url("**chats=150**")
    await other.close()


async def test_the_comparison_is_a_file_and_fills_the_screen(page: Page, tmp_path: Path) -> None:
    await page.goto(f"/compare/?chats={CHATS}&tokens_in={TOKENS_IN}&tokens_out={TOKENS_OUT}")
    await expect(page.locator("[data-plan=dear]")).to_contain_text(money(bill(), "USD"))
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="CSV").click()
    file = tmp_path / "plans.csv"
    await (await downloading.value).save_as(file)
    rows = [row for row in csv.DictReader(file.read_text().splitlines()) if row["plan"] == "dear"]
    assert [row["charge"] for row in rows] == ["Questions", "Answers", "Calls"]
    assert sum(Decimal(row["amount"]) for row in rows) == bill()
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="PDF").click()
    paper = tmp_path / "plans.pdf"
    await (await downloading.value).save_as(paper)
    with closing(pypdfium2.PdfDocument(paper)) as document:
        text = "".join(sheet.get_textpage().get_text_range() for sheet in document)
    assert f"Total {bill():,.2f} USD" in text

    await page.get_by_role("button", name="Full screen", exact=True).click()
    await expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    await page.wait_for_url("**full=1")
    await page.get_by_role("button", name="Leave full screen").click()
    await expect(page.get_by_role("navigation", name="Pages", exact=True)).to_be_visible()
    await page.get_by_role("radio", name="My past").click()
    await expect(page.get_by_label("Months that are over")).to_be_visible()
    await page.wait_for_url("**basis=past**")
