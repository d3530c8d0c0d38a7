"""How long a page takes, by the browser's own clock and to the frame that shows it."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable

from playwright.async_api import Page, expect

from benchmarks.portal_bars import Bar, p95
from tests.journey.bars import settled
from tests.journey.steps import visit

ROUNDS = 15
FIRST_LOADS = 5
_WHEN_SHOWN = """() => new Promise((done) => {{
  const look = () => ({shown}) ? done(performance.now()) : requestAnimationFrame(look);
  look();
}})"""
_WHEN_ANSWERED = """() => {{
  window.benchmark = new Promise((done) => addEventListener("{event}", ({{ timeStamp }}) => {{
    const look = () =>
      ({shown}) ? done(performance.now() - timeStamp) : requestAnimationFrame(look);
    look();
  }}, {{ capture: true, once: true }}));
}}"""
_OVERVIEW = (
    "document.querySelector('main')?.innerText.includes('Tokens today')"
    " && !document.querySelector('main .rt-Skeleton')"
)
_SEARCH_FOCUSED = "document.activeElement?.getAttribute('role') === 'combobox'"


async def measure_first_page(page: Page) -> list[Bar]:
    """How soon the first page is there with its figures, warm."""
    loads = []
    for _ in range(FIRST_LOADS):
        await page.goto("/", wait_until="commit")
        loads.append(await page.evaluate(_WHEN_SHOWN.format(shown=_OVERVIEW)) / 1000)
        await settled(page)
    return [Bar("First page with its figures, warm, median", statistics.median(loads), 1.5, "s")]


async def measure_clicks(page: Page) -> list[Bar]:
    """How long an act takes: one that the page does itself, and one that asks the API."""
    local, asking = [], []
    field = page.get_by_role("combobox", name="Search pages")
    for _ in range(ROUNDS):
        opened = page.keyboard.press("Control+k")
        local.append(await _answered(page, "keydown", _SEARCH_FOCUSED, opened))
        await expect(field).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(field).to_be_hidden()
    await visit(page, "Usage")
    await settled(page)
    for number in range(ROUNDS):
        show = ("Requests", "Tokens")[number % 2]
        headed = f"[...document.querySelectorAll('h2')].some((h) => h.textContent === '{show}')"
        chosen = page.get_by_role("radio", name=show).click()
        asking.append(await _answered(page, "click", headed, chosen))
        await settled(page)
    return [
        Bar("A click that the page does itself, p95", p95(local), 100, "ms"),
        Bar("A click that asks the API, p95", p95(asking), 300, "ms"),
    ]


async def _answered(page: Page, event: str, shown: str, act: Awaitable[None]) -> float:
    """Return the milliseconds from an act's event to the frame that has what is shown."""
    await page.evaluate(_WHEN_ANSWERED.format(event=event, shown=shown))
    await act
    taken: float = await page.evaluate("window.benchmark")
    return taken
