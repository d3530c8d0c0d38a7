"""The operator adds a model provider, tests it, stops it and retires it."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.journey.steps import visit
from tests.journey.test_access import PHONE, WIDE, lacking
from tests.support.provider_double import ProviderDouble

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SECRET = "their-key-0123456789"
SECOND = "their-other-key-4321"
SPARE = "spare-of-the-journey"


async def test_an_upstream_is_added_tested_stopped_and_retired(page: Page) -> None:
    frames: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: frames.append(str(frame)))

    page.on("websocket", listen)
    with ProviderDouble() as double:
        await visit(page, "Upstreams")
        rows = page.locator("#upstreams")
        settings = rows.get_by_role("row").filter(has_text="In the settings")
        await expect(settings.first).to_contain_text("Works")
        await settings.first.get_by_role("button", name="Details").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("it is changed there")
        await expect(dialog.get_by_role("button", name="Edit")).to_have_count(0)
        await dialog.get_by_role("button", name="Test").click()
        # Whatever it is: a busy machine may be too slow for its model
        await expect(dialog.locator("#upstream-tested")).to_contain_text(" s from ")
        await dialog.get_by_role("button", name="Close").click()

        await page.get_by_role("button", name="Add upstream").click()
        await dialog.get_by_label("Name", exact=True).fill("no name")
        await dialog.get_by_role("button", name="Add upstream").click()
        await expect(dialog.get_by_text("Letters, digits, dots")).to_be_visible()
        await dialog.get_by_label("Name", exact=True).fill(SPARE)
        await dialog.get_by_label("Address", exact=True).fill("models.example")
        await dialog.get_by_label("Models").fill("of-the-journey = own")
        await dialog.get_by_label("Keys", exact=True).fill(f"{SECRET}\n{SECOND}")
        await dialog.get_by_role("button", name="Add upstream").click()
        await expect(dialog.get_by_text("no address such as")).to_be_visible()
        await dialog.get_by_label("Address", exact=True).fill(f"{double.url}/v1")
        await dialog.get_by_role("button", name="Add upstream").click()
        await expect(dialog).to_be_hidden()
        row = rows.get_by_role("row", name=SPARE)
        await expect(row).to_contain_text("Works")

        await row.get_by_role("button", name="Details").click()
        await expect(page).to_have_url(re.compile(rf"/upstreams/?\?upstream={SPARE}$"))
        await expect(dialog).to_contain_text("•••• 6789")
        await dialog.get_by_role("button", name="Test").click()
        await expect(dialog.locator("#upstream-tested")).to_contain_text("Status 200")
        by_key = dialog.get_by_role("list", name="By key").get_by_role("listitem")
        await expect(by_key).to_contain_text(["Key 1, •••• 6789: Works", "Key 2, •••• 4321: Works"])
        sent = {asked.headers["authorization"] for asked in double.asked}
        assert sent == {f"Bearer {SECRET}", f"Bearer {SECOND}"}
        for screen in (WIDE, PHONE):
            await page.set_viewport_size(screen)
            assert await lacking(page, whole=False) == []
        await page.reload()  # the address opens it again
        await dialog.get_by_role("button", name="Edit").click()
        await expect(dialog.get_by_label("Models")).to_have_value("of-the-journey = own")
        await expect(dialog.get_by_label("Keys", exact=True)).to_have_value("")
        assert await lacking(page, whole=False) == []
        await dialog.get_by_label("Weight").fill("3")
        await dialog.get_by_role("button", name="Save").click()
        await expect(row).to_contain_text("weight 3")
        await page.set_viewport_size(WIDE)

        question = page.get_by_role("alertdialog")
        await row.get_by_role("button", name="Details").click()
        await dialog.get_by_role("button", name="Disable").click()
        await expect(question).to_contain_text("No other upstream serves of-the-journey")
        await question.get_by_role("button", name="Disable it").click()
        await expect(dialog.get_by_role("button", name="Enable")).to_be_visible()
        await dialog.get_by_role("button", name="Retire").click()
        await question.get_by_role("button", name="Retire it").click()
        await expect(row).to_have_count(0)
        await page.get_by_role("switch", name="Show retired").click()
        await expect(row).to_contain_text("Retired")
    assert not any(SECRET in frame or SECOND in frame for frame in frames)
