"""What was written or chosen and not saved is not left without a question."""

from __future__ import annotations

import pytest
from playwright.async_api import Dialog, Page, expect

from portal import routes
from tests.journey.steps import visit
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ASKS = "() => !window.dispatchEvent(new Event('fb-leaving', { cancelable: true }))"
"""What the browser asks the page before it leaves."""


async def asks(page: Page) -> bool:
    return bool(await page.evaluate(ASKS))


async def begin(page: Page, button: str) -> None:
    """Open a dialog anew, with nothing written in it."""
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name=button, exact=True).first.click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert not await asks(page)


async def test_what_is_ticked_or_chosen_is_an_edit_as_what_is_written_is(page: Page) -> None:
    await visit(page, "API keys")
    dialog = page.get_by_role("dialog")
    await begin(page, "Create key")
    await dialog.get_by_role("checkbox").first.focus()
    await page.keyboard.press("Space")
    assert await asks(page)

    await begin(page, "Create key")
    await dialog.get_by_role("combobox", name="Expires").click()
    await page.get_by_role("option").last.click()
    await expect(page.get_by_role("option")).to_have_count(0)
    assert await asks(page)

    # Of a list that is left as it was nothing is changed
    await begin(page, "Create key")
    await dialog.get_by_role("combobox", name="Expires").click()
    await page.get_by_role("option", selected=True).click()
    await expect(page.get_by_role("option")).to_have_count(0)
    assert not await asks(page)

    await page.goto(f"{routes.customer('local')}&tab=plan")
    await begin(page, "End")
    radios = dialog.get_by_role("radio")
    # The one that is chosen already, then the next by its key
    await dialog.get_by_role("radio", checked=True).click()
    assert not await asks(page)
    # Held, as by a hand: where it is let go at once Radix moves the focus alone
    await page.keyboard.down("ArrowDown")
    await expect(radios.last).to_be_checked()
    await page.keyboard.up("ArrowDown")
    assert await asks(page)
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    assert not await asks(page)

    await visit(page, "Credit")
    switch = page.get_by_role("switch", name="Top up automatically")
    await switch.click()
    await expect(switch).to_be_checked()
    assert await asks(page)


async def test_what_was_refused_as_a_whole_is_not_saved(page: Page) -> None:
    await visit(page, "Applications")
    dialog = page.get_by_role("dialog")
    name = await page.locator("main table tbody tr").first.get_by_role("rowheader").inner_text()
    await begin(page, "Create application")
    await dialog.get_by_label("Name").fill(name.splitlines()[0])
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert").filter(has_text="already")).to_be_visible()
    assert await asks(page)
    questions: list[str] = []

    async def stay(question: Dialog) -> None:
        questions.append(question.message)
        await question.dismiss()

    page.on("dialog", stay)
    await page.evaluate("history.back()")

    async def was_asked() -> bool:
        return bool(questions)

    await until(was_asked)
    await expect(dialog.get_by_label("Name")).to_have_value(name.splitlines()[0])


async def test_a_place_of_the_page_opens_in_another_tab(page: Page) -> None:
    """Whoever holds a key down wants the browser's own answer to a link."""
    await visit(page, "Overview")
    skip = page.locator('a[href="#content"]')
    for key in ("Control", "Shift", "Meta", "Alt"):
        assert not await skip.evaluate(
            """(link, key) => {
              const held = { [key === "Control" ? "ctrlKey" : key.toLowerCase() + "Key"]: true };
              const click = new MouseEvent("click", { bubbles: true, cancelable: true, ...held });
              addEventListener("click", (event) => {
                window.swallowed = event.defaultPrevented;
                event.preventDefault();
              }, { once: true });
              link.dispatchEvent(click);
              return window.swallowed;
            }""",
            key,
        ), key
    await skip.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#content")).to_be_focused()
