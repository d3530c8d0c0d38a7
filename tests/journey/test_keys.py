"""A new key's secret: shown in the dialog that made it, and to no page that is loaded later."""

from __future__ import annotations

import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.journey.steps import visit

pytestmark = pytest.mark.browser


async def test_a_new_secret_is_gone_when_a_page_is_loaded(page: Page) -> None:
    await visit(page, "API keys")
    await page.get_by_role("button", name="Create key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("left open")
    await dialog.get_by_role("button", name="Create key").click()
    secret = await dialog.locator("#key-secret").inner_text()
    assert secret.startswith("fb_")

    received: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: received.append(str(payload)))

    page.on("websocket", listen)
    await page.goto("/usage/")
    await expect(page.locator("#usage-shown, #usage-empty").first).to_be_visible()
    await page.goto("/keys/")
    await expect(page.get_by_role("row", name="left open")).to_be_visible()
    await expect(dialog).to_have_count(0)
    await page.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_label("Name")).to_be_focused()
    assert any("left open" in frame for frame in received)
    assert not any(secret in frame for frame in received)
