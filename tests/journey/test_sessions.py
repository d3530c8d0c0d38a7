"""A person sees where they are signed in, and signs out everywhere else."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.journey.conftest import Farebox, browsing, sign_in
from tests.journey.steps import visit
from tests.support.waiting import until

pytestmark = pytest.mark.browser


async def test_signing_out_everywhere_else(page: Page, farebox: Farebox, chromium: Browser) -> None:
    complaints: list[str] = []
    async with browsing(chromium, farebox, complaints) as elsewhere:
        other = await elsewhere.new_page()
        await sign_in(other)
        await visit(page, "Sessions")
        table = page.locator("#sessions")
        await expect(table.get_by_role("row", name="This session")).to_contain_text("Chrome on")
        await expect(table.get_by_role("button", name="End the session")).not_to_have_count(0)
        await page.get_by_role("button", name="Sign out everywhere else").click()
        await page.get_by_role("button", name="End the others").click()
        await expect(table.get_by_role("button", name="End the session")).to_have_count(0)
        await expect(table.get_by_role("row", name="This session")).to_be_visible()

        # The portal knows a session for some seconds after it asked the API
        async def is_signed_out() -> bool:
            await other.goto("/keys/")
            # The page's heading is there before the portal has said whose it is
            content = other.locator("#keys").or_(other.get_by_text("No keys yet"))
            loaded = other.get_by_role("heading", name="Sign in").or_(content)
            await expect(loaded).to_be_visible()
            return await other.get_by_role("heading", name="Sign in").is_visible()

        await until(is_signed_out, pause=1.0)
    assert complaints == []
