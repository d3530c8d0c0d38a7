"""What a stranger's websocket gets of the portal: nothing of others, and no room in its log."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from edge.http_bounds import MOST_HEADERS
from tests.journey.conftest import Farebox, browsing
from tests.journey.steps import create_key

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

SPEAK = Path(__file__).with_name("strangers.js").read_text()
HYDRATE = {"name": "reflex___state____state.hydrate", "payload": {}, "router_data": {}}


async def speak(page: Page, token: str, *events: object) -> str:
    """Open a websocket with a tab's token, send events, and return all that comes back."""
    said: str = await page.evaluate(SPEAK, {"token": token, "events": list(events)})
    return said


async def test_the_state_of_a_closed_tab_is_nobodys(
    page: Page, farebox: Farebox, chromium: Browser
) -> None:
    await create_key(page, "of a closed tab")
    await expect(page.get_by_role("row", name="of a closed tab")).to_be_visible()
    token = await page.evaluate("sessionStorage.getItem('token')")
    assert token
    owner = await page.context.new_page()
    await owner.goto("/sign-in/")
    await page.close()
    complaints: list[str] = []
    async with browsing(chromium, farebox, complaints) as context:
        stranger = await context.new_page()
        await stranger.goto("/sign-in/")
        shown = await speak(stranger, token, HYDRATE)
    assert "is_hydrated" in shown  # a state, but of its own
    for secret in ("of a closed tab", "Local developer", "ten_0", "key_0"):
        assert secret not in shown
    # Whose it was still has it
    assert "of a closed tab" in await speak(owner, token, HYDRATE)


async def test_both_servers_bound_a_requests_head(farebox: Farebox) -> None:
    """As ``tests/edge`` has it, but by the programs as they are started."""
    headers = {f"x-{number}": "y" for number in range(MOST_HEADERS + 1)}
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in (farebox.url, farebox.api_url):
            assert (await client.get(url, headers=headers)).status_code == 431


async def test_a_stranger_writes_nothing_into_the_log(farebox: Farebox, chromium: Browser) -> None:
    """Each event of an unknown name left a traceback, of 600 kB when the name was long."""
    log = farebox.home / "logs" / "portal.log"
    before = log.stat().st_size
    complaints: list[str] = []
    async with browsing(chromium, farebox, complaints) as context:
        stranger = await context.new_page()
        await stranger.goto("/sign-in/")
        made_up = [
            *({"name": "x" * 60_000, "payload": {}} for _ in range(20)),
            {"name": "state.unknown"},
            {"name": HYDRATE["name"], "payload": ["\n forged"]},
            "a text",
            ["a list"],
            7,
            HYDRATE,
        ]
        assert "is_hydrated" in await speak(stranger, "of-a-stranger", *made_up)
    assert log.stat().st_size - before < 5_000
    assert "forged" not in log.read_text(errors="replace")[-20_000:]
