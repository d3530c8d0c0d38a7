"""Somebody looks for a model, compares two, opens one and asks it; on a phone too."""

from __future__ import annotations

import httpx
import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.journey.conftest import Farebox, person_at, sign_in
from tests.journey.steps import create_key, visit
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SMALL = "smollm2-135m-instruct"


async def test_models_are_searched_compared_and_opened(page: Page) -> None:
    await visit(page, "Models")
    rows = page.locator("#models tbody tr")
    await expect(rows.first).to_be_visible()
    names = await page.locator("#models tbody th a").all_inner_texts()
    await page.get_by_label("Search models").fill("nothing like it")
    await expect(page.get_by_text("No matching models")).to_be_visible()
    await page.wait_for_url("**search=nothing+like+it")
    await page.get_by_role("button", name="Show all").click()
    await expect(rows).to_have_count(len(names))

    # Side by side, by the address for somebody else too
    for name in names[:2]:
        await page.get_by_role("checkbox", name=f"Compare {name}", exact=True).click()
    await page.get_by_role("button", name="Compare", exact=True).click()
    compared = page.locator("#comparison")
    await expect(compared.get_by_role("columnheader", name=names[1])).to_be_visible()
    await page.wait_for_url("**compare=**")
    await page.reload()
    await expect(compared.get_by_role("row", name="Context window")).to_contain_text("tokens")

    await compared.get_by_role("link", name=names[0]).click()
    await expect(page.get_by_role("heading", name=names[0], level=1)).to_be_focused()
    await expect(page.get_by_role("navigation", name="Breadcrumbs")).to_contain_text("Models")


async def test_a_model_has_prices_of_the_plan_an_example_and_what_was_measured(
    page: Page, farebox: Farebox
) -> None:
    secret = await create_key(page, "for the model's page")
    async with httpx.AsyncClient(base_url=farebox.api_url, timeout=120) as caller:
        for _ in range(5):
            answer = await caller.post(
                "/v1/chat/completions",
                headers={"authorization": f"Bearer {secret}"},
                json={
                    "model": SMALL,
                    "messages": [{"role": "user", "content": "Hi"}],
                    "max_tokens": 1,
                },
            )
            assert answer.status_code == 200, answer.text

    async def measured() -> bool:
        async with person_at(farebox) as person:
            return any(
                performance.model == SMALL and performance.total is not None
                for performance in await person.models.performance().all()
            )

    await until(measured, seconds=60)
    await page.goto(f"/model/?model={SMALL}")
    prices = page.locator("#model-prices")
    await expect(prices.get_by_role("row", name="Input tokens")).to_contain_text("$3.17 per 1K")
    await expect(prices.get_by_role("row", name="Output tokens")).to_contain_text("$4.25 per 1K")
    await expect(page.get_by_role("img", name="Median time by hour")).to_be_visible()
    await page.get_by_role("radio", name="Python").click()
    await page.wait_for_url("**language=Python")
    await expect(page.get_by_label("Example request")).to_contain_text(SMALL)
    await page.get_by_role("link", name="Open in playground").click()
    await expect(page.get_by_role("heading", name="Playground", level=1)).to_be_visible()
    assert page.url.endswith(f"model={SMALL}")


async def test_a_model_that_is_not_there_is_said_so_and_a_phone_shows_rows_as_blocks(
    context: BrowserContext,
) -> None:
    page = await context.new_page()
    await sign_in(page)
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto("/models/")
    first = page.locator("#models tbody tr").first
    await expect(first).to_be_visible()
    width: int = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    await expect(first.get_by_role("link", name="in the playground")).to_be_in_viewport()
    await page.goto("/model/?model=nowhere")
    await expect(page.get_by_role("alert")).to_contain_text("There is no model 'nowhere'")
