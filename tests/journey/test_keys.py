"""A new key's secret: shown in the dialog that made it, and to no page that is loaded later."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from playwright.async_api import Page, WebSocket, expect

from backend.accounts.keys.keys import create_key
from backend.accounts.members.members import add_member, upsert_user
from backend.accounts.principal import COMMAND_LINE
from backend.storage.database import Database
from backend_client.types.accounts import ApiKeyCreate, Role
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.journey.test_access import PHONE, lacking, lacking_in_the_end

pytestmark = pytest.mark.browser


async def test_a_new_secret_is_gone_when_a_page_is_loaded(page: Page) -> None:
    await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("left open")
    await dialog.get_by_role("button", name="Create key").click()
    secret = await dialog.locator("#key-secret").inner_text()
    assert secret.startswith("fb_")

    received: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: received.append(str(payload)))

    page.on("websocket", listen)
    await page.goto("/usage/")
    await expect(page.locator("#usage-shown, #usage-empty").first).to_be_visible()
    await page.goto("/keys/")
    await expect(page.get_by_role("row", name="left open")).to_be_visible()
    await expect(dialog).to_have_count(0)
    await page.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_label("Name")).to_be_focused()
    assert any("left open" in frame for frame in received)
    assert not any(secret in frame for frame in received)


async def test_a_key_is_edited_rotated_disabled_and_its_old_secrets_end(page: Page) -> None:
    await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("changing")
    await dialog.get_by_label("Budget").fill("much")
    await dialog.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_role("alert").filter(has_text="An amount above")).to_be_visible()
    await dialog.get_by_label("Budget").fill("20")
    await dialog.get_by_role("button", name="Create key").click()
    await dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name="changing")
    await expect(row).to_contain_text("of $20.00 this month")

    await row.get_by_role("button", name="Edit").click()
    await dialog.get_by_label("Requests a minute").fill("60")
    await dialog.get_by_label("Budget").fill("25")
    await dialog.get_by_label("Web pages").fill("app.example.com")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog.get_by_role("alert").filter(has_text="Origins, such as")).to_be_visible()
    await dialog.get_by_label("Web pages").fill("https://app.example.com")
    await dialog.get_by_label("Addresses").fill("127.0.0.1, 10.0.0.0/8")
    await dialog.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("60 requests/min")
    await expect(row).to_contain_text("of $25.00 this month")
    await expect(row).to_contain_text("Web pages: https://app.example.com")
    await expect(row).to_contain_text("From 127.0.0.1/32, 10.0.0.0/8")

    await row.get_by_role("button", name="Rotate").click()
    await dialog.get_by_role("button", name="Rotate the key").click()
    await expect(dialog.locator("#key-secret")).to_contain_text("fb_live_")
    await dialog.get_by_role("button", name="Done").click()
    await expect(row).to_contain_text("The old secret works for 1 d more")
    question = page.get_by_role("alertdialog")
    await row.get_by_role("button", name="End the old secrets of changing").click()
    await question.get_by_role("button", name="End them now").click()
    await expect(row).not_to_contain_text("old secret")

    await row.get_by_role("button", name="Disable").click()
    await question.get_by_role("button", name="Disable the key").click()
    await expect(row).to_contain_text("Disabled")
    await row.get_by_role("button", name="Enable").click()
    await expect(row).to_contain_text("Active")

    await visit(page, "Audit")
    await page.get_by_label("Action").fill("key.end_grace")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#audit tbody tr")).to_have_count(1)
    await expect(page.locator("#audit")).to_contain_text("secrets: 1")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="CSV").click()
    written = (await (await download.value).path()).read_text()
    assert written.count("key.end_grace") == 1
    assert "key.create" not in written


async def test_a_service_account_is_its_applications(page: Page) -> None:
    await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("nightly job")
    await dialog.get_by_role("checkbox", name="Service account").click()
    await dialog.get_by_role("button", name="Create key").click()
    await dialog.get_by_role("button", name="Done").click()
    row = page.get_by_role("row", name="nightly job")
    await expect(row).to_contain_text("Service account")
    await expect(row).not_to_contain_text("Of ")

    # The address holds whose keys are shown; none of them may be people's
    whose = page.get_by_role("combobox", name="Whose keys")
    for name, address in (("People’s keys", "owner=person"), ("Service accounts", "owner=service")):
        await whose.click()
        await page.get_by_role("option", name=name).click()
        await expect(page).to_have_url(re.compile(address))
        await page.get_by_label("Search keys").fill("nightly job")
        if address == "owner=person":
            await expect(page.get_by_text("No matching keys")).to_be_visible()
    await page.reload()
    await expect(whose).to_have_text("Service accounts")
    await expect(page.locator("#keys tbody tr")).to_have_count(1)
    await page.set_viewport_size(PHONE)
    assert await lacking_in_the_end(page) == []

    # It can be made a person's, who is the one that does
    await row.get_by_role("button", name="Edit").click()
    await expect(dialog.get_by_role("checkbox", name="Service account")).to_be_checked()
    assert await lacking(page, whole=False) == []
    await dialog.get_by_role("checkbox", name="Service account").click()
    await dialog.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("No matching keys")).to_be_visible()
    await page.get_by_role("button", name="Show all").click()
    await page.get_by_label("Search keys").fill("nightly job")
    await expect(row).to_contain_text("Of Local developer")


async def test_removing_a_member_asks_what_becomes_of_their_keys(
    page: Page, farebox: Farebox
) -> None:
    async with person_at(farebox) as person:
        tenant = (await person.me.get()).tenant.id
        application = (await person.applications.list().all())[0].id
        await _leaver_with_a_key(farebox, tenant, application)
        await visit(page, "Team")
        row = page.get_by_role("row", name="Leaving")
        await expect(row).to_contain_text("1 key")
        await row.get_by_role("button", name="Remove").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("radio", name="Revoke them")).to_be_checked()
        await dialog.get_by_role("radio", name="Hand them over").click()
        await expect(dialog.get_by_label("To", exact=True)).to_be_visible()
        await dialog.get_by_role("button", name="Remove from the team").click()
        await expect(dialog).to_be_hidden()  # behind which no row can be found
        await expect(row).to_have_count(0)
        key = next(key for key in await person.keys.list().all() if key.name == "left behind")
        assert key.created_by == (await person.me.get()).user_id
        assert key.revoked_at is None


async def _leaver_with_a_key(farebox: Farebox, tenant: str, application: str) -> None:
    database = Database(farebox.database_url, pool_size=1)
    async with database.begin() as connection:
        leaver = await upsert_user(
            connection, issuer="test", subject="leaving", name="Leaving", email=None
        )
        await add_member(connection, tenant, leaver, Role.DEVELOPER)
        caller = replace(COMMAND_LINE, kind="user", id=leaver, tenant_id=tenant)
        wanted = ApiKeyCreate(name="left behind", application_id=application)
        await create_key(connection, caller, wanted)
    await database.close()
