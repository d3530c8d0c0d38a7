"""Webhooks of one's own: added, tried, looked at, rotated, and sent what was missed."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Page, WebSocket, expect
from standardwebhooks import Webhook as Verifier

from backend_client.types.accounts import ApiKeyCreate
from tests.journey.conftest import Farebox, person_at
from tests.journey.steps import visit
from tests.journey.test_access import lacking, lacking_in_the_end
from tests.outbox.servers import Answer, receiving
from tests.support.waiting import until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


async def test_an_endpoint_is_added_tried_rotated_and_removed(page: Page, farebox: Farebox) -> None:
    # In the dark, on a screen whose pages are narrower than the other journeys'
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    await page.set_viewport_size({"width": 1024, "height": 768})
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
        assert await lacking(page, whole=False) == []
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
        assert await lacking(page, whole=False) == []
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

        assert await lacking_in_the_end(page) == []

        # What the log lets through, and all of a time sent once more under the same ids
        state = page.get_by_role("combobox", name="State")
        await state.click()
        await page.get_by_role("option", name="Failed").click()
        await expect(page.get_by_text("No deliveries")).to_be_visible()
        async with person_at(farebox) as person:
            application = (await person.applications.list().all())[0].id
            key = await person.keys.create(ApiKeyCreate(name="told", application_id=application))

        def about_key() -> list[str]:
            return [
                post.headers["webhook-id"]
                for post in receiver.posts
                if key.id.encode() in post.body
            ]

        async def is_sent() -> bool:
            return len(about_key()) == 1

        async def is_sent_again() -> bool:
            return len(about_key()) > 1

        await until(is_sent)
        await row.get_by_role("button", name="Replay").click()
        await dialog.get_by_role("checkbox", name="What was delivered too").click()
        assert await lacking(page, whole=False) == []
        await dialog.get_by_role("button", name="Send again").click()
        await expect(state).to_have_text("Any state")
        await until(is_sent_again)
        assert len(set(about_key())) == 1
        await expect(page.locator("#deliveries")).to_contain_text("key.created")

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
