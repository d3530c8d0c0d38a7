"""The portal's bars: how soon pages are there, how much they send, and many people at once.

    python -m benchmarks.portal                  # 20 people and then 200; some five minutes
    python -m benchmarks.portal --users 20       # a smaller run

Starts an installation with the sample tenants. Browser, portal, API, PostgreSQL, NATS and the model
share this machine, so that times are upper bounds of what people see. The people are websockets
that send what a browser's tab on Usage sent, each with a live chart and a click every few seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import secrets
import statistics
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    Response,
    WebSocket,
    async_playwright,
    expect,
)

from benchmarks.portal_tabs import CONNECT, Tab
from portal.app import FEATURES
from tests.journey.conftest import QUIET, Farebox, installation, sign_in
from tests.journey.screenshots import SAMPLE, switch_tenant
from tests.journey.steps import answered, ask, limit_answers, visit
from tests.support.chromium import chromium_arguments, chromium_executable

CHART = re.compile(r"vega")
"""Scripts that charts alone need."""
ANSWERS = "/downloads/answers/"
ROUNDS = 15
STREAMED_TOKENS = 208
CLICK_EVERY_SECONDS = 5.0
SPREAD_SECONDS = 10.0
IDLE_SECONDS = 45.0
MOST_CLICKS = 4
FEW = 20
VISITED = ("/usage/", "/events/", "/keys/", "/invoices/", "/spend/", "/credit/")
"""Pages that keep most in a tab."""
_PATIENCE_MS = 120_000


@dataclass
class Bar:
    """A figure with the bar that it has to keep."""

    name: str
    value: float
    most: float
    unit: str

    def __str__(self) -> str:
        kept = "kept" if self.value <= self.most else "MISSED"
        return f"  {self.name:<58} {self.value:>9.3g} {self.unit:<8} ≤ {self.most:g}  {kept}"


def p95(values: Sequence[float]) -> float:
    """Return the value that 95 of 100 are at or below."""
    return sorted(values)[max(0, -(-95 * len(values) // 100) - 1)]


async def _ready(page: Page) -> None:
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)


async def measure_scripts(browser: Browser, farebox: Farebox) -> list[Bar]:
    """How much script a first visit to Overview loads, and whether other pages load the charts'."""
    sizes: dict[str, int] = {}

    async def note(response: Response) -> None:
        if response.request.resource_type == "script":
            # As it was sent: the server names the length of the compressed file
            sizes[response.url] = int(await response.header_value("content-length") or 0)

    async with await browser.new_context(base_url=farebox.url) as context:
        page = await context.new_page()
        await sign_in(page)
        cookies = await context.cookies()
    async with await browser.new_context(base_url=farebox.url) as context:
        await context.add_cookies(cookies)  # type: ignore[arg-type]  # what it gave is what it takes
        page = await context.new_page()
        page.on("response", note)
        await page.goto("/keys/")
        await expect(page.get_by_role("button", name="Create key")).to_be_enabled()
        await page.wait_for_load_state("networkidle")
        charts_elsewhere = sum(size for url, size in sizes.items() if CHART.search(url))
        await page.goto("/")
        await _ready(page)
        await page.wait_for_load_state("networkidle")
    script = sum(size for url, size in sizes.items() if not CHART.search(url))
    return [
        Bar("Script of the first pages, gzipped, without charts", script / 1024, 250, "KB"),
        Bar("Charts' script on a page without charts", charts_elsewhere / 1024, 0, "KB"),
    ]


LAYOUT_SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => done(sum), 300);
})"""


async def measure_pages(page: Page, messages: list[str]) -> list[Bar]:
    """How soon the first page is there, what moves, and what a page's load gets by websocket."""
    loads = []
    for _ in range(5):
        began = time.perf_counter()
        await page.goto("/")
        await expect(page.get_by_text("Tokens today")).to_be_visible()
        await _ready(page)
        loads.append(time.perf_counter() - began)
    # Those with most have been visited, so that each load would tell of what they left behind
    for route in VISITED:
        await page.goto(route)
        await _ready(page)
    shifts, hydrates = {}, {}
    for feature in FEATURES:
        messages.clear()
        await page.goto(feature.route)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await _ready(page)
        hydrates[feature.title] = max(map(len, messages), default=0)
        shifts[feature.title] = await page.evaluate(LAYOUT_SHIFT)
    print("  Largest message of a page's load:", _listed(hydrates, "{:,.0f} B"))
    print("  Layout shift:", _listed(shifts, "{:.3f}"))
    return [
        Bar("First page with its data, warm, median", statistics.median(loads), 1.5, "s"),
        Bar("Largest layout shift of a page", max(shifts.values()), 0.05, ""),
        Bar("Largest message of a page's load", max(hydrates.values()) / 1024, 20, "KB"),
    ]


def _listed(values: dict[str, float] | dict[str, int], form: str) -> str:
    return ", ".join(f"{name} {form.format(value)}" for name, value in values.items())


async def measure_clicks(page: Page) -> list[Bar]:
    """How long a click takes: one that the page does itself, and one that asks the API."""
    local, asking = [], []
    field = page.get_by_role("combobox", name="Search pages")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await page.keyboard.press("Control+k")
        await expect(field).to_be_focused()
        local.append((time.perf_counter() - began) * 1000)
        await page.keyboard.press("Escape")
        await expect(field).to_be_hidden()
    await visit(page, "Usage")
    await _ready(page)
    for number in range(ROUNDS):
        show = ("Requests", "Tokens")[number % 2]
        began = time.perf_counter()
        await page.get_by_role("radio", name=show).click()
        await expect(page.get_by_role("heading", name=show, level=2)).to_be_visible()
        asking.append((time.perf_counter() - began) * 1000)
    return [
        Bar("A click that the page does itself, p95", p95(local), 100, "ms"),
        Bar("A click that asks the API, p95", p95(asking), 300, "ms"),
    ]


async def measure_stream(page: Page, messages: list[str]) -> list[Bar]:
    """How many bytes an answer in pieces takes, over those of its text.

    By the stream that has the pieces, and by the websocket from the question to the end, whose
    messages are compressed one after another (RFC 7692), as the server does it.
    """
    compressor = zlib.compressobj(wbits=-15)
    sent = 0
    streams: list[Response] = []
    page.on("response", lambda got: streams.append(got) if ANSWERS in got.url else None)
    await visit(page, "Playground")
    await limit_answers(page, STREAMED_TOKENS // 16 - 1)
    for message in messages:
        compressor.compress(message.encode())
    compressor.flush(zlib.Z_SYNC_FLUSH)
    messages.clear()
    await ask(page, "Write a long story about a lighthouse.")
    await answered(page)
    conversation = page.get_by_role("log", name="Conversation")
    text = await conversation.inner_text()
    streamed = sum([len(await stream.body()) for stream in streams])
    for message in messages:
        sent += len(compressor.compress(message.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))
    plain = sum(map(len, messages))
    print(
        f"  {len(text)} bytes of text: {streamed} streamed, {sent} by websocket ({plain} unpacked)"
    )
    total = streamed + sent
    return [Bar("Bytes of a streamed answer over its text's", total / len(text), 3, "times")]


def _resident_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(match[1]) * 1024 if match else 0


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


async def _recorded(context: BrowserContext) -> tuple[str, dict[str, str]]:
    """Return what a browser sends to load Usage, and what it sends for each of two clicks."""
    sent: list[str] = []
    page = await context.new_page()

    def note(socket: WebSocket) -> None:
        socket.on("framesent", lambda data: sent.append(str(data)))

    page.on("websocket", note)
    await page.goto("/usage/")
    await _ready(page)
    connect = next(frame for frame in sent if frame.startswith(CONNECT))
    clicks = {}
    for show in ("Requests", "Tokens"):
        sent.clear()
        await page.get_by_role("radio", name=show).click()
        await expect(page.get_by_role("heading", name=show, level=2)).to_be_visible()
        clicks[show] = next(frame for frame in sent if "choose_show" in frame)
    await page.close()
    return connect, clicks


async def measure_many(
    context: BrowserContext, farebox: Farebox, users: int, token: str, *, rests: bool
) -> list[Bar]:
    """How long a click takes, what a tab costs in memory and in requests, with many of them.

    What a tab that nobody touches costs the API only where it ``rests``.
    """
    connect, clicks = await _recorded(context)
    cookie = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in await context.cookies())
    portal = farebox.children["portal"]
    before = _resident_bytes(portal)
    tabs = [Tab(farebox.url, cookie) for _ in range(users)]

    async def begin(place: int, tab: Tab) -> None:
        await asyncio.sleep(SPREAD_SECONDS * place / users)
        await tab.open(connect, '"phase_rx_state_":"ready"')

    await asyncio.gather(*(begin(place, tab) for place, tab in enumerate(tabs)))
    memory = (_resident_bytes(portal) - before) / users / 1024**2

    idle = await _idle(farebox, token, users) if rests else None

    taken: list[float] = []

    async def click(place: int, tab: Tab) -> None:
        await asyncio.sleep(CLICK_EVERY_SECONDS * place / users)
        for number in range(MOST_CLICKS):
            show = ("Requests", "Tokens")[number % 2]
            answer = f'"show_rx_state_":"{show.lower()}"'
            taken.append(await tab.ask(clicks[show], answer) * 1000)
            await asyncio.sleep(CLICK_EVERY_SECONDS)

    await asyncio.gather(*(click(place, tab) for place, tab in enumerate(tabs)))
    await asyncio.gather(*(tab.close() for tab in tabs))
    bars = [
        Bar(f"A click of {users} people with live charts, p95", p95(taken), 300, "ms"),
        Bar(f"Memory of the portal for each of {users}", memory, 1, "MB"),
    ]
    if idle is not None:
        bars.append(Bar("Requests to the API of an idle tab, a minute", idle, 1, ""))
    return bars


async def _idle(farebox: Farebox, token: str, users: int) -> float:
    """Return how many requests to the API each of the tabs costs a minute that nobody touches."""
    asked = await _requests(farebox, token)
    began = time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    minutes = (time.monotonic() - began) / 60
    return (await _requests(farebox, token) - asked) / users / minutes


async def run(users: int) -> int:
    """Measure and print; return how many bars were missed."""
    expect.set_options(timeout=_PATIENCE_MS)
    token = secrets.token_urlsafe()
    bars: list[Bar] = []
    async with (
        installation(FAREBOX_METRICS_TOKEN=token, FAREBOX_CATALOG="catalog.yaml") as farebox,
        async_playwright() as playwright,
    ):
        demo = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "backend.cli", "demo"), env=farebox.environment
        )
        await demo.wait()
        browser = await playwright.chromium.launch(
            executable_path=chromium_executable(), args=[*chromium_arguments(), *QUIET]
        )
        bars += _told(await measure_scripts(browser, farebox))
        context = await browser.new_context(base_url=farebox.url)
        context.set_default_timeout(_PATIENCE_MS)
        page = await context.new_page()
        messages: list[str] = []

        def note(socket: WebSocket) -> None:
            socket.on("framereceived", lambda data: messages.append(str(data)))

        page.on("websocket", note)
        await sign_in(page)
        bars += _told(await measure_stream(page, messages))
        await page.goto("/")
        await switch_tenant(page, SAMPLE)
        bars += _told(await measure_pages(page, messages))
        bars += _told(await measure_clicks(page))
        await page.close()
        for number in sorted({min(FEW, users), users}):
            bars += _told(
                await measure_many(context, farebox, number, token, rests=number == users)
            )
        await browser.close()
    return sum(bar.value > bar.most for bar in bars)


def _told(bars: list[Bar]) -> list[Bar]:
    for bar in bars:
        print(bar, flush=True)
    return bars


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    arguments = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    missed = asyncio.run(run(arguments.users))
    print(f"{missed} bars missed" if missed else "All bars kept")


if __name__ == "__main__":
    main()
