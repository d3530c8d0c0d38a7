"""What pages weigh and how they move, as far as no machine's speed decides it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page

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
from tests.journey.conftest import Farebox
from tests.journey.metered import Service
from tests.journey.steps import answered, ask, limit_answers, visit

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

HOURS = 24
CHARTED = {"Overview", "Usage", "Spend", "Model", "Compare plans"}
"""Pages that may load the charts' script."""
USUAL_TEXT = 1000
"""Letters of an answer of 200 tokens."""


async def test_pages_are_small_and_stay_in_place_however_many_were_visited(
    page: Page, farebox: Farebox
) -> None:
    async with Service(farebox, "bars") as service:
        ids = [f"hour-{hour}" for hour in range(HOURS)]
        hour = timedelta(hours=1)
        await service.send(*ids, apart=hour, requests=1, input_tokens=12, output_tokens=5)
    tab = await page.context.new_page()
    messages = messages_of(tab)
    loads = {title: await load(tab, at, messages) for title, at in addresses().items()}
    over = {
        title: each
        for title, each in loads.items()
        if each.script > MOST_SCRIPT_BYTES
        or each.message > MOST_MESSAGE_BYTES
        or each.shift >= MOST_SHIFT
        or (each.chart_script and title not in CHARTED)
    }
    assert over == {}
    # They were noted at all, and there was something to show
    assert loads["Usage"].chart_script > 0
    assert min(each.script for each in loads.values()) > 100 * 1024


async def test_a_stream_takes_little_more_than_its_text(page: Page) -> None:
    tab = await page.context.new_page()
    messages = messages_of(tab)
    await tab.goto("/")
    await visit(tab, "Playground")
    await limit_answers(tab, 4)
    stream = Stream(tab, messages)
    await stream.begin()
    await ask(tab, "Write a long story about a lighthouse.")
    await answered(tab)
    text = len(await tab.get_by_role("log", name="Conversation").inner_text())
    assert 0 < stream.streamed < 2 * text
    # What says that an answer begins and ends is the same for each, however long it is
    assert stream.streamed + stream.by_websocket() <= STREAM_TIMES * max(text, USUAL_TEXT)
