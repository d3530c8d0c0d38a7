"""The frame: groups, the operator's mode, the palette by keyboard, the focus, a seller's brand."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from backend.kit.tls import tls_context
from tests.journey.conftest import Farebox, browsing, sign_in
from tests.journey.steps import create_key, visit
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

NAME = "Example AI"


PLACES = """() => {
    window.places = [];
    const look = () => {
        const links = [...document.querySelectorAll('.fb-groups a')];
        const place = links.map(link => Math.round(link.getBoundingClientRect().top)).join();
        if (place && place !== window.places.at(-1)) window.places.push(place);
        requestAnimationFrame(look);
    };
    look();
}"""
"""Where the links of the navigation have been since the page began."""


async def test_links_stay_where_they_are_when_it_is_known_who_has_signed_in(page: Page) -> None:
    await page.add_init_script(f"({PLACES})()")
    await visit(page, "Overview")
    await page.reload()
    await expect(page.get_by_role("group", name="Mode")).to_be_visible()
    assert len(await page.evaluate("window.places")) == 1


async def test_pages_are_found_by_groups_and_by_typing(page: Page, farebox: Farebox) -> None:
    await create_key(page, "palette key")
    nav = page.get_by_role("navigation", name="Pages", exact=True)
    for group, link in (
        ("Build", "Playground"),
        ("Observe", "Usage"),
        ("Billing", "Invoices"),
        ("Settings", "Team"),
    ):
        listed = nav.get_by_role("list", name=group)
        await expect(listed.get_by_role("link", name=link, exact=True)).to_be_visible()
    await expect(nav.get_by_role("link", name="Operations")).to_have_count(0)

    # After a change of pages the focus is at the heading, and the title is said
    await visit(page, "Usage")
    await expect(page.get_by_role("heading", name="Usage", level=1)).to_be_focused()
    await expect(page.locator("#arrival")).to_have_text("Usage · Farebox")
    # React may write the page's title without the seller's name after that
    await page.evaluate("document.querySelector('title').textContent = 'Usage'")
    await expect(page).to_have_title("Usage · Farebox")

    # On a low screen who is signed in stays in sight, and the pages scroll
    before = page.viewport_size
    assert before
    await page.set_viewport_size({"width": 1280, "height": 640})
    await expect(page.get_by_role("button", name="Sign out")).to_be_in_viewport()
    await nav.get_by_role("link", name="Sessions").scroll_into_view_if_needed()
    await expect(nav.get_by_role("link", name="Sessions")).to_be_in_viewport()
    await page.set_viewport_size(before)

    # By keyboard alone
    await page.keyboard.press("Control+k")
    field = page.get_by_role("combobox", name="Search pages")
    await expect(field).to_be_focused()
    await field.fill("wallet")
    option = page.get_by_role("option", name="Credit")
    await expect(option).to_have_attribute("aria-selected", "true")
    identity = await option.get_attribute("id")
    assert await field.get_attribute("aria-activedescendant") == identity
    await field.press("Enter")
    await expect(page.get_by_role("heading", name="Credit", level=1)).to_be_focused()
    await expect(field).to_be_hidden()

    # What the server knows: a key, by its name, and never its secret
    await page.get_by_role("button", name="Search", exact=True).click()
    async with page.expect_response("**/search.json?q=palette+key") as answering:
        await field.fill("palette key")
    answer = await (await answering.value).text()
    assert "fb_" not in answer
    await page.get_by_role("option", name="palette key").click()
    await expect(page.get_by_role("heading", name="API keys", level=1)).to_be_visible()
    await expect(page.get_by_role("row", name="palette key")).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.keyboard.press("Escape")
    await expect(field).to_be_hidden()

    # The operator's mode is its pages' own, and their address holds it
    await visit(page, "Operations")
    await page.reload()
    await expect(page.get_by_role("link", name="Operator", exact=True)).to_have_attribute(
        "aria-current", "true"
    )
    await expect(nav).to_have_count(0)
    await visit(page, "Usage")


async def test_what_is_pressed_before_the_scripts_have_come_is_done_then(page: Page) -> None:
    scripts = asyncio.Event()

    async def late(route: Route) -> None:
        await scripts.wait()
        await route.continue_()

    await page.route("**/assets/*.js", late)
    for press in ("Control+k", "click"):
        scripts.clear()
        await page.goto("/keys/", wait_until="commit")
        await expect(page.get_by_role("heading", name="API keys", level=1)).to_be_visible()
        if press == "click":
            await page.get_by_role("button", name="Search", exact=True).click()
        else:
            await page.keyboard.press(press)
        scripts.set()
        field = page.get_by_role("combobox", name="Search pages")
        await expect(field).to_be_focused()
        # Once: what is pressed from then on is for the page
        await page.keyboard.press("Escape")
        await expect(field).to_be_hidden()
        await page.keyboard.press("Control+k")
        await expect(field).to_be_focused()


async def test_strangers_find_nothing(farebox: Farebox) -> None:
    async with httpx.AsyncClient(base_url=farebox.url) as stranger:
        answer = await stranger.get("/search.json", params={"q": "key"})
    assert answer.status_code == 401
    assert answer.json() == []


@pytest.fixture
async def branded(
    farebox: Farebox, chromium: Browser, complaints: list[str], tmp_path: Path
) -> AsyncIterator[Page]:
    """A page of a second portal, which a seller ships as its own."""
    port = free_port()
    logo = tmp_path / "logo.svg"
    logo.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8">'
        '<circle cx="4" cy="4" r="4" fill="#b45309"/></svg>'
    )
    own = Farebox(f"http://127.0.0.1:{port}", farebox.api_url, farebox.home, farebox.environment)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend.cli", "portal"),
        env={
            **os.environ,
            "FAREBOX_HOME": str(farebox.home),
            "FAREBOX_PORTAL_PORT": str(port),
            "FAREBOX_API_URL": farebox.api_url,
            "FAREBOX_BRAND_NAME": NAME,
            "FAREBOX_BRAND_COLOR": "#b45309",
            "FAREBOX_BRAND_LOGO": str(logo),
            "FAREBOX_TERMS_URL": "https://ai.example/terms",
            "FAREBOX_SUPPORT_URL": "mailto:help@ai.example",
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def served() -> bool:
        assert process.returncode is None
        async with httpx.AsyncClient(verify=tls_context()) as client:
            try:
                return (await client.get(f"{own.url}/sign-in/")).status_code == 200
            except httpx.TransportError:
                return False

    try:
        await until(served, seconds=120)
        async with browsing(chromium, own, complaints) as context:
            yield await context.new_page()
    finally:
        process.terminate()
        await process.wait()
    assert complaints == []


async def test_a_seller_ships_the_portal_as_its_own(branded: Page) -> None:
    await branded.goto("/sign-in/")
    assert "Farebox" not in await branded.content()
    await expect(branded.get_by_role("link", name="Terms")).to_have_attribute(
        "href", "https://ai.example/terms"
    )
    await sign_in(branded)
    await expect(branded).to_have_title(f"Overview · {NAME}")
    await expect(branded.get_by_role("link", name=NAME)).to_be_visible()
    await expect(branded.get_by_role("link", name="Support")).to_be_visible()
    accent = await branded.evaluate(
        "getComputedStyle(document.querySelector('.radix-themes')).getPropertyValue('--accent-9')"
    )
    assert accent.strip() == "#b45309"
    await branded.goto("/docs/quick-start")
    await expect(branded).to_have_title(f"Quick start · {NAME}")
    await expect(branded.get_by_role("link", name="Terms")).to_be_visible()
    assert "Farebox" not in await branded.locator("body").inner_text()
