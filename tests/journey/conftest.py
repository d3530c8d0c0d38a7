"""A whole installation in processes of its own, and a browser that looks at its portal."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    WebError,
    async_playwright,
    expect,
)

from backend.engines.runfile import RunFile, run_file_path
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import LocalSessionCreate
from tests.support.chromium import chromium_arguments, chromium_executable
from tests.support.ports import free_port
from tests.support.stripe.server import KEY as STRIPE_KEY
from tests.support.stripe.server import WEBHOOK_SECRET, StripeStandIn
from tests.support.waiting import until

CATALOG = Path(__file__).with_name("catalog.yaml")
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SHORT_LIVED = "--js-flags=--no-opt --no-maglev"
"""Without the compilers that are worth it for a page that is there for long: a quarter less."""
TOGETHER = "--process-per-site"
"""The pages of a profile are one process, which compiles what they share once."""
PLAIN = "/brand/links.json"
"""An address of the portal that is no page of it."""
LEFT_BEHIND = "cache_storage,cookies,file_systems,indexeddb,local_storage,service_workers"
"""All that pages keep in a browser but its cache of files, in the protocol's words."""
LASTING = (
    *("add_init_script", "expose_binding", "expose_function", "set_extra_http_headers"),
    *("set_offline", "set_geolocation", "grant_permissions", "clear_permissions"),
)
"""What changes a profile for all its pages, and can't be taken back."""
PATIENCE_MS = 60_000
"""How long a page may take where no test says otherwise; the machine may be busy."""
START_SECONDS = 240
"""The first start builds the portal's pages, and downloads the packages they are made of."""


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

    @property
    def database_url(self) -> str:
        return RunFile.read(run_file_path(self.home)).addresses["database_url"]

    @property
    def supervisor(self) -> int:
        """The process id of what starts its parts, and starts them again."""
        return RunFile.read(run_file_path(self.home)).supervisor

    @property
    def children(self) -> dict[str, int]:
        """The process ids of its parts, by name."""
        run = RunFile.read(run_file_path(self.home))
        return {name: identity.pid for name, identity in run.children.items()}


@asynccontextmanager
async def installation(**settings: str) -> AsyncIterator[Farebox]:
    """``farebox up`` on a home of its own; a short path, for PostgreSQL's socket."""
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    portal, api = free_port(), free_port()
    environment = {
        **os.environ,
        "FAREBOX_HOME": str(home),
        "FAREBOX_PORTAL_PORT": str(portal),
        "FAREBOX_API_PORT": str(api),
        "FAREBOX_CATALOG": str(CATALOG),
        "FAREBOX_WEBHOOK_NETWORKS": '["127.0.0.0/8"]',
        **settings,
    }
    log = home / "up.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "backend.cli", "up"),
            env=environment,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def ready() -> bool:
        assert process.returncode is None, log.read_text()
        return "Farebox is ready" in log.read_text()

    try:
        await until(ready, seconds=START_SECONDS)
        urls = (f"http://127.0.0.1:{port}" for port in (portal, api))
        yield Farebox(*urls, home, environment)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            await process.wait()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
async def stand_in() -> AsyncIterator[StripeStandIn]:
    async with StripeStandIn() as server:
        yield server


@pytest.fixture(scope="session")
async def farebox(stand_in: StripeStandIn) -> AsyncIterator[Farebox]:
    settings = {
        "FAREBOX_PUBLIC_COMPARE": "true",
        "FAREBOX_SECRETS_KEY": "seals-the-keys-of-these-journeys-alone",
        "FAREBOX_STRIPE_URL": stand_in.url,
        "FAREBOX_STRIPE_SECRET_KEY": STRIPE_KEY,
        "FAREBOX_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    }
    async with installation(**settings) as running:
        yield running


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_executable(),
            args=[*chromium_arguments(), *QUIET, SHORT_LIVED, TOGETHER],
        )
        yield browser
        await browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the pages of a test complained of; a test that provokes a complaint takes it out."""
    return []


@pytest.fixture(scope="session")
async def kept_profile(chromium: Browser, farebox: Farebox) -> AsyncIterator[BrowserContext]:
    """What tests browse with in turn, for the portal's scripts are read and compiled only once."""
    profile = await new_profile(chromium, farebox)
    # As long as a page of the portal is there, so is the process that has its scripts
    stays = await profile.new_page()
    await stays.goto(PLAIN)
    for name in LASTING:
        setattr(profile, name, _refuse)
    yield profile
    await profile.close()


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("It would last for the tests that follow: ask for own_context.")


@pytest.fixture
async def context(
    kept_profile: BrowserContext, farebox: Farebox, complaints: list[str]
) -> AsyncIterator[BrowserContext]:
    """A browser without cookies; whatever its pages complain of fails the test.

    Of the tests before, it has kept files in its cache and nothing else. A test that changes the
    profile itself (by scripts for all its pages, say) asks for ``own_context``.
    """
    with noting(kept_profile, farebox, complaints):
        yield kept_profile
        await forget(kept_profile, farebox)
    assert complaints == []


@pytest.fixture
async def own_context(
    chromium: Browser, farebox: Farebox, complaints: list[str]
) -> AsyncIterator[BrowserContext]:
    """A browser that has never been anywhere, and which no other test uses."""
    async with browsing(chromium, farebox, complaints) as context:
        yield context
    assert complaints == []


@asynccontextmanager
async def browsing(
    chromium: Browser, farebox: Farebox, complaints: list[str]
) -> AsyncIterator[BrowserContext]:
    """A browser profile of its own, which notes errors, refusals of the CSP among them."""
    profile = await new_profile(chromium, farebox)
    with noting(profile, farebox, complaints):
        yield profile
        await profile.close()


async def new_profile(chromium: Browser, farebox: Farebox) -> BrowserContext:
    """A browser that has never been anywhere; its addresses are the portal's."""
    profile = await chromium.new_context(
        base_url=farebox.url,
        permissions=["clipboard-read", "clipboard-write"],
        reduced_motion="reduce",  # without a graphics card, what moves is drawn by the processor
    )
    profile.set_default_timeout(PATIENCE_MS)
    return profile


@contextmanager
def noting(profile: BrowserContext, farebox: Farebox, complaints: list[str]) -> Iterator[None]:
    """Meanwhile, note what the pages of a profile complain of."""

    def note(said: ConsoleMessage) -> None:
        # What an identity provider's pages say is theirs
        ours = said.location["url"].startswith(farebox.url)
        # A test that goes on to the next page may leave one whose socket was about to open
        left = "closed before the connection is established" in said.text
        if said.type in {"error", "warning"} and ours and not left:
            complaints.append(said.text)

    def note_failure(failed: WebError) -> None:
        complaints.append(str(failed.error))

    profile.on("console", note)
    profile.on("weberror", note_failure)
    try:
        yield
    finally:
        profile.remove_listener("console", note)
        profile.remove_listener("weberror", note_failure)


async def forget(profile: BrowserContext, farebox: Farebox) -> None:
    """Close a profile's pages but the first, and take all from it that pages leave behind.

    Files stay in its cache, which are named by what is in them or the same for as long as the
    portal runs.
    """
    stays, *pages = profile.pages
    for page in pages:
        await page.close()
    await profile.unroute_all()
    await profile.clear_cookies()
    browser = await profile.new_cdp_session(stays)
    for origin in (farebox.url, farebox.api_url):
        await browser.send(
            "Storage.clearDataForOrigin", {"origin": origin, "storageTypes": LEFT_BEHIND}
        )
    await browser.detach()


@pytest.fixture
async def page(context: BrowserContext, farebox: Farebox) -> Page:
    """An empty page, signed in at the portal on this machine; where it goes is the test's to say.

    A page that the test does not look at would take half a second of the processor.
    """
    page = await context.new_page()
    await enter(page, farebox)
    return page


@asynccontextmanager
async def person_at(farebox: Farebox) -> AsyncIterator[AsyncFareboxClient]:
    """The API as the person at this machine uses it, who is the operator too."""
    async with AsyncFareboxClient(farebox.api_url) as anybody:
        local = LocalSessionCreate(secret=farebox.local_secret)
        session = await anybody.sessions.create_local(local)
    async with AsyncFareboxClient(farebox.api_url, session.token) as client:
        yield client


async def enter(page: Page, farebox: Farebox) -> None:
    """Sign in as the sign-in page's form does, without that page: it takes as long as the next."""
    answer = await page.context.request.post(
        f"{farebox.url}/auth/local", headers={"origin": farebox.url}, max_redirects=0
    )
    assert answer.status == 303, await answer.text()


async def sign_in(page: Page) -> None:
    await page.goto("/sign-in/")
    await page.get_by_role("button", name="Continue on this machine").click()
    await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
