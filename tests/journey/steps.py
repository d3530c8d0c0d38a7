"""What a person does in the portal, for tests that need it done."""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import urlsplit

from playwright.async_api import Page, expect

from portal.app import FEATURES
from portal.shell.feature import Group

AGAIN_SECONDS = 2.0
"""Between two loads of a page that shows a change of who is signed in, or what that person may do:
the portal asks the API every few seconds, and a load takes a second of the processor."""
ANSWER_MS = 150_000
"""The model runs on the CPU that the tests run on."""
TOKENS_IN = ".fb-answer [data-measure=in]"
TOKENS_OUT = ".fb-answer [data-measure=out]"
"""What the playground's answers took."""
NOWHERE = "about:blank"
ROUTES = {feature.title: f"{feature.route.rstrip('/')}/" for feature in FEATURES}
OPERATORS_PAGES = {feature.title for feature in FEATURES if feature.group is Group.OPERATOR}


async def visit(page: Page, name: str) -> None:
    """Go to a page by the navigation; by the switch first if it is in the other mode.

    A tab that is nowhere yet goes by the address.
    """
    if page.url == NOWHERE:
        await page.goto(ROUTES[name])
        await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        # At a first visit the links below it move once, when it is known who has signed in
        await expect(page.get_by_role("group", name="Mode")).to_be_visible()
        return
    operates = name in OPERATORS_PAGES
    pages = page.get_by_role(
        "navigation", name="Operator's pages" if operates else "Pages", exact=True
    )
    either = page.get_by_role("navigation", name=re.compile("^(Operator's pages|Pages)$"))
    await expect(either).to_be_visible()
    if not await pages.count():
        mode = "Operator" if operates else "Console"
        modes = page.get_by_role("group", name="Mode")
        await modes.get_by_role("link", name=mode, exact=True).click()
    await pages.get_by_role("link", name=name, exact=True).click()
    await expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


async def create_key(page: Page, name: str) -> str:
    """Make a key on the keys page, and return its secret by way of the clipboard."""
    # Not if it is there already: the page would be loaded again, and close what is opened meanwhile
    if urlsplit(page.url).path != ROUTES["API keys"]:
        await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name").fill(name)
    await form.get_by_role("button", name="Create key").click()
    await form.get_by_role("button", name="Copy the key").click()
    await expect(form.get_by_role("button", name="Copied")).to_be_visible()
    secret: str = await page.evaluate("navigator.clipboard.readText()")
    assert await form.locator("#key-secret").inner_text() == secret
    await form.get_by_role("button", name="Done").click()
    await expect(form).to_be_hidden()
    return secret


async def limit_answers(page: Page, steps: int) -> int:
    """Set the playground's longest answer to 16 tokens and ``steps`` times 16 more, by keyboard."""
    slider = page.get_by_role("slider", name="Max tokens")
    await slider.press("Home")
    for _ in range(steps):
        await slider.press("ArrowRight")
    longest = 16 * (1 + steps)
    await expect(page.locator("#max-tokens")).to_have_text(str(longest))
    return longest


async def ask(page: Page, question: str) -> None:
    """Ask in the playground, without waiting for the answer."""
    field = page.get_by_label("Your question")
    mine = page.get_by_role("log", name="Conversation").get_by_text("You", exact=True)
    asked = await mine.count()
    await field.fill(question)
    await field.press("Enter")
    # Not the stop button, which a short answer shows for an instant only
    await expect(mine).to_have_count(asked + 1)


async def answered(page: Page) -> tuple[int, int]:
    """Wait for the answer's end; return its input and output tokens."""
    await expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=ANSWER_MS)
    return await number(page, TOKENS_IN), await number(page, TOKENS_OUT)


async def open_usage(page: Page) -> int:
    """Open the usage page in a tab of its own; return the tokens it shows."""
    await page.goto("/usage/")
    await expect(page.locator("#usage-shown, #usage-empty").first).to_be_visible()
    shown = page.locator("#usage-total")
    return await number(page, "#usage-total") if await shown.count() else 0


async def number(page: Page, selector: str) -> int:
    """A count on the page; the last of several."""
    shown = await page.locator(selector).last.inner_text()
    return int(shown.removeprefix("≈").strip().replace(",", ""))


async def spend_lines(page: Page) -> dict[str, tuple[Decimal, Decimal]]:
    """The spend page's lines by name: quantity and amount. Empty when nothing was used yet."""
    await visit(page, "Spend")
    await expect(page.locator("#spend-lines, #no-spend-lines").first).to_be_visible()
    lines = {}
    for row in await page.locator("#spend-lines tbody tr[data-line]").all():
        cells = await row.get_by_role("cell").all_inner_texts()
        name = await row.get_attribute("data-line")
        assert name
        lines[name] = (Decimal(cells[1].replace(",", "")), amount(cells[-1]))
    return lines


def amount(shown: str) -> Decimal:
    """Money as the portal shows it, in dollars."""
    match = re.fullmatch(r"(−?)\$([\d,]+\.\d\d)", shown.strip())
    assert match, shown
    return Decimal(match[1].replace("−", "-") + match[2].replace(",", ""))
