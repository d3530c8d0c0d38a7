"""Many people at once, each signed in by a session of their own, each with a live chart open."""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.async_api import BrowserContext, WebSocket, expect

from backend_client import AsyncFareboxClient
from backend_client.types.accounts import LocalSessionCreate, SessionChange
from benchmarks.portal_bars import Bar, p95
from benchmarks.portal_tabs import CONNECT, Tab
from tests.journey.conftest import Farebox

CLICK_EVERY_SECONDS = 5.0
SPREAD_SECONDS = 10.0
IDLE_SECONDS = 45.0
MOST_CLICKS = 4
AT_ONCE = 10
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Recording:
    """What a browser sent to load Usage, and what it sent for each of two clicks."""

    connect: str
    clicks: dict[str, str]


async def record(context: BrowserContext) -> Recording:
    """Load Usage in a browser and click on it twice."""
    sent: list[str] = []
    page = await context.new_page()

    def note(socket: WebSocket) -> None:
        socket.on("framesent", lambda data: sent.append(str(data)))

    page.on("websocket", note)
    await page.goto("/usage/")
    await expect(page.locator("#usage-shown")).to_be_visible()
    connect = next(frame for frame in sent if frame.startswith(CONNECT))
    clicks = {}
    for show in ("Requests", "Tokens"):
        sent.clear()
        await page.get_by_role("radio", name=show).click()
        await expect(page.get_by_role("heading", name=show, level=2)).to_be_visible()
        clicks[show] = next(frame for frame in sent if "choose_show" in frame)
    await page.close()
    return Recording(connect, clicks)


async def sessions(farebox: Farebox, tenant: str, number: int) -> list[str]:
    """Sign in so many times, each for the tenant of that name; return the tokens."""
    secret = LocalSessionCreate(secret=farebox.local_secret)
    limit = asyncio.Semaphore(AT_ONCE)

    async def sign_in() -> str:
        async with limit, AsyncFareboxClient(farebox.api_url) as anybody:
            token = (await anybody.sessions.create_local(secret)).token
            async with AsyncFareboxClient(farebox.api_url, token) as person:
                held = (await person.me.get()).memberships
                chosen = next(each.tenant.id for each in held if each.tenant.name == tenant)
                await person.sessions.switch_tenant(SessionChange(tenant_id=chosen))
        return token

    return await asyncio.gather(*(sign_in() for _ in range(number)))


async def measure_many(
    farebox: Farebox,
    recording: Recording,
    cookies: Sequence[str],
    metrics_token: str,
    *,
    rests: bool,
) -> list[Bar]:
    """How long a click takes, what a tab costs in memory and in requests, with many of them.

    What a tab that nobody touches costs the API only where it ``rests``.
    """
    users = len(cookies)
    portal = farebox.children["portal"]
    before = _resident_bytes(portal)
    tabs = [Tab(farebox.url, cookie) for cookie in cookies]

    async def begin(place: int, tab: Tab) -> None:
        await asyncio.sleep(SPREAD_SECONDS * place / users)
        await tab.open(recording.connect, '"phase_rx_state_":"ready"')

    await asyncio.gather(*(begin(place, tab) for place, tab in enumerate(tabs)))
    memory = (_resident_bytes(portal) - before) / users / 1024**2
    idle = await _idle(farebox, metrics_token, users) if rests else None

    taken: list[float] = []
    received = sum(tab.received_bytes for tab in tabs)
    busy = _processor_seconds(portal)

    async def click(place: int, tab: Tab) -> None:
        await asyncio.sleep(CLICK_EVERY_SECONDS * place / users)
        for number in range(MOST_CLICKS):
            show = ("Requests", "Tokens")[number % 2]
            # The chart's heading, which comes with the chart
            drawn = f'"heading_rx_state_":"{show}"'
            taken.append(await tab.ask(recording.clicks[show], drawn) * 1000)
            await asyncio.sleep(CLICK_EVERY_SECONDS)

    await asyncio.gather(*(click(place, tab) for place, tab in enumerate(tabs)))
    busy = (_processor_seconds(portal) - busy) / len(taken) * 1000
    received = sum(tab.received_bytes for tab in tabs) - received
    await asyncio.gather(*(tab.close() for tab in tabs))
    print(
        f"  {users} people, {len(taken)} clicks: median "
        f"{statistics.median(taken):.0f} ms, {busy:.1f} ms of the portal's processor and "
        f"{received / len(taken):,.0f} B a click"
    )
    bars = [
        Bar(f"A click of {users} people with live charts, p95", p95(taken), 300, "ms"),
        Bar(f"Memory of the portal for each of {users}", memory, 1, "MB"),
    ]
    if idle is not None:
        bars.append(Bar("Requests to the API of an idle tab, a minute", idle, 1, ""))
    return bars


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) * 1024 if match else 0


def _processor_seconds(pid: int) -> float:
    """Return how much processor time a process has had: proc(5), ``utime`` and ``stime``."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


async def _requests(farebox: Farebox, token: str) -> float:
    """Return how many requests the API has answered."""
    async with httpx.AsyncClient(base_url=farebox.api_url) as client:
        answer = await client.get("/metrics", headers={"authorization": f"Bearer {token}"})
        answer.raise_for_status()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in answer.text.splitlines()
        if line.startswith("farebox_http_requests_total") and "/metrics" not in line
    )


async def _idle(farebox: Farebox, token: str, users: int) -> float:
    """Return how many requests to the API each of the tabs costs a minute that nobody touches."""
    asked = await _requests(farebox, token)
    began = time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    minutes = (time.monotonic() - began) / 60
    return (await _requests(farebox, token) - asked) / users / minutes
