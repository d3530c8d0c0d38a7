"""Applications, the organization, invitations, and what systems are notified of."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Dialog, Page, expect

from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.journey.test_access import PHONE, WIDE, lacking, lacking_in_the_end
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


async def test_an_application_is_made_renamed_and_archived(page: Page, farebox: Farebox) -> None:
    await visit(page, "Applications")
    await page.get_by_role("button", name="Create application").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Default")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert").filter(has_text="already")).to_be_visible()
    await dialog.get_by_label("Name").fill("Mobile")
    await dialog.get_by_role("button", name="Create").click()
    row = page.get_by_role("row", name="Mobile")
    await expect(row).to_contain_text("None")

    await row.get_by_role("button", name="Rename").click()
    await expect(dialog.get_by_label("Name")).to_have_value("Mobile")
    await dialog.get_by_label("Name").fill("Pocket")
    await dialog.get_by_role("button", name="Rename").click()
    row = page.get_by_role("row", name="Pocket")
    await expect(row).to_be_visible()

    # A key that works keeps it in use, which is said above the list
    await create_key_in(page, "Pocket", "of the pocket")
    await visit(page, "Applications")
    await expect(row).to_contain_text("1 key")
    await archive(page, "Pocket")
    await expect(page.get_by_text("can still be used; revoke them first")).to_be_visible()
    await row.get_by_role("link", name=re.compile("keys? of Pocket|None of Pocket")).click()
    await expect(page.get_by_role("heading", name="API keys", level=1)).to_be_visible()
    await expect(page.locator("#keys tbody tr")).to_have_count(1)
    key = page.get_by_role("row", name="of the pocket")
    await key.get_by_role("button", name="Revoke").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Revoke the key").click()
    await expect(key).to_contain_text("Revoked")
    await page.get_by_role("button", name="Application: Pocket, show all keys").click()
    await expect(page).not_to_have_url(re.compile("application="))

    await visit(page, "Applications")
    await archive(page, "Pocket")
    await expect(row).to_have_count(0)
    await page.get_by_role("switch", name="Show archived").click()
    await expect(row).to_contain_text("Archived")
    await page.reload()
    await expect(row).to_contain_text("Archived")
    await row.get_by_role("button", name="Take back").click()
    await expect(row).not_to_contain_text("Archived")
    await archive(page, "Pocket")
    await expect(row).to_contain_text("Archived")


async def create_key_in(page: Page, application: str, name: str) -> None:
    await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name").fill(name)
    await form.get_by_role("combobox", name="Application").click()
    await page.get_by_role("option", name=application).click()
    await form.get_by_role("button", name="Create key").click()
    await form.get_by_role("button", name="Done").click()


async def archive(page: Page, name: str) -> None:
    await page.get_by_role("button", name=f"Archive {name}").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Archive it").click()


async def test_what_is_kept_of_calls_is_switched(page: Page, farebox: Farebox) -> None:
    await visit(page, "Applications")
    opens = page.get_by_role("button", name="Bodies that are kept of calls of Default")
    dialog = page.get_by_role("dialog")
    switch = dialog.get_by_role("switch", name="Keep what is asked and answered")
    days = dialog.get_by_label("Days")
    await opens.click()
    await expect(switch).not_to_be_checked()
    await expect(days).to_have_count(0)
    await switch.click()
    await days.fill("91")
    await days.press("Enter")
    await expect(dialog.get_by_role("alert").filter(has_text="from 1 to 90")).to_be_visible()
    await page.set_viewport_size(PHONE)
    assert await lacking(page, whole=False) == []
    await days.fill("7")
    await days.press("Enter")
    await expect(page.get_by_text("Bodies of Default are kept for 7 days.")).to_be_visible()
    await expect(dialog).to_be_hidden()
    await expect(opens).to_be_focused()

    # As it is held, and whether e-mail addresses are
    await opens.click()
    await expect(switch).to_be_checked()
    await expect(days).to_have_value("7")
    await dialog.get_by_role("checkbox", name="Leave out e-mail addresses").click()
    await dialog.get_by_role("button", name="Save", exact=True).click()
    await expect(dialog).to_be_hidden()
    async with person_at(farebox) as person:
        applications = await person.applications.list().all()
        default = next(each for each in applications if each.name == "Default")
        held = await person.requests.body_logging(default.id)
        assert (held.enabled, held.days, held.redacted) == (True, 7, False)

        # What goes is said before it does
        await opens.click()
        await switch.click()
        await expect(dialog.get_by_role("alert").filter(has_text="removed at once")).to_be_visible()
        await dialog.get_by_role("button", name="Remove and save").click()
        await expect(page.get_by_text("Bodies of Default are not kept")).to_be_visible()
        assert not (await person.requests.body_logging(default.id)).enabled
    assert await lacking_in_the_end(page) == []


async def test_an_application_and_a_label_are_bounded(page: Page, farebox: Farebox) -> None:
    async with person_at(farebox) as person:
        await person.labels.declare("crew", tenant="local")
    await visit(page, "Applications")
    await page.get_by_role("button", name="Create application").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Bounded")
    await dialog.get_by_role("button", name="Create").click()
    row = page.get_by_role("row", name="Bounded")
    opens = page.get_by_role("button", name="Limits and budget of Bounded")
    await opens.click()
    await dialog.get_by_label("Requests a minute").fill("60")
    await dialog.get_by_label("Limits on models").fill("smollm2-135m-instruct: many requests")
    await dialog.get_by_label("Budget", exact=True).fill("25")
    await dialog.get_by_role("button", name="Save").click()
    limits = dialog.get_by_label("Limits on models")
    await expect(limits).to_have_attribute("aria-invalid", "true")
    await limits.fill("smollm2-135m-instruct: 10 requests, 5000 tokens")
    await page.set_viewport_size(PHONE)
    assert await lacking(page, whole=False) == []
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()
    await expect(row).to_contain_text("60 requests/min")
    await expect(row).to_contain_text("of $25.00 this month")
    await opens.click()
    await expect(limits).to_have_value("smollm2-135m-instruct: 10 requests, 5000 tokens")
    await expect(dialog.get_by_role("progressbar").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(opens).to_be_focused()

    # A budget of all calls with a label's value
    await page.set_viewport_size(WIDE)
    budgets = page.locator("#label-budgets")
    await expect(page.get_by_text("None yet. A budget bounds")).to_be_visible()
    for value in ("night", "night"):  # the second is there already
        await expect(dialog).to_be_hidden()
        await page.get_by_role("button", name="Create budget").click()
        await dialog.get_by_role("combobox", name="Label").click()
        await page.get_by_role("option", name="crew").click()
        await dialog.get_by_label("Value").fill(value)
        await dialog.get_by_label("Budget", exact=True).fill("5")
        assert await lacking(page, whole=False) == []
        await dialog.get_by_role("button", name="Create").click()
        await expect(budgets).to_contain_text("$5.00")
    await expect(dialog.get_by_role("alert").filter(has_text="already")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(budgets.get_by_role("row")).to_have_count(2)
    await page.get_by_role("button", name="Change the budget of").click()
    await dialog.get_by_label("Budget", exact=True).fill("none")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_label("Budget", exact=True)).to_have_attribute(
        "aria-invalid", "true"
    )
    await dialog.get_by_label("Budget", exact=True).fill("7")
    await dialog.get_by_role("button", name="Save").click()
    await expect(budgets.get_by_role("row", name="night")).to_contain_text("$7.00")
    await page.set_viewport_size(PHONE)
    assert await lacking_in_the_end(page) == []
    await page.get_by_role("button", name="Remove the budget of").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Remove it").click()
    await expect(page.get_by_text("None yet. A budget bounds")).to_be_visible()


async def test_the_organization_is_renamed(page: Page) -> None:
    await visit(page, "Organization")
    name = page.get_by_role("textbox", name="Name")
    before = await name.input_value()
    await name.fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert").filter(has_text="Give it a name")).to_be_visible()
    await name.fill("Renamed")
    await page.get_by_role("button", name="Save").click()
    switcher = page.get_by_role("button", name="Switch organization")
    await expect(switcher).to_contain_text("Renamed")
    await page.reload()
    await expect(name).to_have_value("Renamed")
    await name.fill(before)
    await page.get_by_role("button", name="Save").click()
    await page.reload()
    await expect(name).to_have_value(before)


async def test_what_is_not_saved_is_asked_about_whichever_way_one_goes(page: Page) -> None:
    await visit(page, "Team")
    await visit(page, "Organization")
    name = page.get_by_role("textbox", name="Name")
    await name.fill("Unsaved")
    asked: list[str] = []
    stays = True

    async def answer(question: Dialog) -> None:
        asked.append(question.type)
        await (question.dismiss() if stays else question.accept())

    page.on("dialog", answer)

    async def is_asked(kind: str) -> None:
        async def is_so() -> bool:
            return bool(asked)

        await until(is_so)
        await expect(page.get_by_role("heading", name="Organization", level=1)).to_be_visible()
        await expect(name).to_have_value("Unsaved")
        assert asked == [kind]
        asked.clear()

    await page.get_by_role("link", name="Usage", exact=True).click()
    await is_asked("confirm")
    await page.evaluate("history.back()")
    await is_asked("confirm")
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox", name="Search pages").fill("usage")
    await page.keyboard.press("Enter")
    await is_asked("confirm")
    await page.evaluate("location.reload()")
    await is_asked("beforeunload")

    # The page goes on: what is wrong is said by the server, and is unsaved as well
    await name.fill("")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert").filter(has_text="Give it a name")).to_be_visible()
    stays = False
    await page.evaluate("history.back()")
    await expect(page.get_by_role("heading", name="Team", level=1)).to_be_visible()
    assert asked == ["confirm"]


async def test_somebody_is_invited_and_the_link_is_shown_once(page: Page, farebox: Farebox) -> None:
    await visit(page, "Team")
    await page.get_by_role("button", name="Invite").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("E-mail").fill("nobody")
    await dialog.get_by_role("button", name="Invite").click()
    await expect(dialog.get_by_role("alert").filter(has_text="Write an address")).to_be_visible()
    await dialog.get_by_label("E-mail").fill("ada@mail.example")
    await dialog.get_by_role("button", name="Invite").click()
    link = await dialog.locator("#invitation-link").inner_text()
    assert "/invitation" in link
    await dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name="ada@mail.example")
    await expect(row).to_contain_text("Open")
    await page.reload()
    await expect(row).to_contain_text("Developer")
    assert link not in await page.content()

    await row.get_by_role("button", name="New link").click()
    newer = await dialog.locator("#invitation-link").inner_text()
    assert newer != link
    await dialog.get_by_role("button", name="Done").click()
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name="Revoke").click()
    question = page.get_by_role("alertdialog")
    await question.get_by_role("button", name="Revoke the invitation").click()
    await expect(row).to_have_count(0)
    async with person_at(farebox) as person:
        invitations = await person.invitations.list().all()
    ours = [item for item in invitations if item.email == "ada@mail.example"]
    assert [item.revoked_at is not None for item in ours] == [True, True]


async def test_a_test_event_is_sent_opened_and_sent_again(page: Page) -> None:
    await visit(page, "Notifications")
    await page.get_by_role("button", name="Send a test event").click()
    dialog = page.get_by_role("dialog")
    event = json.loads(await dialog.get_by_label("What the webhook says").inner_text())
    assert event["type"] == "notification.test"
    await expect(page).to_have_url(re.compile(f"/notifications/?[?]notification={event['id']}$"))
    await page.reload()
    await expect(dialog.get_by_text(event["id"], exact=True)).to_be_visible()
    await dialog.get_by_role("button", name="Send again by webhook").click()
    await expect(dialog.get_by_text("Webhook: Waiting")).to_be_visible()
    await dialog.get_by_role("button", name="Close").click()
    await expect(page.get_by_role("row", name="notification.test").first).to_contain_text("Waiting")
    await page.get_by_role("combobox", name="Kind").click()
    await page.get_by_role("option", name="wallet.top_up_failed").click()
    await expect(page.get_by_text("No notifications", exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_text("No notifications", exact=True)).to_be_visible()
