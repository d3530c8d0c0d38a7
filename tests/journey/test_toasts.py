"""What was just done is said in a toast; what was not is said in a notice that stays."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from playwright.async_api import Error as BrowserError
from playwright.async_api import Page, expect

from backend_client.types.accounts import ApiKeyCreate
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.support.waiting import until

WATCH = """
window.said = [];
new MutationObserver(() => {
  for (const status of document.querySelectorAll("[role=status]")) {
    if (!window.said.includes(status.textContent)) window.said.push(status.textContent);
  }
}).observe(document, {childList: true, subtree: true, characterData: true});
"""
"""Keeps what is read out: the next look that succeeds takes a problem back."""

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


async def test_what_was_done_is_said_once_read_out_and_put_away_by_keyboard(
    page: Page, farebox: Farebox
) -> None:
    async with person_at(farebox) as person:
        application = (await person.applications.list().all())[0]
        for name in ("toasted", "toasted too"):
            await person.keys.create(ApiKeyCreate(name=name, application_id=application.id))
    await visit(page, "API keys")
    region = page.get_by_role("region", name=re.compile("^Notifications"))
    await expect(region).to_have_attribute("aria-live", "polite")
    await switch_off(page, "toasted")
    toast = region.get_by_role("listitem")
    await expect(toast.filter(has_text="Disabled toasted.")).to_be_visible()

    # By keyboard: to the toasts, and the newest away
    await page.keyboard.press("Alt+t")
    await expect(region.get_by_role("list")).to_be_focused()
    close = toast.get_by_role("button", name="Close toast")
    await close.first.focus()
    await page.keyboard.press("Enter")
    await expect(toast).to_have_count(0)

    # A page that is loaded anew has the state of before, and says nothing again
    await page.reload()
    await expect(page.get_by_role("row", name="toasted too")).to_be_visible()
    await expect(toast).to_have_count(0)
    await switch_off(page, "toasted too")
    await expect(toast).to_have_count(1)
    await expect(toast).to_contain_text("Disabled toasted too.")
    # It goes by itself
    await expect(toast).to_have_count(0)


async def switch_off(page: Page, name: str) -> None:
    await page.get_by_role("button", name=f"Disable {name}", exact=True).click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Disable the key").click()


async def test_what_was_not_done_is_said_in_place_of_a_toast(page: Page, farebox: Farebox) -> None:
    await visit(page, "API keys")
    async with person_at(farebox) as person:
        application = (await person.applications.list().all())[0]

        async def is_refused() -> bool:
            wanted = ApiKeyCreate(name="gone meanwhile", application_id=application.id)
            key = await person.keys.create(wanted)
            await page.reload()
            row = page.get_by_role("row", name="gone meanwhile").filter(has_not_text="Revoked")
            await row.get_by_role("button", name="Disable gone meanwhile").click()
            confirm = page.get_by_role("alertdialog").get_by_role("button", name="Disable the key")
            await expect(confirm).to_be_visible()
            await page.evaluate(WATCH)
            await person.keys.revoke(key.id)
            # The page may have noticed before, and offers it no more
            with suppress(BrowserError):
                await confirm.click(timeout=5_000)
                return True
            return False

        await until(is_refused, seconds=300)

    async def is_said() -> bool:
        return any("revoked" in text for text in await page.evaluate("window.said"))

    await until(is_said, seconds=60)
    await expect(page.get_by_role("listitem").filter(has_text="Disabled")).to_have_count(0)
