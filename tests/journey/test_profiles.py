"""Tests browse with one profile in turn; none of them finds what another left in it."""

from __future__ import annotations

import pytest
from playwright.async_api import BrowserContext, Page, Route, expect

from tests.journey.conftest import Farebox, forget
from tests.journey.steps import visit

pytestmark = pytest.mark.browser

LEAVE = """async () => {
    document.cookie = "left=behind";
    localStorage.setItem("left", "behind");
    sessionStorage.setItem("left", "behind");
    await (await caches.open("left")).put("/left", new Response("behind"));
    await new Promise((done, failed) => {
        const asked = indexedDB.open("left");
        asked.onsuccess = done;
        asked.onerror = failed;
    });
}"""
LEFT = """async () => [
    document.cookie,
    ...Object.keys(localStorage),
    ...Object.keys(sessionStorage),
    ...await caches.keys(),
    ...(await indexedDB.databases()).map(database => database.name),
].filter(name => name.includes("left"))"""


async def test_nothing_that_a_test_leaves_behind_is_there_for_the_next(
    context: BrowserContext, page: Page, farebox: Farebox
) -> None:
    async def hide(route: Route) -> None:
        await route.fulfill(body="hidden")

    await visit(page, "API keys")
    await page.evaluate(LEAVE)
    assert len(await page.evaluate(LEFT)) == 5
    await context.route("**/keys/", hide)
    other = await context.new_page()
    await other.goto("/keys/")
    await expect(other.get_by_text("hidden")).to_be_visible()

    await forget(context, farebox)
    assert page.is_closed()
    assert other.is_closed()
    assert await context.cookies() == []
    after = await context.new_page()
    await after.goto("/keys/")
    await expect(after.get_by_role("heading", name="Sign in")).to_be_visible()
    assert await after.evaluate(LEFT) == []


async def test_what_would_last_is_refused_to_who_shares_the_profile(
    context: BrowserContext, own_context: BrowserContext
) -> None:
    with pytest.raises(AssertionError, match="ask for own_context"):
        await context.add_init_script("window.left = true")
    await own_context.add_init_script("window.left = true")
