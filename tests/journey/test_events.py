"""A person looks at events one by one, follows them, and takes them away as a file."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from backend_client.types.corrections import CorrectionBatch, CorrectionCreate, EventReference
from tests.journey.conftest import Farebox
from tests.journey.metered import Service
from tests.journey.steps import visit
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


@pytest.fixture
async def service(
    page: Page, farebox: Farebox, request: pytest.FixtureRequest
) -> AsyncIterator[Service]:
    """One for each test, after the person has signed in, who is made an owner by that."""
    async with Service(farebox, request.node.name) as service:
        yield service


async def only_of(page: Page, service: Service) -> None:
    """Show the service's events alone: other journeys leave theirs in the same installation."""
    await page.goto("/events/")
    await page.get_by_label("Source").fill(service.source)
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("heading", name="Matching events")).to_be_visible()


async def test_what_is_metered_shows_by_itself_and_can_be_paused(
    page: Page, service: Service, farebox: Farebox
) -> None:
    await only_of(page, service)
    await expect(page.get_by_text("No matching events")).to_be_visible()
    live = page.locator("main").get_by_role("status")
    rows = page.locator("#events tbody tr")

    await service.send("live-1", output_tokens=1234)
    await expect(rows).to_have_count(1)
    await expect(rows.first).to_contain_text("1,234 output tokens")
    await expect(live).to_have_text("Live")

    await page.get_by_role("button", name="Pause").click()
    await expect(live).to_have_text("Paused")
    await service.send("live-2", "live-3")
    await expect(live).to_have_text("Paused, 2 new")
    await expect(rows).to_have_count(1)
    await page.get_by_role("button", name="Follow").click()
    await expect(rows).to_have_count(3)
    await expect(rows.first).to_contain_text("live-2")
    await service.send("live-4")
    await expect(rows.first).to_contain_text("live-4")

    # Other services' events do not pass the filter
    async with Service(farebox, "somebody-else") as other:
        await other.send("live-5")
    await service.send("live-6")
    await expect(rows.first).to_contain_text("live-6")
    await expect(rows).to_have_count(5)


async def test_following_ends_when_the_page_is_left(
    page: Page, service: Service, farebox: Farebox
) -> None:
    log = farebox.home / "logs" / "api.log"

    def ended() -> int:
        return log.read_text().count("route=/v1/events/tail")

    before = ended()
    await only_of(page, service)
    await service.send("followed")
    await expect(page.locator("#events")).to_contain_text("followed")
    assert ended() == before
    await visit(page, "API keys")

    async def one_more() -> bool:
        return ended() == before + 1

    await until(one_more)


async def test_events_are_found_and_paged_through(page: Page, service: Service) -> None:
    ago = timedelta(minutes=10)
    await service.send(*(f"page-{number:03}" for number in range(120)), ago=ago, output_tokens=7)
    await service.send("labelled", labels={"team": "drawing"}, images=3, model="painter")
    await only_of(page, service)
    rows = page.locator("#events tbody tr")
    await expect(rows).to_have_count(50)
    newer = page.get_by_role("button", name="Newer")
    older = page.get_by_role("button", name="Older")
    await expect(newer).to_be_disabled()
    await older.click()
    await expect(rows.first).to_contain_text("page-049")
    await expect(rows.last).to_contain_text("page-098")

    # What comes in while an older page is shown moves nothing, and is told
    live = page.locator("main").get_by_role("status")
    await service.send("meanwhile")
    await expect(live).to_have_text("Page 2, 1 new")
    await expect(rows.first).to_contain_text("page-049")
    await page.get_by_role("button", name="Older").click()
    await expect(rows.last).to_contain_text("page-119")
    await expect(older).to_be_disabled()
    await newer.click()
    await expect(rows.last).to_contain_text("page-098")
    await newer.click()
    await expect(rows.first).to_contain_text("meanwhile")

    # The first page has moved on by what came in, and the second begins where it ends
    await service.send("live-again")
    await expect(rows.first).to_contain_text("live-again")
    last = await rows.last.inner_text()
    await older.click()
    await expect(live).to_have_text("Page 2")
    number = int(last.split("page-")[1][:3])
    await expect(rows.first).to_contain_text(f"page-{number + 1:03}")

    await page.get_by_role("button", name="Clear").click()
    await page.get_by_role("combobox", name="Model").click()
    await page.get_by_role("option", name="painter").click()
    await expect(rows).to_have_count(1)
    await page.get_by_role("combobox", name="Meter").click()
    await page.get_by_role("option", name="Output tokens").click()
    await expect(page.get_by_text("No matching events")).to_be_visible()
    await page.get_by_role("button", name="Clear the filters").click()
    await expect(rows).to_have_count(50)  # the fields are empty by then, and new
    await page.get_by_role("textbox", name="Label").fill("team")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("alert").filter(has_text="name=value")).to_be_visible()
    await page.get_by_role("textbox", name="Label").fill("team=drawing")
    await page.get_by_role("textbox", name="Label").press("Enter")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("3 images")


async def test_an_event_tells_what_a_correction_made_of_it(page: Page, service: Service) -> None:
    await service.send("voided", labels={"team": "search"}, input_tokens=700, output_tokens=70)
    reference = EventReference(source=service.source, id="voided")
    void = CorrectionCreate(id="void-1", event=reference, action="void", reason="sent twice")
    await service.person.corrections.create(CorrectionBatch(corrections=[void]))
    await only_of(page, service)
    row = page.locator("#events tbody tr").filter(has_text="voided")
    await expect(row).to_contain_text("Voided")
    await row.get_by_role("button", name="Details of voided").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Voided: it no longer counts.")
    await expect(dialog).to_contain_text("Label team")
    await expect(dialog.get_by_role("row", name="Input tokens")).to_contain_text("700")
    await expect(dialog.get_by_role("listitem")).to_contain_text("sent twice")
    await expect(dialog.get_by_role("listitem")).to_contain_text("700 input tokens")
    await dialog.get_by_role("button", name="Copy as JSON").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert '"input_tokens": "700"' in copied
    await page.keyboard.press("Escape")
    await expect(row.get_by_role("button", name="Details of voided")).to_be_focused()


async def test_what_is_filtered_is_downloaded(page: Page, service: Service) -> None:
    await service.send(*(f"file-{number}" for number in range(205)), requests=1, images=2)
    await only_of(page, service)
    await page.get_by_role("combobox", name="Meter").click()
    await page.get_by_role("option", name="Images").click()
    await expect(page.locator("#events tbody tr").first).to_contain_text("file-0")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="CSV").click()
    download = await downloading.value
    assert download.suggested_filename.startswith("events-local-")
    with (await download.path()).open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["id"].startswith("file-")]
    assert {line["id"] for line in lines} == {f"file-{number}" for number in range(205)}
    assert sum(int(line["quantity"]) for line in lines if line["meter"] == "images") == 410

    refused = await page.request.get("/downloads/events.csv?label=team")
    assert (refused.status, "name=value" in await refused.text()) == (422, True)


async def test_what_was_refused_is_listed_for_the_customer_and_the_operator(
    page: Page, service: Service
) -> None:
    await service.send_too_late("late-1", "late-2")
    row = page.locator("#refused-events tbody tr").filter(has_text=service.source).first
    await page.goto("/events/")
    for text in ("is more than 400 days ago", "late-2", "The customer’s own services"):
        await expect(row).to_contain_text(text)
    await service.send_too_late("late-3")
    await expect(row).to_contain_text("late-3")
    await page.goto("/operations/")
    await expect(row).to_contain_text("late-3")
    await expect(row.locator(".fb-number")).to_have_text("3")
