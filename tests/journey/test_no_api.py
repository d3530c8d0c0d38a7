"""Every page while there is no API, or one that does not answer: what it says, and how it comes
back without a reload."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import zip_longest

import pytest
from playwright.async_api import BrowserContext, Page, expect
from playwright.async_api import Error as BrowserError

from backend_client import ClientError
from backend_client.types.accounts import TenantCreate
from portal.app import FEATURES
from portal.routes import CLOCK, CUSTOMER, MODEL, OVERVIEW
from tests.journey.conftest import START_SECONDS, Farebox, person_at
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

FAILED = "This could not be loaded."
SLOW = "Still loading"
SLOWER = "This takes longer than usual"
WATCH = """
window.said = [];
new MutationObserver(() => {
  const text = document.getElementById("waiting")?.textContent;
  if (text && window.said.at(-1) !== text) window.said.push(text);
}).observe(document, {childList: true, subtree: true, characterData: true});
"""
"""Keeps what is said of waiting: a busy test may look when it has passed."""
FOREIGN = ("websocket", "Cannot connect", "Check if server", "Traceback", "_event")
"""What only Reflex or Python would say."""
LEAVE = """address => {
  document.querySelector("main").dataset.left = "";
  window.said = [];
  window.__reactRouterDataRouter.navigate(address);
}"""
"""Goes to a page, and marks the one that is left: its words may stand there a while longer."""
SHOWS = """() => {
  const head = document.querySelector("main:not([data-left]) h1")?.parentElement.parentElement;
  const after = (element) =>
    head.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING &&
    !head.contains(element);
  return Boolean(head) && [...document.querySelectorAll("main *")].some(
    (element) => after(element) && element.textContent.trim());
}"""
"""Whether something stands below the page's heading: a page that is not there yet lacks nothing."""
ASKING = {MODEL: "?model=smollm2-135m-instruct", CUSTOMER: "?tenant={0}", CLOCK: "?tenant={0}"}
"""What a page's address needs."""
NOON = datetime(2031, 1, 1, 12, tzinfo=UTC)
FROZEN = f"frozen-{uuid.uuid4().hex[:8]}"
"""A customer with a test clock."""
LOOK_SECONDS = 0.5
"""Between two looks at a page: ten tabs that are looked at without a pause take all there is of the
processor, from what they wait for too."""
TABS = 10
ROUTES = [feature.route for feature in reversed(FEATURES)]
"""Every page. The start page is among the last: another tab of the tenant, which showed it just
before, may have all that it shows."""
SHARES = [ROUTES[place::TABS] for place in range(TABS)]
"""The pages of each tab."""
KNOWN = "/organization"
"""Shows what is known of the session, and so needs no API for the first five seconds."""
FIRST, FIRST_BESIDE = "/sessions", "/audit"
"""What a tab shows before, which asks for nothing by itself; the other if that is of its share."""


@asynccontextmanager
async def stopped(pid: int) -> AsyncIterator[None]:
    """A process that does nothing for a while, but keeps its connections."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def go(tab: Page, route: str, *, tenant: str = "default") -> None:
    """Go to a page as its link does, without loading anything but its scripts."""
    address = f"{route.rstrip('/')}/{ASKING.get(route, '').format(tenant)}"
    await tab.evaluate(LEAVE, address)
    await expect(tab).to_have_url(re.compile(re.escape(address) + r"(\?|$)"))
    await expect(tab.locator("main:not([data-left])")).to_have_count(1)


async def says_that_it_failed(tab: Page) -> None:
    """What happened and what to do, in our words alone, and nothing that waits for ever."""
    await expect(tab.locator("main").get_by_text(FAILED).first).to_be_visible()
    await expect(tab.get_by_role("button", name="Try again").first).to_be_visible()
    await expect(tab.locator("main .rt-Skeleton")).to_have_count(0)
    await expect(tab.locator("#waiting")).to_have_count(0)
    await says_nothing_foreign(tab)


async def says_nothing_foreign(tab: Page) -> None:
    """Nothing in the words of what the portal is made of."""
    text = await tab.locator("body").inner_text()
    assert [words for words in FOREIGN if words in text] == [], tab.url


async def says_that_it_waits(tab: Page, route: str) -> None:
    """After three seconds, in other words after ten; or that it failed, where that is known before.

    The usage's feed finds out in eight seconds that nothing answers, for all pages that follow it.
    """
    await go(tab, route, tenant=FROZEN)
    problem = tab.locator("main").get_by_text(FAILED)
    said: list[str] = []

    async def says() -> bool:
        said[:] = await tab.evaluate("window.said")
        late = any(text.startswith(SLOWER) for text in said)
        return late or bool(await problem.count()) or await shows_all(tab, route)

    await until(says, pause=LOOK_SECONDS)
    await says_nothing_foreign(tab)
    waited = [text for text in said if text.startswith(SLOWER)]
    assert all(text.endswith("Reload") for text in waited), said
    assert not waited or said[0].startswith(SLOW), said


async def shows_all(tab: Page, route: str) -> bool:
    """Whether it needs nothing that is not known of the session or from another tab."""
    if route not in {KNOWN, OVERVIEW}:
        return False
    title = next(feature.title for feature in FEATURES if feature.route == route)
    arrived = await tab.get_by_role("heading", name=title, level=1, exact=True).count()
    return bool(arrived) and not await tab.locator("main .rt-Skeleton").count()


async def shows(tab: Page) -> bool:
    return bool(await tab.evaluate(SHOWS))


async def comes_back(tab: Page, *, seconds: float = 60) -> None:
    """By its button, or by itself before that is pressed."""
    problem = tab.get_by_text(FAILED)
    again = tab.get_by_role("button", name="Try again")
    skeleton = tab.locator("main .rt-Skeleton")
    # All tabs ask at once: one may fail once more before it is back
    late = tab.locator("main").get_by_text("in time")

    async def is_back() -> bool:
        if await again.count():
            with suppress(BrowserError):
                await again.first.click(timeout=1_000, no_wait_after=True)
        if await problem.count() or await skeleton.count() or await late.count():
            return False
        return await shows(tab)

    await tab.evaluate("window.kept = true")
    await until(is_back, seconds=seconds, pause=LOOK_SECONDS)
    assert await tab.evaluate("window.kept"), "It was loaded anew."


@pytest.fixture
def context(own_context: BrowserContext) -> BrowserContext:
    """A profile whose scripts are its own, and which has nothing of a page yet."""
    return own_context


async def test_every_page_says_that_a_frozen_api_does_not_answer_and_comes_back(
    context: BrowserContext, page: Page, farebox: Farebox
) -> None:
    async with person_at(farebox) as person:
        # One page about a customer is of its test clock
        customer = TenantCreate(slug=FROZEN, name="Frozen", is_sample=True, clock_at=NOON)
        await person.tenants.create(customer)
    await context.add_init_script(WATCH)
    tabs = await opened(context, page)
    for routes in zip_longest(*SHARES):
        shown = [(tab, route) for tab, route in zip(tabs, routes, strict=True) if route]
        async with stopped(farebox.children["api"]):
            await asyncio.gather(*(says_that_it_waits(tab, route) for tab, route in shown))
        await asyncio.gather(*(comes_back(tab) for tab, _ in shown))
        for tab, route in shown:
            assert not await tab.get_by_text("There is no such tenant").count(), route


async def test_every_page_says_that_the_api_is_gone_and_comes_back(
    context: BrowserContext, page: Page, farebox: Farebox
) -> None:
    tabs = await opened(context, page)
    # Killed, and kept from coming back by what supervises it, which is stopped
    async with stopped(farebox.supervisor):
        os.kill(farebox.children["api"], signal.SIGKILL)
        await asyncio.gather(*map(past, tabs, SHARES))
    await asyncio.gather(*(comes_back(tab, seconds=START_SECONDS) for tab in tabs))
    # A page that shows what it has while it loads again may fail once more, until the API answers
    await until(partial(answers, farebox), seconds=START_SECONDS)
    await asyncio.gather(*(comes_back(tab) for tab in tabs))


async def answers(farebox: Farebox) -> bool:
    """Whether the API lets somebody sign in."""
    with suppress(ClientError):
        async with person_at(farebox):
            return True
    return False


async def past(tab: Page, routes: Sequence[str]) -> None:
    """Go from page to page, each of which says at once that nothing is there."""
    for route in routes:
        if route == KNOWN:
            continue
        await go(tab, route)
        await says_that_it_failed(tab)
        await expect(tab.locator("body")).to_contain_text("can't be reached")


async def opened(context: BrowserContext, page: Page) -> list[Page]:
    """Tabs that show a page already."""
    tabs = [page, *[await context.new_page() for _ in SHARES[1:]]]
    firsts = [FIRST_BESIDE if FIRST in share else FIRST for share in SHARES]
    await asyncio.gather(*(tab.goto(f"{first}/") for tab, first in zip(tabs, firsts, strict=True)))
    for tab in tabs:
        await until(partial(shows, tab))
        await expect(tab.locator("main .rt-Skeleton")).to_have_count(0)
    return tabs
