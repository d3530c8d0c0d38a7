"""What a role may not do is not offered, and refused to whoever asks for it all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from playwright.async_api import BrowserContext, Page, expect

from backend_client import AsyncFareboxClient
from backend_client.types.accounts import ApiKey, LocalSessionCreate, Role
from tests.journey.conftest import Farebox, sign_in
from tests.journey.steps import AGAIN_SECONDS, visit
from tests.support.waiting import until

pytestmark = pytest.mark.browser


@asynccontextmanager
async def acting_as(farebox: Farebox, role: Role) -> AsyncIterator[None]:
    """Give the person at this machine another role for a while; the last owner has no other way."""
    await keys_of(farebox)  # whoever signs in first is made an owner
    connection = await asyncpg.connect(farebox.database_url)
    change = (
        "UPDATE members SET role = $1 FROM tenants WHERE tenants.id = tenant_id AND slug = 'local'"
    )
    try:
        assert await connection.execute(change, role) == "UPDATE 1"
        yield
    finally:
        await connection.execute(change, Role.OWNER)
        await connection.close()


async def test_a_viewer_is_offered_what_a_viewer_may(
    context: BrowserContext, farebox: Farebox
) -> None:
    async with acting_as(farebox, Role.VIEWER):
        page = await context.new_page()
        await sign_in(page)
        await expect(page.get_by_text("Tokens today")).to_be_visible()
        await expect(page.get_by_text("Spend so far")).to_be_hidden()
        await visit(page, "API keys")
        await expect(page.get_by_text("No keys yet").or_(page.get_by_role("table"))).to_be_visible()
        await expect(page.get_by_role("button", name="Create key")).to_be_hidden()
        await expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
        await visit(page, "Playground")
        await expect(page.get_by_label("Your question")).to_be_disabled()
        await expect(page.get_by_role("button", name="Send")).to_be_disabled()
        await visit(page, "Spend")
        await expect(page.get_by_role("alert")).to_contain_text("Your role here (viewer)")
        await visit(page, "Usage")
        await expect(page.locator("#usage-shown, #usage-empty").first).to_be_visible()


async def test_who_pays_sees_spend_and_makes_no_keys(
    context: BrowserContext, farebox: Farebox
) -> None:
    async with acting_as(farebox, Role.BILLING):
        page = await context.new_page()
        await sign_in(page)
        await visit(page, "Spend")
        await expect(page.locator("#spend-lines, #no-spend-lines").first).to_be_visible()
        await visit(page, "API keys")
        await expect(page.get_by_role("button", name="Create key")).to_be_hidden()


async def test_a_form_that_was_open_before_the_role_changed_is_refused(
    page: Page, context: BrowserContext, farebox: Farebox
) -> None:
    await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name").fill("of a viewer")
    async with acting_as(farebox, Role.VIEWER):
        other = await context.new_page()

        async def known() -> bool:
            # The portal asks the API who a session is every few seconds
            await other.goto("/")
            role = other.get_by_role("button", name="Switch organization")
            return "viewer" in await role.inner_text()

        await until(known, pause=AGAIN_SECONDS)
        await form.get_by_role("button", name="Create key").click()
        refused = form.get_by_role("alert").filter(has_text="Your role here (viewer)")
        await expect(refused).to_be_visible()
    names = {key.name for key in await keys_of(farebox)}
    assert "of a viewer" not in names


async def keys_of(farebox: Farebox) -> list[ApiKey]:
    async with AsyncFareboxClient(farebox.api_url) as client:
        local = LocalSessionCreate(secret=farebox.local_secret)
        session = await client.sessions.create_local(local)
    async with AsyncFareboxClient(farebox.api_url, session.token) as client:
        return await client.keys.list().all()
