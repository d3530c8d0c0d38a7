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
import secrets
import sys

from playwright.async_api import (
    Page,
    async_playwright,
    expect,
)

from benchmarks.portal_bars import Bar
from benchmarks.portal_clicks import measure_clicks, measure_first_page
from benchmarks.portal_people import measure_many, record, sessions
from portal.settings import portal_settings
from tests.journey.bars import (
    MOST_MESSAGE_BYTES,
    MOST_SCRIPT_BYTES,
    MOST_SHIFT,
    STREAM_TIMES,
    Stream,
    addresses,
    load,
    messages_of,
)
from tests.journey.conftest import QUIET, installation, sign_in
from tests.journey.screenshots import SAMPLE, switch_tenant
from tests.journey.steps import answered, ask, limit_answers, visit
from tests.support.chromium import chromium_arguments, chromium_executable

STREAMED_TOKENS = 208
FEW = 20
_PATIENCE_MS = 120_000


async def measure_pages(page: Page, messages: list[str]) -> list[Bar]:
    """What each page loads, what moves, and what a load gets by websocket, all in one tab."""
    loads = {title: await load(page, at, messages) for title, at in addresses().items()}
    for title, each in loads.items():
        print(
            f"    {title:<20} {each.script / 1024:>6.1f} KB of script, "
            f"{each.message / 1024:>5.1f} KB of message, shift {each.shift:.3f}"
        )
    charts = {title for title, each in loads.items() if each.chart_script}
    print("  Pages with the charts' script:", ", ".join(sorted(charts)))
    largest = {
        name: max(getattr(each, name) for each in loads.values())
        for name in ("script", "message", "shift")
    }
    return [
        Bar(
            "Largest script of a page, gzipped, without charts",
            largest["script"] / 1024,
            MOST_SCRIPT_BYTES / 1024,
            "KB",
        ),
        Bar("Largest layout shift of a page", largest["shift"], MOST_SHIFT, ""),
        Bar(
            "Largest message of a page's load",
            largest["message"] / 1024,
            MOST_MESSAGE_BYTES / 1024,
            "KB",
        ),
    ]


async def measure_stream(page: Page, messages: list[str]) -> list[Bar]:
    """How many bytes an answer in pieces takes, over those of its text."""
    stream = Stream(page, messages)
    await visit(page, "Playground")
    await limit_answers(page, STREAMED_TOKENS // 16 - 1)
    await stream.begin()
    await ask(page, "Write a long story about a lighthouse.")
    await answered(page)
    text = len(await page.get_by_role("log", name="Conversation").inner_text())
    sent = stream.by_websocket()
    print(f"  {text} bytes of text: {stream.streamed} streamed, {sent} by websocket")
    times = (stream.streamed + sent) / text
    return [Bar("Bytes of a streamed answer over its text's", times, STREAM_TIMES, "times")]


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
            executable_path=chromium_executable(whole=True),
            args=[*chromium_arguments(), *QUIET],
        )
        context = await browser.new_context(base_url=farebox.url)
        context.set_default_timeout(_PATIENCE_MS)
        page = await context.new_page()
        messages = messages_of(page)
        await sign_in(page)
        bars += _printed(await measure_stream(page, messages))
        await page.goto("/")
        await switch_tenant(page, SAMPLE)
        bars += _printed(await measure_first_page(page))
        bars += _printed(await measure_pages(page, messages))
        bars += _printed(await measure_clicks(page))
        await page.close()
        recording = await record(context)
        name = portal_settings().session_cookie
        cookies = [f"{name}={each}" for each in await sessions(farebox, SAMPLE, users)]
        for number in sorted({min(FEW, users), users}):
            bars += _printed(
                await measure_many(
                    farebox, recording, cookies[:number], token, rests=number == users
                )
            )
        await browser.close()
    return sum(bar.value > bar.most for bar in bars)


def _printed(bars: list[Bar]) -> list[Bar]:
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
