"""Take the README's pictures of a running Farebox with sample data, into docs/images.

farebox up      # in one terminal
farebox demo    # in another, and then:
python -m tests.journey.screenshots [URL] [--into docs/images]
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.support.chromium import chromium_arguments, chromium_executable

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = "Sample: growing chat product"
PICTURES = {
    "overview": ("light",),
    "playground": ("light",),
    "usage": ("dark",),
    "keys": ("light",),
    "spend": ("light",),
    "events": ("light",),
    "credit": ("dark",),
}
TENANTS = {"credit": "Sample: nightly batch work"}
"""Whose page it is, if not the first sample tenant's: this one's plan brings credit."""
ROUTES = {"overview": "/"}
"""Where a page is, if not at its own name."""
LEAST_BARS = 20
"""Of a month's days."""
SETTLED_MS = 300_000
"""A tenant that was just loaded waits for its forecast, and an answer takes its time."""


async def take(url: str, into: Path) -> None:
    """Take all pictures."""
    expect.set_options(timeout=SETTLED_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_executable(), args=chromium_arguments()
        )
        for scheme in ("light", "dark"):
            await _take_scheme(browser, url, scheme, into)
        await browser.close()


async def _take_scheme(browser: Browser, url: str, scheme: str, into: Path) -> None:
    context = await browser.new_context(
        base_url=url,
        viewport={"width": 1280, "height": 860},
        device_scale_factor=2,
        color_scheme="light" if scheme == "light" else "dark",
        reduced_motion="reduce",
    )
    context.set_default_timeout(SETTLED_MS)
    page = await context.new_page()
    await page.goto("/sign-in/")
    enter = page.get_by_role("button", name="Continue on this machine")
    await expect(enter).to_be_visible()
    if scheme == "light":
        await page.screenshot(path=into / "sign-in-light.png")
    await enter.click()
    await expect(page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
    for name, schemes in PICTURES.items():
        if scheme in schemes:
            await page.goto("/")
            await switch_tenant(page, TENANTS.get(name, SAMPLE))
            await page.goto(ROUTES.get(name, f"/{name}/"))
            await _prepare(page, name)
            await page.screenshot(path=into / f"{name}-{scheme}.png")
    await context.close()


async def switch_tenant(page: Page, name: str) -> None:
    switch = page.get_by_role("button", name="Switch organization")
    await expect(switch).to_be_enabled()
    if name in await switch.inner_text():
        return
    await switch.click()
    await page.get_by_role("dialog").get_by_role("button", name=name).click()
    await expect(switch).to_contain_text(name)


async def _prepare(page: Page, name: str) -> None:
    """Bring a page to what its picture shows, and wait until it does."""
    if name == "playground":
        field = page.get_by_label("Your question")
        await field.fill("Why is the sky blue?")
        await field.press("Enter")
        await expect(page.get_by_role("button", name="Stop")).to_be_visible()
        await expect(page.get_by_role("button", name="Send")).to_be_visible()
    if name == "usage":
        await page.get_by_role("combobox", name="Range").click()
        await page.get_by_role("option", name="Last 30 days").click()
        await page.get_by_role("combobox", name="Split by").click()
        await page.get_by_role("option", name="By model").click()
        # The chart is there before, by meter, and is empty for a moment while it is built anew
        bars = page.locator(".fb-chart path[aria-label*=sample-large]")
        await expect(bars.nth(LEAST_BARS)).to_be_visible()
    if name in {"overview", "usage", "spend"}:
        await expect(page.locator(".fb-chart svg").first).to_be_visible()
    await expect(page.locator("main .rt-Skeleton")).to_have_count(0)
    await page.evaluate("document.fonts.ready")


def main() -> None:
    """Read the arguments and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:3000")
    parser.add_argument("--into", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    arguments.into.mkdir(parents=True, exist_ok=True)
    asyncio.run(take(arguments.url, arguments.into))


if __name__ == "__main__":
    main()
