"""The whole way: sign in, make a key, ask a real model, see the tokens and what they cost."""

from __future__ import annotations

import csv
import io
import logging
import re
import time
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import openai
import psutil
import pytest
from playwright.async_api import BrowserContext, Page, expect
from playwright.async_api import TimeoutError as PlaywrightTimeout

from tests.journey.conftest import Farebox
from tests.journey.steps import (
    ANSWER_MS,
    TOKENS_OUT,
    amount,
    answered,
    ask,
    create_key,
    limit_answers,
    number,
    open_usage,
    spend_lines,
    visit,
)
from tests.support.waiting import a_second_after, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

log = logging.getLogger(__name__)

A_LOOK_MS = 10_000
"""Longer than a tab takes to see that its session is over."""
SHOWN_WITHIN_SECONDS = 10.0
"""By itself, and not when the page is opened again; it takes one or two on an idle machine."""
LENGTHS = """() => {
    window.lengths = [];
    new MutationObserver(() => {
        const said = [...document.querySelectorAll('.fb-said')].at(-1);
        if (said) window.lengths.push(Number(said.dataset.letters));
    }).observe(document.querySelector('[role=log]'),
               {subtree: true, childList: true, attributes: true});
}"""


async def test_from_sign_in_to_the_bill(
    page: Page, context: BrowserContext, farebox: Farebox
) -> None:
    before = await spend_lines(page)

    # A key: shown once, copied, gone after a reload
    secret = await create_key(page, "the journey")
    assert re.fullmatch(r"fb_live_[\w-]{20,}", secret)
    await page.reload()
    await expect(page.get_by_role("row", name="the journey")).to_contain_text(secret[-4:])
    assert secret not in await page.content()

    # A live chart, open beside the playground
    usage = await context.new_page()
    used_before = await open_usage(usage)

    # A question, answered by the model as it generates
    await visit(page, "Playground")
    await limit_answers(page, 1)
    await page.evaluate(LENGTHS)
    await ask(page, "Why is the sky blue?")
    tokens_in, tokens_out = await answered(page)
    ended = time.monotonic()
    total = used_before + tokens_in + tokens_out
    await expect(usage.locator("#usage-total")).to_have_text(
        f"{total:,}", timeout=SHOWN_WITHIN_SECONDS * 1000
    )
    took = time.monotonic() - ended
    log.info("From the answer's end to the chart: %.2f s", took)

    lengths = await page.evaluate("window.lengths")
    assert lengths == sorted(lengths)
    assert len(set(lengths)) >= 5, "the answer did not stream"
    assert 0 < tokens_out <= 32
    assert tokens_in > 10
    bars = usage.locator(".fb-chart path[aria-roledescription=bar]")
    await expect(bars.first).to_be_visible()

    # The cost to the cent, by hand: each line is rounded once, half up
    questions = before.get("Questions", (0, Decimal(0)))[0] + tokens_in
    answers = before.get("Answers", (0, Decimal(0)))[0] + tokens_out
    calls = before.get("Calls", (0, Decimal(0)))[0] + 1
    by_hand = {
        "Questions": (questions, cents(questions * Decimal("3.17") / 1000)),
        "Answers": (
            answers,
            cents(
                min(answers, 12) * Decimal("5.55") / 1000
                + max(answers - 12, 0) * Decimal("4.25") / 1000
            ),
        ),
        "Calls": (calls, cents(calls * Decimal("0.015"))),
    }

    async def billed_as_by_hand() -> bool:
        return await spend_lines(page) == by_hand

    await until(billed_as_by_hand, pause=0.5)
    billed = sum((line[1] for line in by_hand.values()), Decimal(0))
    assert billed >= Decimal("0.05")
    assert amount(await page.locator("#spend-total").inner_text()) == billed

    # The same key, in the unmodified SDK
    client = openai.AsyncOpenAI(base_url=f"{farebox.api_url}/v1", api_key=secret)
    completion = await client.chat.completions.create(
        model="smollm2-135m-instruct",
        messages=[{"role": "user", "content": "Name a color."}],
        max_tokens=8,
    )
    assert completion.usage
    await expect(usage.locator("#usage-total")).to_have_text(
        f"{total + completion.usage.total_tokens:,}", timeout=SHOWN_WITHIN_SECONDS * 1000
    )


async def stopped(page: Page, model: psutil.Process, question: str) -> bool:
    """Ask, and stop the answer once it has begun; tell whether that was in time.

    The model stands still from its first word until the button is pressed, however long a busy
    machine takes for that.
    """
    await ask(page, question)
    said = page.locator(".fb-said").last
    await expect(said).to_have_text(re.compile(r"\S"), timeout=ANSWER_MS)
    model.suspend()
    try:
        with suppress(PlaywrightTimeout):
            await page.get_by_role("button", name="Stop").click(timeout=2_000)
    finally:
        model.resume()
    await expect(page.get_by_role("button", name="Send")).to_be_visible(timeout=ANSWER_MS)
    return await page.locator(".fb-answer").last.get_by_text("Stopped", exact=True).is_visible()


async def test_what_a_stopped_answer_took_is_billed(page: Page, farebox: Farebox) -> None:
    model = psutil.Process(farebox.children["model"])
    before = await spend_lines(page)
    await visit(page, "Playground")
    longest = await limit_answers(page, 31)
    calls, finished = 1, 0
    while not await stopped(page, model, "Write a list of a hundred animals, one on each line."):
        # The model was done before: it had little to say
        calls, finished = calls + 1, finished + await number(page, TOKENS_OUT)
        assert calls <= 8, "the model never answers for long enough to be stopped"
    shown = await number(page, TOKENS_OUT)

    async def billed() -> bool:
        after = await spend_lines(page)
        return after.get("Calls", (0,))[0] == before.get("Calls", (0,))[0] + calls

    await until(billed, pause=0.5)
    after = await spend_lines(page)
    taken = after["Answers"][0] - before.get("Answers", (0,))[0] - finished
    assert 0 < shown <= taken < longest
    assert after["Questions"][0] > before.get("Questions", (0,))[0]


async def test_a_revoked_key_is_refused(page: Page, farebox: Farebox) -> None:
    secret = await create_key(page, "to be revoked")
    client = openai.AsyncOpenAI(base_url=f"{farebox.api_url}/v1", api_key=secret, max_retries=0)
    assert (await client.models.list()).data
    row = page.get_by_role("row", name="to be revoked")
    await row.get_by_role("button", name="Revoke to be revoked").click()
    question = page.get_by_role("alertdialog")
    await question.get_by_role("button", name="Cancel").click()
    await expect(row).to_contain_text("Active")
    await row.get_by_role("button", name="Revoke to be revoked").click()
    await question.get_by_role("button", name="Revoke the key").click()
    await expect(row).to_contain_text("Revoked")
    await a_second_after(time.monotonic())
    with pytest.raises(openai.AuthenticationError):
        await client.models.list()


async def test_usage_downloads_as_csv(page: Page, context: BrowserContext, tmp_path: Path) -> None:
    usage = await context.new_page()
    used_before = await open_usage(usage)
    await visit(page, "Playground")
    await limit_answers(page, 0)
    await ask(page, "Say hello.")
    total = used_before + sum(await answered(page))
    await expect(usage.locator("#usage-total")).to_have_text(f"{total:,}")
    async with usage.expect_download() as download:
        await usage.get_by_role("link", name="CSV").click()
    file = await download.value
    assert re.fullmatch(r"usage-local-\d{8}\.csv", file.suggested_filename)
    path = tmp_path / "usage.csv"
    await file.save_as(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    tokens = sum(Decimal(row["quantity"]) for row in rows if row["meter"].endswith("_tokens"))
    assert tokens == total
    # Other journeys meter models of their own
    assert "smollm2-135m-instruct" in {row["model"] for row in rows}


async def test_signing_out_ends_the_session_everywhere(page: Page, context: BrowserContext) -> None:
    await visit(page, "Overview")
    cookies = await context.cookies()
    (session,) = (cookie for cookie in cookies if cookie["name"] == "farebox_session")
    assert session["httpOnly"]
    assert session["sameSite"] == "Lax"
    other = await context.new_page()
    await other.goto("/keys/")
    await expect(other.get_by_role("heading", name="API keys", level=1)).to_be_visible()
    # Loaded, so that what follows is a press and not the page's load
    await expect(other.get_by_role("button", name="Create key")).to_be_enabled()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert [c["name"] for c in await context.cookies()] == []

    # The other tab's socket still carries the cookie; its session is over all the same. The tab may
    # have seen so by itself already
    with suppress(PlaywrightTimeout):
        await other.get_by_role("button", name="Create key").click(timeout=A_LOOK_MS)
    await expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    await context.add_cookies([session])
    await page.goto("/keys/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def cents(exact: Decimal) -> Decimal:
    return exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
