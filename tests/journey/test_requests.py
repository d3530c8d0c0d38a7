"""A person looks up how a call went, shares it, and takes the list away as a file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.journey.steps import answered, ask, limit_answers, visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

PHONE = {"width": 390, "height": 844}


async def test_a_call_is_found_opened_shared_and_downloaded(page: Page, tmp_path: Path) -> None:
    await visit(page, "Playground")
    await limit_answers(page, 8)
    await ask(page, "Say hello.")
    await answered(page)

    await page.goto("/requests/?outcome=completed")
    rows = page.locator("#calls tbody tr")
    while await rows.count() == 0:  # it is written a moment after the answer
        await page.get_by_role("button", name="Refresh").click()
        await expect(page.get_by_role("button", name="Refresh")).to_be_enabled()
    await expect(page.get_by_role("heading", name="Matching calls")).to_be_visible()
    await expect(rows.first).to_contain_text("Completed")

    await rows.first.get_by_role("button", name="Details").click()
    opened = page.get_by_role("dialog")
    await expect(opened).to_contain_text("200, completed")
    await expect(page).to_have_url(re.compile("call="))
    at = page.url
    await page.reload()
    await expect(opened).to_contain_text("200, completed")
    await opened.get_by_role("link", name="Its event").click()
    await expect(page.locator("#events tbody tr")).to_have_count(1)
    await page.goto(at.partition("?")[0])

    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="CSV").click()
    file = tmp_path / "requests.csv"
    await (await waiting.value).save_as(file)
    with file.open(newline="") as lines:
        calls = list(csv.DictReader(lines))
    assert {"completed"} <= {call["outcome"] for call in calls}

    # Filters that let nothing through, and a wrong one at its field
    await page.get_by_label("Model").fill("no-such-model")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("Nothing matches")).to_be_visible()
    await page.get_by_role("button", name="Clear the filters").click()
    # The fields are written anew: what is typed before that is lost
    await expect(page.get_by_label("Model")).to_have_value("")
    await page.get_by_label("At least, ms").fill("soon")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("Write milliseconds as a whole number")).to_be_visible()

    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict of these two
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
