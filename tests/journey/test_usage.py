"""Somebody looks at usage from every side, shares the view, and takes it away as a file."""

from __future__ import annotations

import csv
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Page, expect
from pyarrow import parquet

from tests.journey.conftest import Farebox
from tests.journey.metered import Service
from tests.journey.test_access import PHONE, lacking_in_the_end

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

MODEL = "usage-trip"
"""Of this test alone."""


async def choose(page: Page, what: str, name: str) -> None:
    await page.get_by_role("combobox", name=what, exact=True).click()
    await page.get_by_role("option", name=name, exact=True).click()
    await expect(page.get_by_role("combobox", name=what, exact=True)).to_have_text(name)


async def test_usage_is_looked_at_from_every_side_and_the_address_holds_it(
    page: Page, farebox: Farebox, tmp_path: Path
) -> None:
    async with Service(farebox, "usage-trip") as service:
        await service.send("recent", model=MODEL, requests=1, input_tokens=1_000)
        await service.send(
            "before", model=MODEL, ago=timedelta(days=8), requests=1, input_tokens=400
        )
    await page.goto(f"/usage/?model={MODEL}")
    total = page.locator("#usage-total")
    await expect(total).to_have_text("1,000")

    # Seven days, which are compared with the seven before them
    await choose(page, "Range", "Last 7 days")
    await expect(total).to_have_text("1,000")
    await expect(page.locator("#usage-change")).to_contain_text("150%")

    # Two dimensions, and the address that brings them to a colleague
    await choose(page, "Split by", "By model")
    await choose(page, "Then by", "Then by meter")
    await expect(page.locator(".fb-legend")).to_contain_text("Input tokens")
    await expect(page).to_have_url(re.compile("range=week.*split=model.*then=meter"))
    await page.reload()
    await expect(total).to_have_text("1,000")
    await expect(page.get_by_role("combobox", name="Then by")).to_have_text("Then by meter")

    # Between two times, of another zone's clock
    await choose(page, "Time zone", "Asia/Tokyo")
    await choose(page, "Range", "Between two times")
    begin, end = page.get_by_label("From", exact=True), page.get_by_label("To", exact=True)
    since, until = await begin.input_value(), await end.input_value()
    await begin.fill(until)
    await end.fill(since)
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_text("The end is not after the start.")).to_be_visible()
    await begin.fill(since)
    await end.fill(until)
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_text("The end is not after the start.")).to_have_count(0)
    await expect(page).to_have_url(re.compile("zone=Asia"))
    await expect(total).to_have_text("1,000")

    # A bar leads to its events
    bar = page.locator(".fb-chart path[aria-roledescription=bar]").first
    await bar.click()
    await expect(page.get_by_role("heading", name="Events", level=1)).to_be_visible()
    query = parse_qs(urlsplit(page.url).query)
    assert query["model"] == [MODEL]
    await expect(page.locator("#events tbody tr")).to_have_count(1)
    await expect(page.locator("#events")).to_contain_text("recent")
    await page.go_back()
    await expect(page.get_by_role("combobox", name="Range")).to_have_text("Between two times")
    await expect(total).to_have_text("1,000")

    # The files have what is shown, by every dimension
    for kind in ("CSV", "Parquet"):
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name=kind, exact=True).click()
        await (await downloading.value).save_as(tmp_path / kind)
    rows = list(csv.DictReader((tmp_path / "CSV").read_text().splitlines()))
    tokens = [Decimal(row["quantity"]) for row in rows if row["meter"] == "input_tokens"]
    assert tokens == [Decimal(1_000)]
    assert parquet.read_table(tmp_path / "Parquet").num_rows == len(rows)

    # Other measures; what a filter can't apply to is said
    measures = page.get_by_role("radiogroup", name="What to measure")
    note = page.locator("#usage-filters-note")
    for name, words in (
        ("Errors", "not counted by label"),
        ("Latency", "not counted by label"),
        ("Refusals", "not counted by label"),
    ):
        await measures.get_by_role("radio", name=name, exact=True).click()
        await expect(note).to_contain_text(words)
        await expect(page.get_by_role("combobox", name="Status", exact=True)).to_have_count(0)
    await expect(page.locator("#usage-empty")).to_contain_text("No call was refused")
    await measures.get_by_role("radio", name="Requests", exact=True).click()
    await expect(page.locator("#usage-total")).to_have_text("1")
    await choose(page, "Status", "Failed")
    await expect(page.locator("#usage-empty")).to_be_visible()
    await page.get_by_role("button", name="Clear filters").click()
    await expect(page.locator("#usage-shown")).to_be_visible()


async def test_a_declared_label_and_a_status_filter_tokens(page: Page, farebox: Farebox) -> None:
    async with Service(farebox, "usage-by-label") as service:
        for label in ("team", "status"):
            await service.person.labels.declare(label, tenant="local")
        await service.send(
            "left", labels={"team": "search", "status": "aborted"}, requests=1, input_tokens=7
        )
        await service.send(
            "done", labels={"team": "search", "status": "completed"}, requests=1, input_tokens=50
        )
    await page.goto("/usage/?label=team%3Dsearch")
    total = page.locator("#usage-total")
    await expect(total).to_have_text("57")
    await choose(page, "Status", "Aborted")
    await expect(total).to_have_text("7")
    await expect(page.locator("#usage-filters-note")).to_be_empty()
    await page.reload()
    await expect(total).to_have_text("7")
    # What it cost is kept by both too
    measures = page.get_by_role("radiogroup", name="What to measure")
    await measures.get_by_role("radio", name="Cost", exact=True).click()
    await expect(total).to_have_text("$0.04")  # seven tokens and a request, of the aborted alone
    await expect(page.locator("#usage-filters-note")).to_be_empty()
    await expect(page.get_by_role("textbox", name="Label")).to_have_value("team=search")
    await expect(page.get_by_role("combobox", name="Status", exact=True)).to_have_text("Aborted")
    await choose(page, "Split by", "By label team")
    by_team = page.get_by_role("img", name="by label team: search $0.03719")
    await expect(by_team).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("combobox", name="Split by")).to_have_text("By label team")


async def test_a_quota_burns_down_as_it_is_used(page: Page, farebox: Farebox) -> None:
    await page.goto("/usage/")
    card = page.locator("#usage-quota")
    note = card.locator("p").first
    await expect(note).to_have_text(
        re.compile(r"[\d,.]+ of 1,000,000 used; renewed on .+ it lasts\.$")
    )
    # What other journeys used is among it, parts of units too
    before = Decimal((await note.inner_text()).partition(" of ")[0].replace(",", ""))
    drawn = card.locator(".fb-chart svg")
    await expect(drawn).to_be_visible()
    async with Service(farebox, "usage-quota") as service:
        await service.send("first", "second", requests=3)
    # By itself, for whoever looks on
    await expect(note).to_contain_text(f"{before + 6:,} of 1,000,000 used")
    await expect(card.get_by_role("combobox", name="Quota")).to_have_text("Requests")
    await page.set_viewport_size(PHONE)
    await expect(drawn).to_be_visible()
    assert await lacking_in_the_end(page) == []
