"""A whole installation in processes of its own, and a browser that looks at its portal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.chromium import chromium_arguments, chromium_executable
from tests.conftest import free_port

QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START_SECONDS = 240


@dataclass(frozen=True)
class Farebox:
    """A running installation: where its portal and its API are, and what it was told."""

    url: str
    api_url: str
    home: Path
    environment: dict[str, str]

    @property
    def local_secret(self) -> str:
        return (self.home / "run" / "local-sign-in").read_text().strip()


@pytest.fixture(scope="session")
def farebox() -> Iterator[Farebox]:
    """``farebox up`` on a home of its own; a short path, for PostgreSQL's socket."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    portal, api = free_port(), free_port()
    environment = {
        **os.environ,
        "FAREBOX_HOME": str(home),
        "FAREBOX_PORTAL_PORT": str(portal),
        "FAREBOX_API_PORT": str(api),
    }
    log = home / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "backend.cli", "up"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{portal}"
            wait_until_served(f"{url}/sign-in/", process, log)
            yield Farebox(url, f"http://127.0.0.1:{api}", home, environment)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            shutil.rmtree(home, ignore_errors=True)


def wait_until_served(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for a page, as long as the process that is to serve it runs."""
    deadline = time.monotonic() + START_SECONDS
    pause = httpx.HTTPTransport(retries=3)  # backs off between tries to connect
    with httpx.Client(transport=pause) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, log.read_text()
            try:
                if client.get(url).status_code == 200:
                    return
            except httpx.TransportError:
                continue
    raise AssertionError(f"{url} was not served in time:\n{log.read_text()}")


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_executable(), args=[*chromium_arguments(), *QUIET]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def context(chromium: Browser, farebox: Farebox) -> AsyncIterator[BrowserContext]:
    """A browser without cookies; whatever the pages complain of fails the test."""
    complaints: list[str] = []
    context = await chromium.new_context(base_url=farebox.url)
    context.set_default_timeout(15_000)
    context.on(
        "console",
        lambda said: complaints.append(said.text) if said.type == "error" else None,
    )
    context.on("weberror", lambda failed: complaints.append(str(failed.error)))
    yield context
    await context.close()
    assert complaints == []


@pytest.fixture
async def page(context: BrowserContext) -> Page:
    """A page of the portal, signed in on this machine."""
    page = await context.new_page()
    await sign_in(page)
    return page


async def sign_in(page: Page) -> None:
    await page.goto("/sign-in/")
    await page.get_by_role("button", name="Continue on this machine").click()
    await page.get_by_role("heading", name="Overview").wait_for()
