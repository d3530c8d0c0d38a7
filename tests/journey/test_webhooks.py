"""Webhooks of one's own: added, tried, looked at, rotated, and sent what was missed."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, WebSocket, expect
from standardwebhooks import Webhook as Verifier

from tests.journey.steps import visit
from tests.outbox.servers import Answer, receiving

pytestmark = pytest.mark.browser


async def test_an_endpoint_is_added_tried_rotated_and_removed(page: Page) -> None:
    received: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda payload: received.append(str(payload)))

    async with receiving() as receiver:
        await visit(page, "Webhooks")
        await expect(page.get_by_text("No endpoints yet")).to_be_visible()
        await page.get_by_role("button", name="Add an endpoint").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Address").fill("https://169.254.169.254/latest")
        await dialog.get_by_role("button", name="Add the endpoint").click()
        await expect(dialog.get_by_role("alert").filter(has_text="must be public")).to_be_visible()
        await dialog.get_by_label("Address").fill(receiver.url)
        await dialog.get_by_label("Description").fill("ours")
        await dialog.get_by_role("button", name="Add the endpoint").click()
        secret = await dialog.locator("#webhook-secret").inner_text()
        assert secret.startswith("whsec_")
        await dialog.get_by_role("button", name="Done").click()
        row = page.locator("#endpoints").get_by_role("row", name="ours")
        await expect(row).to_contain_text("Active")

        receiver.answers = [Answer(503, body=b"not yet")]
        await row.get_by_role("button", name="Send a test event").click()
        await expect(dialog.get_by_text("notification.test", exact=True)).to_be_visible()
        # Ten seconds later it is tried again
        await expect(dialog.get_by_role("status")).to_contain_text("Delivered", timeout=90_000)
        await expect(dialog.locator("#attempts")).to_contain_text("Answer: not yet")
        for post in receiver.posts:
            assert Verifier(secret).verify(post.body, post.headers)
        await expect(page).to_have_url(re.compile(r"/webhooks/?[?]endpoint=whk_\w+&event=ntf_"))
        page.on("websocket", listen)
        await page.reload()
        await expect(dialog.get_by_role("status")).to_contain_text("Delivered")
        await dialog.get_by_role("button", name="Close").click()
        await expect(page.locator("#deliveries tbody tr")).to_have_count(1)
        assert any("notification.test" in frame for frame in received)
        assert not any(secret in frame for frame in received)

        await row.get_by_role("button", name="Rotate").click()
        await dialog.get_by_role("button", name="Rotate the secret").click()
        new = await dialog.locator("#webhook-secret").inner_text()
        assert new != secret
        await dialog.get_by_role("button", name="Done").click()
        await expect(row).to_contain_text("Signed by the old secret too until")
        question = page.get_by_role("alertdialog")
        await row.get_by_role("button", name="End the old secret").click()
        await question.get_by_role("button", name="End it now").click()
        await expect(row).not_to_contain_text("old secret")

        # What does not arrive is seen by the operator too
        receiver.answers = [Answer(503, body=b"never")] * 100
        await row.get_by_role("button", name="Send a test event").click()
        await expect(dialog.locator("#attempts")).to_contain_text("Answer: never")
        await page.goto("/customer/?tenant=local&tab=webhooks")
        endpoint = page.locator("#customer-webhooks").get_by_role("row", name="ours")
        await expect(endpoint).to_contain_text("Failing")
        await endpoint.get_by_role("button", name="What did not arrive").click()
        undelivered = page.locator("#customer-undelivered tbody tr")
        await expect(undelivered).to_have_count(1)
        await expect(undelivered).to_contain_text("notification.test")
        await expect(undelivered).to_contain_text("Waiting")
        await visit(page, "Webhooks")

        await row.get_by_role("button", name="Disable").click()
        await question.get_by_role("button", name="Disable the endpoint").click()
        await expect(row).to_contain_text("Disabled")
        await row.get_by_role("button", name="Remove").click()
        await question.get_by_role("button", name="Remove the endpoint").click()
        await expect(page.get_by_text("No endpoints yet")).to_be_visible()
