"""What a page weighs and how it moves: its scripts, its messages, its layout's shifts."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, WebSocket, expect

from portal import routes
from portal.app import FEATURES
from portal.server.build import static_directory

MOST_SCRIPT_BYTES = 250 * 1024
"""Of a page, gzipped, without the charts' own."""
MOST_MESSAGE_BYTES = 20 * 1024
"""Of what a page's load gets by websocket."""
MOST_SHIFT = 0.05
STREAM_TIMES = 3
"""How many times its text an answer in pieces may take."""
CHART = re.compile(r"vega")
"""Scripts that charts alone need."""
ANSWERS = "/downloads/answers/"
_ABOUT = {
    routes.MODEL: routes.model("smollm2-135m-instruct"),
    routes.CUSTOMER: routes.customer("local"),
}
"""The addresses of pages that are about something."""

_SCRIPTS = """() => performance.getEntriesByType("resource")
  .map((entry) => entry.name).filter((name) => new URL(name).pathname.endsWith(".js"))"""
_LAYOUT_SHIFT = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  // What is drawn by now has been noted by the frame after the next
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum), 50)));
})"""


def addresses() -> dict[str, str]:
    """Where each page is, by its title."""
    return {feature.title: _ABOUT.get(feature.route, feature.route) for feature in FEATURES}


def messages_of(page: Page) -> list[str]:
    """The list that what comes by the page's websockets is added to."""
    messages: list[str] = []

    def note(socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: messages.append(str(data)))

    page.on("websocket", note)
    return messages


@dataclass(frozen=True)
class Load:
    """A page's load, in bytes: all scripts but the charts', the charts', the largest message."""

    script: int
    chart_script: int
    message: int
    shift: float


async def load(page: Page, address: str, messages: list[str]) -> Load:
    """Load a page to its end; ``messages`` are those of :func:`messages_of`."""
    messages.clear()
    await page.goto(address)
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await settled(page)
    scripts = {name: script_bytes(name) for name in await page.evaluate(_SCRIPTS)}
    chart = sum(size for name, size in scripts.items() if CHART.search(name))
    return Load(
        sum(scripts.values()) - chart,
        chart,
        max(len(message.encode()) for message in messages),
        await page.evaluate(_LAYOUT_SHIFT),
    )


async def settled(page: Page) -> None:
    """Wait until a page shows what it has to show, its charts too."""
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)
    for chart in await page.locator("main .fb-chart").all():
        await expect(chart.locator("svg")).to_be_visible()


def script_bytes(address: str) -> int:
    """How large a script of the built pages is on its way, which is compressed."""
    file = static_directory() / urlsplit(address).path.lstrip("/")
    compressed = file.with_name(file.name + ".gz")
    return (compressed if compressed.exists() else file).stat().st_size


@dataclass
class Stream:
    """Counts what an answer in pieces takes: by its own address and by the websocket.

    The websocket's messages are compressed one after another (RFC 7692), as the server does it.
    """

    page: Page
    messages: list[str]
    _answers: dict[str, int] = field(default_factory=dict)
    _compressor: Any = field(default_factory=lambda: zlib.compressobj(wbits=-15))

    async def begin(self) -> None:
        """Count from now on; the messages until now are what the compression has seen."""
        for message in self.messages:
            self._compressed(message)
        self.messages.clear()
        browser = await self.page.context.new_cdp_session(self.page)
        # The browser keeps no body of a stream to be read at its end
        browser.on("Network.requestWillBeSent", self._note_request)
        browser.on("Network.dataReceived", self._note_data)
        await browser.send("Network.enable")

    @property
    def streamed(self) -> int:
        """Bytes of the stream."""
        return sum(self._answers.values())

    def by_websocket(self) -> int:
        """Bytes of the websocket's messages; to be asked for once, at the end."""
        return sum(self._compressed(message) for message in self.messages)

    def _note_request(self, said: dict[str, Any]) -> None:
        if ANSWERS in said["request"]["url"]:
            self._answers[said["requestId"]] = 0

    def _note_data(self, said: dict[str, Any]) -> None:
        if said["requestId"] in self._answers:
            self._answers[said["requestId"]] += said["dataLength"]

    def _compressed(self, message: str) -> int:
        packed = self._compressor.compress(message.encode())
        return len(packed + self._compressor.flush(zlib.Z_SYNC_FLUSH))
