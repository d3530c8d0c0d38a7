"""A person with several tenants sees one at a time, and acts for the one that is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from playwright.async_api import BrowserContext, Page, WebSocketRoute, expect

from backend_client.types.accounts import Role
from tests.journey.conftest import Farebox
from tests.journey.steps import (
    AGAIN_SECONDS,
    answered,
    ask,
    create_key,
    limit_answers,
    open_usage,
    visit,
)
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

OPENED = '"create"'
"""In the portal's messages, the dialog that makes a key."""
ACTS_FOR = '"tenant_rx_state_":"{}"'
"""There, whom a tab acts for."""
OTHER = "Sample: another customer"


@pytest.fixture
async def other_tenant(page: Page, farebox: Farebox) -> AsyncIterator[str]:
    """A second tenant of the person at this machine, who signed in on ``page``."""
    connection = await asyncpg.connect(farebox.database_url)
    await connection.execute(
        "INSERT INTO tenants (id, slug, name, is_sample) VALUES ('ten_other', 'other', $1, true)",
        OTHER,
    )
    await connection.execute(
        "INSERT INTO members (tenant_id, user_id, role) SELECT 'ten_other', user_id, $1"
        " FROM members JOIN tenants ON tenants.id = tenant_id WHERE slug = 'local'",
        Role.DEVELOPER,
    )
    yield OTHER
    await connection.execute("DELETE FROM tenants WHERE id = 'ten_other'")
    await connection.close()


async def switch_to(page: Page, name: str) -> None:
    switcher = page.get_by_role("button", name="Switch organization")
    choice = page.get_by_role("dialog").get_by_role("button", name=name)

    async def is_offered() -> bool:
        await page.goto("/")
        await switcher.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        return await choice.count() > 0

    # What a session may act for is asked every few seconds, and this may be there since just now
    await until(is_offered, pause=AGAIN_SECONDS)
    await choice.click()
    await expect(switcher).to_contain_text(name)


class Deaf:
    """Holds back what the portal says to a tab, from when it is ``on`` until the tab is used.

    ``said`` is all that the portal said since the beginning.
    """

    def __init__(self) -> None:
        self.on = False
        self.held: list[str | bytes] = []
        self.said: list[str] = []

    def first(self, text: str) -> int | None:
        """Which of the messages is the first with a text in it, if any is."""
        return next((at for at, message in enumerate(self.said) if text in message), None)

    def carry(self, socket: WebSocketRoute) -> None:
        """Pass on what a tab and the portal say."""
        portal = socket.connect_to_server()

        def hear(message: str | bytes) -> None:
            self.said.append(str(message))
            if self.on:
                self.held.append(message)
            else:
                socket.send(message)

        def speak(message: str | bytes) -> None:
            portal.send(message)
            if self.on and ".open_form" in str(message):
                self.on = False
                for late in self.held:
                    socket.send(late)

        portal.on_message(hear)
        socket.on_message(speak)


async def test_after_a_switch_nothing_of_the_other_tenant_is_left(
    page: Page, context: BrowserContext, other_tenant: str
) -> None:
    secret = await create_key(page, "of the first tenant")
    await visit(page, "Playground")
    await limit_answers(page, 0)
    await ask(page, "Say hello.")
    await answered(page)
    following = await context.new_page()
    assert await open_usage(following) > 0
    keys = await context.new_page()
    deaf = Deaf()
    await keys.route_web_socket("**/_event/**", deaf.carry)
    await keys.goto("/keys/")
    await expect(keys.get_by_role("row", name="of the first tenant")).to_be_visible()

    # A tab looks every few seconds whether it has to move: this one does not hear of it in time
    deaf.on = True
    await switch_to(page, other_tenant)
    # What is clicked in a tab of the other tenant is not done for this one
    await keys.get_by_role("button", name="Create key").click()
    notice = f"This tab acts for {other_tenant} now."

    async def is_answered() -> bool:
        return not (deaf.first(notice) is None and deaf.first(OPENED) is None)

    await until(is_answered)
    opened, moved = deaf.first(OPENED), deaf.first(ACTS_FOR.format(other_tenant))
    if opened is None:
        await expect(keys.get_by_text(notice)).to_be_visible()
        await expect(keys.get_by_role("dialog")).to_be_hidden()
    else:
        # The portal may have moved the tab before the click reached it, which is for it then
        assert moved is not None
        assert moved < opened
    await expect(keys.get_by_text("No keys yet")).to_be_visible()
    # What is looked for in the messages is there once it has happened
    assert deaf.first(ACTS_FOR.format(other_tenant)) is not None
    if opened is None:
        await keys.get_by_role("button", name="Create key").click()
        await expect(keys.get_by_role("dialog")).to_be_visible()
        assert deaf.first(OPENED) is not None
    await expect(page.get_by_role("button", name="Switch organization")).to_contain_text(
        "Sample data"
    )
    await visit(page, "Playground")
    await expect(page.get_by_text("Ask the model something")).to_be_visible()
    await visit(page, "API keys")
    await expect(page.get_by_text("No keys yet")).to_be_visible()
    assert secret[-4:] not in await page.content()

    # A tab that follows usage moves over by itself
    await expect(following.get_by_text("Nothing was used in this time")).to_be_visible()
    await expect(following.get_by_role("button", name="Switch organization")).to_contain_text(
        other_tenant
    )

    await switch_to(page, "Local")
    await visit(page, "API keys")
    await expect(page.get_by_role("row", name="of the first tenant")).to_be_visible()


async def test_a_tenant_of_others_can_not_be_switched_to(page: Page, farebox: Farebox) -> None:
    connection = await asyncpg.connect(farebox.database_url)
    await connection.execute(
        "INSERT INTO tenants (id, slug, name) VALUES ('ten_foreign', 'foreign', 'Foreign')"
    )
    try:
        answer = await page.request.post(
            "/auth/tenant",
            form={"tenant_id": "ten_foreign"},
            headers={"origin": farebox.url},
        )
        assert "Foreign" not in await answer.text()
        await page.goto("/")
        await expect(page.get_by_role("button", name="Switch organization")).to_contain_text(
            "Local"
        )
        refused = await page.request.post("/auth/tenant", form={"tenant_id": "ten_foreign"})
        assert refused.status == 403
    finally:
        await connection.execute("DELETE FROM tenants WHERE id = 'ten_foreign'")
        await connection.close()
