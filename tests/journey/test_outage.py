"""What people see while the API can't be reached, and once it can be again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from itertools import zip_longest

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, expect

from backend.kit.tls import tls_context
from backend_client.types.accounts import TenantCreate
from portal.routes import CLOCK, CUSTOMER, OVERVIEW
from tests.journey.conftest import START_SECONDS, Farebox, browsing, person_at, sign_in
from tests.journey.metered import Service
from tests.journey.relay import Relay
from tests.journey.steps import visit
from tests.journey.test_no_api import (
    KNOWN,
    SHARES,
    comes_back,
    go,
    opened,
    says_that_it_failed,
)
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

NOON = datetime(2031, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def relay(farebox: Farebox) -> AsyncIterator[Relay]:
    relay = Relay(free_port(), int(farebox.api_url.rpartition(":")[2]))
    await relay.open()
    yield relay
    await relay.cut()


@pytest.fixture
async def behind(
    farebox: Farebox, relay: Relay, chromium: Browser, complaints: list[str]
) -> AsyncIterator[BrowserContext]:
    """A browser at a second portal, which reaches the API through the relay alone."""
    port = free_port()
    second = Farebox(f"http://127.0.0.1:{port}", relay.url, farebox.home, farebox.environment)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "backend.cli", "portal"),
        env={
            **os.environ,
            "FAREBOX_HOME": str(farebox.home),
            "FAREBOX_PORTAL_PORT": str(port),
            "FAREBOX_API_URL": relay.url,
        },
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def served() -> bool:
        assert process.returncode is None
        async with httpx.AsyncClient(verify=tls_context()) as client:
            try:
                return (await client.get(f"{second.url}/sign-in/")).status_code == 200
            except httpx.TransportError:
                return False

    try:
        await until(served, seconds=START_SECONDS)
        async with browsing(chromium, second, complaints) as context:
            yield context
    finally:
        process.terminate()
        await process.wait()
    assert complaints == []


async def test_a_page_that_is_open_keeps_what_it_shows_and_recovers(
    behind: BrowserContext, relay: Relay
) -> None:
    page = await behind.new_page()
    await sign_in(page)
    await expect(page.get_by_text("Tokens today")).to_be_visible()
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)
    await relay.cut()
    problem = page.get_by_role("status").filter(has_text="be reached")
    await expect(problem).to_be_visible()
    await expect(page.get_by_text("Tokens today")).to_be_visible()
    await relay.open()
    await expect(problem).to_be_hidden()


async def test_every_page_that_can_not_be_loaded_says_so_and_is_tried_again(
    behind: BrowserContext, relay: Relay, farebox: Farebox
) -> None:
    """The page that its address names, by its button alone."""
    async with person_at(farebox) as person:
        # One page about a customer is of its test clock
        customer = TenantCreate(
            slug="tried-again", name="Tried again", is_sample=True, clock_at=NOON
        )
        await person.tenants.create(customer)
    page = await behind.new_page()
    await sign_in(page)
    tabs = await opened(behind, page)
    for routes in zip_longest(*SHARES):
        shown = [
            (tab, route)
            for tab, route in zip(tabs, routes, strict=True)
            # The start page may have from other tabs what it shows
            if route not in {None, KNOWN, OVERVIEW}
        ]
        await relay.cut()
        await asyncio.gather(*(go(tab, route, tenant="tried-again") for tab, route in shown))
        await asyncio.gather(*(says_that_it_failed(tab) for tab, _ in shown))
        await relay.open()
        await asyncio.gather(*(comes_back(tab) for tab, _ in shown))
        for tab, route in shown:
            if route in {CUSTOMER, CLOCK}:
                await expect(tab.get_by_role("heading", level=1)).to_contain_text("Tried again")


SLOW = "Still loading"
SLOWER = "This takes longer than usual"


async def test_a_frozen_api_is_told_before_one_has_signed_in(
    behind: BrowserContext, relay: Relay
) -> None:
    relay.freeze()
    page = await behind.new_page()
    await page.goto("/sign-in/")
    notice = page.locator("#waiting")
    await expect(notice).to_contain_text(SLOW)
    await expect(notice).to_contain_text(SLOWER)
    await expect(page.get_by_role("alert")).to_contain_text("did not answer in time")
    await expect(notice).to_be_hidden()
    relay.thaw()
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("button", name="Continue on this machine").click()
    await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


async def test_the_sign_in_page_waits_for_the_api(behind: BrowserContext, relay: Relay) -> None:
    await relay.cut()
    page = await behind.new_page()
    await page.goto("/sign-in/")
    await expect(page.get_by_role("alert")).to_contain_text("be reached")
    await relay.open()
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("button", name="Continue on this machine").click()
    await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()


async def test_live_events_go_on_where_they_broke_off(
    behind: BrowserContext, relay: Relay, farebox: Farebox
) -> None:
    page = await behind.new_page()
    await sign_in(page)
    await visit(page, "Events")
    # The list, and not only the frame around it
    await expect(page.locator("#events, #no-events").first).to_be_visible()
    await expect(page.locator("main").get_by_role("status").first).to_have_text("Live")
    await relay.cut()
    problem = page.get_by_role("status").filter(has_text="be reached")
    await expect(problem).to_be_visible()
    async with Service(farebox, "while-away") as service:
        await service.send("unseen")
        await relay.open()
        await expect(problem).to_be_hidden()
        await expect(page.locator("#events")).to_contain_text("unseen")
        await service.send("seen-again")
        await expect(page.locator("#events")).to_contain_text("seen-again")


async def test_the_reference_of_a_dead_api_says_so_in_our_words(
    behind: BrowserContext, relay: Relay, complaints: list[str]
) -> None:
    page = await behind.new_page()
    await sign_in(page)
    await relay.cut()
    await page.goto("/reference")
    problem = page.get_by_role("alert")
    await expect(problem).to_contain_text("This could not be loaded. The API can't be reached.")
    await relay.open()
    await page.get_by_role("button", name="Try again").click()
    await expect(problem).to_have_count(0)
    await expect(page.get_by_role("heading", name="Farebox", level=1)).to_be_visible()
    # The browser's own note of the answer without a document
    complaints[:] = [text for text in complaints if "502" not in text]
