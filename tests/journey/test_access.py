"""Every page by keyboard, by screen reader, in the dark and on a small screen."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from backend_client.types.accounts import ApiKeyCreate
from backend_client.types.corrections import CorrectionBatch, CorrectionCreate, EventReference
from backend_client.types.wallets import (
    CreditGrantCreate,
    CreditKind,
    TopUpCreate,
    WalletSettings,
)
from portal.app import FEATURES
from portal.features.customer.state import TABS
from tests.journey.conftest import Farebox, browsing, sign_in
from tests.journey.metered import Service
from tests.journey.steps import OPERATORS_PAGES, answered, ask, limit_answers, visit
from tests.support.node import install
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
ACCESS = (HERE / "access.js").read_text()
LAYOUT = (HERE / "layout.js").read_text()
PAGES = [feature.title for feature in FEATURES if not feature.within]
TENANTS_PAGES = [title for title in PAGES if title not in OPERATORS_PAGES]
SETTLED_SECONDS = 5.0
WIDE: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}
BETWEEN = (1101, 1024, 1023, 861, 761, 641)
"""Widths in pixels between them: a tablet's, and those at which pages are laid out otherwise."""
DETAILS = {
    "/model/?model=smollm2-135m-instruct": "SmolLM2 135M Instruct",
    **{f"/customer/?tenant=local&tab={tab}": "Local" for tab in TABS},
}
"""Addresses of pages that no link of the menu leads to, and their headings."""
DIALOGS = {
    "/keys/": ("Create key", "Rotate", "Edit"),
    "/playground/": ("View code", "History", "Prompts"),
    "/events/": ("Details",),
    "/requests/": ("Details",),
    "/spend/": ("Change plan", "Redeem a coupon", "Pause", "End the plan"),
    "/credit/": ("Grant credit", "Buy credit"),
    "/invoices/": ("Billing details",),
    "/chargeback/": ("Add a department or cost center",),
    "/applications/": ("Create application", "Limits and budget", "Bodies"),
    "/team/": ("Invite",),
    "/webhooks/": ("Add an endpoint",),
    "/customers/": ("New customer",),
    "/upstreams/": ("Add upstream",),
    "/notifications/": ("Send a test event",),
    "/accounting/": ("Add an account",),
    "/customer/?tenant=local&tab=people": ("Invite",),
    "/customer/?tenant=local&tab=keys": ("Create key", "Rotate", "Budget of a label", "Change"),
    "/customer/?tenant=local&tab=plan": ("Change plan", "Agree prices", "End"),
    "/customer/?tenant=local&tab=credit": ("Grant credit",),
    "/customer/?tenant=local&tab=invoices": ("Add a line",),
}
"""Addresses, and the buttons there that open dialogs."""
ACTED_ON = {"button", "checkbox", "combobox", "link", "radio", "slider", "tab", "textbox"}


AXE = """async place => {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const rules = dark ? {runOnly: ["color-contrast", "link-in-text-block"]} : {};
    const result = await axe.run(place, {resultTypes: ["violations"], ...rules});
    const some = nodes => nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join();
    return result.violations.map(rule => `${rule.help}: ${some(rule.nodes)}`);
}"""
"""All rules, and in the dark those of color, for the rest is the same in both."""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core, which knows the rules of WCAG."""
    folder = tmp_path_factory.mktemp("axe")
    install(HERE / "axe", folder)
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture(scope="module", params=["light", "dark"])
async def used(
    request: pytest.FixtureRequest, chromium: Browser, farebox: Farebox, axe: str
) -> AsyncIterator[Page]:
    """A page of a tenant that has used something, in either color scheme."""
    complaints: list[str] = []
    async with browsing(chromium, farebox, complaints) as context:
        # By the browser's hand, which the page's policy does not bind
        await context.add_init_script(axe)
        page = await context.new_page()
        await page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
        await sign_in(page)
        await visit(page, "Playground")
        await limit_answers(page, 0)
        await ask(page, "Say hello.")
        await answered(page)
        async with Service(farebox, f"access-{request.param}") as service:
            await service.send("voided", "to-amend", labels={"team": "search"}, images=3)
            void = CorrectionCreate(
                id=f"access-{request.param}",
                event=EventReference(source=service.source, id="voided"),
                action="void",
                reason="sent twice",
            )
            await service.person.corrections.create(CorrectionBatch(corrections=[void]))
            tenant = (await service.person.me.get()).tenant.id
            # For a model that nothing uses, so that nothing else is paid from it
            welcome = CreditGrantCreate(
                name="Welcome",
                kind=CreditKind.PAID,
                amount=Decimal(5),
                expires_at=datetime.now(UTC) + timedelta(days=7),
                models=["another"],
            )
            application = (await service.person.applications.list().page()).items[0]
            wanted = ApiKeyCreate(name="Looked at", application_id=application.id)
            await service.person.keys.create(wanted)
            # So much that the page warns
            await service.person.wallet.update(WalletSettings(low_balance=Decimal(1000)))
            await service.person.wallet.grants.create(welcome, tenant=tenant)
            await service.person.wallet.top_ups.create(TopUpCreate(amount=Decimal(20)))
        yield page
    assert complaints == []


async def test_every_page_can_be_read_and_acted_on(used: Page) -> None:
    lacks: dict[str, list[str]] = {}
    for name in PAGES:
        await used.set_viewport_size(WIDE)
        await visit(used, name)
        lacks |= await lacking_by_width(used, name)
    assert not lacks, in_lines(lacks)


async def test_every_page_of_details_can_be_read_and_acted_on(used: Page) -> None:
    lacks: dict[str, list[str]] = {}
    for address, heading in DETAILS.items():
        await used.set_viewport_size(WIDE)
        await used.goto(address)
        await expect(used.get_by_role("heading", name=heading, level=1)).to_be_visible()
        await expect(used.locator("main .rt-Skeleton")).to_have_count(0)
        lacks |= await lacking_by_width(used, address)
    assert not lacks, in_lines(lacks)


async def test_dialogs_can_be_read_and_acted_on(used: Page) -> None:
    await used.set_viewport_size(WIDE)
    lacks: dict[str, list[str]] = {}
    for address, buttons in DIALOGS.items():
        await used.goto(address)
        for name in buttons:
            # A row's button says which row, too
            named = re.compile(rf"^{name}\b")
            button = used.locator("main").get_by_role("button", name=named).first
            await button.click()
            dialog = used.get_by_role("dialog").or_(used.get_by_role("alertdialog"))
            await expect(dialog).to_be_visible()
            # By axe alone, which knows of names too: the browser's tree is of the whole page
            at = f"{address}, {name}"
            lacks[at] = await lacking_by_axe(used, "[role=dialog], [role=alertdialog]")
            await used.keyboard.press("Escape")
            await expect(dialog).to_be_hidden()
            await expect(button).to_be_focused()
    assert not any(lacks.values()), in_lines(lacks)


@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
async def test_a_correction_can_be_read_and_acted_on(used: Page, screen: ViewportSize) -> None:
    await used.set_viewport_size(screen)
    source = f"access-{'dark' if await is_dark(used) else 'light'}"
    await used.goto(f"/corrections/?source={source}&id=to-amend")
    card = used.get_by_role("region", name="Correct to-amend")
    await card.get_by_role("radio", name="Amend").click()
    await card.get_by_role("button", name="Preview").click()
    await expect(card.get_by_role("alert").filter(has_text="Give a reason")).to_be_visible()
    await used.mouse.move(0, 0)
    assert await in_the_end(partial(lacking, used, of="html")) == []
    await card.get_by_label("Quantity of Images").fill("2")
    await card.get_by_role("textbox", name="Reason", exact=True).fill("Counted once too often.")
    await card.get_by_role("button", name="Preview").click()
    dialog = used.get_by_role("dialog")
    await expect(dialog.locator("#changes")).to_contain_text("−1")
    assert await lacking(used, of="[role=dialog]") == []
    await used.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_all_can_be_reached_by_keyboard_and_focus_is_seen(used: Page) -> None:
    await used.set_viewport_size(WIDE)
    await used.goto("/keys/")
    await expect(used.get_by_role("button", name="Create key")).to_be_enabled()
    await used.keyboard.press("Tab")
    await expect(used.get_by_role("link", name="Skip to the content")).to_be_focused()
    await used.keyboard.press("Enter")
    await expect(used.locator("#content")).to_be_focused()
    await used.keyboard.press("Tab")
    await expect(used.get_by_role("button", name="Create key")).to_be_focused()
    reached = await tabbed_through(used, "/keys/")
    # Docs too, which is no page of the app's
    assert [name for name in reached if name in PAGES] == TENANTS_PAGES
    assert {"Switch between light and dark", "Sign out", "Create key"} <= set(reached)


async def test_the_menu_of_a_small_screen_leads_everywhere(used: Page) -> None:
    await used.set_viewport_size(PHONE)
    await used.goto("/keys/")
    for name in ("Usage", "Overview"):
        await used.get_by_role("button", name="Open the menu").click()
        await used.get_by_role("dialog").get_by_role("link", name=name, exact=True).click()
        await expect(used.get_by_role("heading", name=name, level=1)).to_be_visible()
        await expect(used.get_by_role("dialog")).to_be_hidden()


async def test_the_color_scheme_is_switched_and_stays(page: Page) -> None:
    await visit(page, "Overview")
    before = await page.evaluate("getComputedStyle(document.body).colorScheme")
    theme = page.locator(".radix-themes").first
    await page.get_by_role("button", name="Switch between light and dark").click()
    await expect(page.locator("html")).to_have_class("dark")
    await page.reload()
    await expect(page.locator("html")).to_have_class("dark")
    await expect(theme).to_be_visible()
    assert before is not None


MOVING = """() => {
    document.querySelector("main").insertAdjacentHTML("beforeend", `<i class="rt-Skeleton">Sum</i>
        <i class="rt-Spinner"><i class="rt-SpinnerLeaf"></i></i><i class="fb-live"></i>
        <i class="fb-typing"></i>`);
    return document.getAnimations().filter(moves => moves.effect.getTiming().iterations > 1)
        .map(moves => moves.animationName);
}"""
"""Shows all that moves for as long as something is under way, and returns what does so."""


async def test_nothing_goes_on_moving_for_who_asked_for_less_of_it(page: Page) -> None:
    await visit(page, "Overview")
    assert await page.evaluate(MOVING) == []
    # They are still there: a skeleton has its color from the movement
    assert await page.evaluate(
        "getComputedStyle(document.querySelector('main > .rt-Skeleton')).backgroundColor"
    ) not in ("", "rgba(0, 0, 0, 0)")
    await page.emulate_media(reduced_motion="no-preference")
    # The page may have some of its own, which still loads
    pulse = {"rt-skeleton-pulse", "rt-spinner-leaf-fade", "fb-pulse", "fb-blink"}
    assert set(await page.evaluate(MOVING)) == pulse


FOCUSED = """() => {
    const at = document.activeElement, style = getComputedStyle(at);
    return {end: at === document.body, name: at.getAttribute('aria-label') || at.textContent.trim(),
            seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0};
}"""


async def tabbed_through(page: Page, route: str) -> list[str]:
    """Press Tab from a page's beginning to its end; return what was reached, all of it visibly."""
    await page.goto("about:blank")
    await page.goto(route)
    await expect(page.locator("main button").first).to_be_enabled()
    reached: list[str] = []
    while len(reached) < 100:
        await page.keyboard.press("Tab")
        focused = await page.evaluate(FOCUSED)
        if focused["end"]:
            return reached
        assert focused["seen"], f"{focused['name']!r} is focused, and nothing shows it"
        reached.append(focused["name"])
    raise AssertionError(f"Tab never reaches the end: {reached[-5:]}")


FAULTY = """<html lang="en"><head><title>Farebox</title></head><body><main>
    <ul><div>In a list, and no item of it</div></ul>
    <h1 style="color: #888; background: #999">Grey</h1><h3>Skips</h3><img src="data:,">
    <input><div style="width: 4000px">Wide</div><div class="rt-TableRoot" style="height: 0">
    <table><tbody><tr><td>Row</td></tr></tbody></table></div><div class="fb-chart"
    style="width: 90px"><svg width="110"></svg></div><div class="rt-ScrollAreaViewport"
    style="width: 300px; overflow: auto"><table style="width: 900px"><tbody><tr><td>Wide</td></tr>
    </tbody></table></div></main></body></html>"""


FAULTS = (
    "Contrast",
    "skips a level",
    "no alt",
    "The page scrolls sideways",
    "A table scrolls sideways",
    "cut off",
    "A chart is wider",
    "textbox has no name",
)
ONLY_BY_AXE = "must only directly contain"
"""A fault that the other checks don't know."""


async def test_the_checks_see_faults(own_context: BrowserContext, axe: str) -> None:
    bare = await own_context.new_page()
    await bare.set_content(FAULTY)
    # Without it they would find less, and say nothing of that
    with pytest.raises(AssertionError, match="no axe"):
        await lacking(bare, of="html")
    await own_context.add_init_script(axe)
    page = await own_context.new_page()
    await page.set_content(FAULTY)
    faults = " ".join(await lacking(page))
    for fault in FAULTS:
        assert fault in faults
    assert ONLY_BY_AXE not in faults
    assert ONLY_BY_AXE in " ".join(await lacking(page, of="html"))


def in_lines(lacks: dict[str, list[str]]) -> str:
    """What pages lack, a line each."""
    return "\n".join(f"{at}: {lack}" for at, all_of_it in lacks.items() for lack in all_of_it)


async def lacking_by_width(page: Page, name: str) -> dict[str, list[str]]:
    """What a page lacks at each width, if it lacks something there.

    It is not loaded again, for that is what takes long. Between the widths only what is cut off is
    looked at: the rest differs by no width, and that by no color.
    """
    between = [ViewportSize(width=width, height=WIDE["height"]) for width in BETWEEN]
    lacks = {}
    for size in (WIDE, *([] if await is_dark(page) else between), PHONE):
        await page.set_viewport_size(size)
        await expect(page.locator("main .rt-Skeleton[data-inline-skeleton]")).to_have_count(0)
        by = partial(laid_out, page) if size in between else partial(lacking, page, of="html")
        lacks[f"{name} at {size['width']} px"] = await in_the_end(by)
    return {at: lack for at, lack in lacks.items() if lack}


async def is_dark(page: Page) -> bool:
    return bool(await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"))


async def lacking_in_the_end(page: Page) -> list[str]:
    """What the page still lacks once it has come to rest."""
    return await in_the_end(partial(lacking, page))


async def in_the_end(look: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """What a look still finds once the page has come to rest; what has changed may be fading."""
    lacks: list[str] = []

    async def rests() -> bool:
        nonlocal lacks
        lacks = await look()
        return lacks == []

    with suppress(TimeoutError):
        await until(rests, seconds=SETTLED_SECONDS)
    return lacks


async def laid_out(page: Page) -> list[str]:
    """What of the page is cut off, or scrolls where it should not."""
    lacks: list[str] = await page.evaluate(LAYOUT)
    return lacks


async def lacking(page: Page, *, whole: bool = True, of: str = "") -> list[str]:
    """What the page lacks by its own account, and controls that the browser finds no name for.

    ``of`` is the part that axe looks at too, which the page must have been given: that is dear.
    """
    lacks: list[str] = []
    if whole and of in {"", "html"}:
        lacks += await laid_out(page) + await page.evaluate(ACCESS)
    if of:
        lacks += await lacking_by_axe(page, of)
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    for node in tree["nodes"]:
        role = node.get("role", {}).get("value")
        if node["ignored"] or role not in ACTED_ON:
            continue
        if not node.get("name", {}).get("value", "").strip():
            lacks.append(f"A {role} has no name.")
    return lacks


async def lacking_by_axe(page: Page, of: str) -> list[str]:
    """What a part of the page lacks by axe, which the page must have been given."""
    assert await page.evaluate("'axe' in window"), "The page has no axe."
    lacks: list[str] = await page.evaluate(AXE, of)
    return lacks
