"""The operator finds a message that could not be counted, puts it right, and it is counted."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from playwright.async_api import Page, expect

from backend.engines.runfile import RunFile, run_file_path
from backend.kit.nats_servers import nats_servers
from backend.metering.events import AcceptedEvent, encode
from backend.metering.ingest.connection import open_connection
from backend.metering.ingest.streams import events_subject
from backend.settings import Settings
from backend_client import AsyncFareboxClient
from backend_client.types.accounts import LocalSessionCreate
from tests.journey.conftest import Farebox
from tests.journey.steps import open_usage, visit

pytestmark = pytest.mark.browser


async def put_on_stream(farebox: Farebox, *messages: bytes) -> None:
    """Past ingest, as a fault of an earlier version might have."""
    url = RunFile.read(run_file_path(farebox.home)).addresses["nats_url"]
    nats = await open_connection(nats_servers(url), "test")
    for message in messages:
        await nats.jetstream().publish(events_subject(Settings().stream_name), message)
    await nats.close()


async def poison(farebox: Farebox) -> bytes:
    """A message that PostgreSQL refuses: it keeps no NUL in a text."""
    async with AsyncFareboxClient(farebox.api_url) as anybody:
        secret = farebox.local_secret
        session = await anybody.sessions.create_local(LocalSessionCreate(secret=secret))
    async with AsyncFareboxClient(farebox.api_url, session.token) as client:
        me, [application, *_] = await client.me.get(), await client.applications.list().all()
    now = datetime.now(UTC)
    event = AcceptedEvent(
        tenant_id=me.tenant.id,
        source="test",
        id="poisoned",
        time=now,
        received_at=now,
        application_id=application.id,
        model="smol\0lm",
        quantities={"input_tokens": Decimal(777)},
    )
    return encode([event])


async def test_a_dead_letter_is_put_right_and_another_discarded(
    farebox: Farebox, page: Page
) -> None:
    used = await open_usage(page)
    await page.goto("/operations/")
    await expect(page.get_by_text("No failed messages")).to_be_visible()
    await expect(page.get_by_text("Everything is counted")).to_be_visible()
    await expect(page.get_by_text("Events counted per second")).to_be_visible()
    await expect(page.get_by_text(" in all")).to_be_visible()

    await put_on_stream(farebox, await poison(farebox), b"not an event")
    letters = page.locator("#dead-letters tbody tr")
    await expect(letters).to_have_count(2)
    await expect(letters.first).to_contain_text("refused: ")

    await letters.first.get_by_role("button", name="Open").click()
    dialog = page.get_by_role("dialog")
    events = dialog.get_by_label("Events")
    [event] = json.loads(await events.input_value())
    assert event["data"]["quantities"] == {"input_tokens": "777"}

    # Still wrong: the field is named, and the letter stays
    await dialog.get_by_role("button", name="Count these events").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("events.0.data.model")
    event["data"]["model"] = "smollm2-135m-instruct"
    await events.fill(json.dumps([event]))
    await dialog.get_by_role("button", name="Count these events").click()
    await expect(dialog).to_be_hidden()
    await expect(letters).to_have_count(1)

    await letters.first.get_by_role("button", name="Open").click()
    await expect(dialog.get_by_label("Content of the message")).to_have_text("not an event")
    await dialog.get_by_role("button", name="Discard").click()
    await page.get_by_role("button", name="Discard it").click()
    await expect(page.get_by_text("No failed messages")).to_be_visible()

    await visit(page, "Usage")
    await expect(page.locator("#usage-total")).to_have_text(f"{used + 777:,}")
