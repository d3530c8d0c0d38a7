"""The operator finds an event, sees what a correction of it would do, and makes it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
import pytest
from playwright.async_api import Locator, Page, expect

from backend_client.types.corrections import Correction
from tests.journey.conftest import Farebox
from tests.journey.metered import Service

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

OTHER = "Sample: a customer of the operator"


@pytest.fixture
async def service(
    page: Page, farebox: Farebox, request: pytest.FixtureRequest
) -> AsyncIterator[Service]:
    async with Service(farebox, request.node.name) as service:
        yield service


async def made(service: Service) -> list[Correction]:
    return [
        correction async for correction in service.person.corrections.list(source=service.source)
    ]


async def find(page: Page, service: Service, event_id: str) -> Locator:
    """Find an event on the corrections page; return the card that corrects it."""
    await page.get_by_label("Source").fill(service.source)
    await page.get_by_label("Event id").fill(event_id)
    await page.get_by_role("button", name="Find", exact=True).click()
    card = page.get_by_role("region", name=f"Correct {event_id}")
    await expect(card).to_be_focused()
    return card


async def test_an_event_is_amended_after_a_preview(page: Page, service: Service) -> None:
    await service.send("counted-twice", input_tokens=2000, output_tokens=140)
    await page.goto(f"/events/?source={service.source}")
    await page.get_by_role("button", name="Details of counted-twice").click()
    await page.get_by_role("dialog").get_by_role("link", name="Correct it").click()
    await expect(page.get_by_role("heading", name="Corrections", level=1)).to_be_visible()
    card = page.get_by_role("region", name="Correct counted-twice")
    await expect(card).to_be_visible()

    # What is wrong is told where it is, all at once
    await card.get_by_role("radio", name="Amend").click()
    await card.get_by_role("textbox", name="Model").fill("")
    await card.get_by_label("Quantity of Output tokens").fill("seventy")
    await card.get_by_role("button", name="Add a meter").click()
    await card.get_by_label("Meter of the new meter").fill("images")
    await card.get_by_label("Quantity of the new meter").fill("1")
    await card.get_by_role("button", name="Preview").click()
    alerts = card.get_by_role("alert")
    await expect(alerts.filter(has_text="Give a reason")).to_be_visible()
    await expect(alerts.filter(has_text="'seventy' is no number.")).to_be_visible()
    await expect(card.locator("#correction-model-problem")).not_to_be_empty()
    assert await made(service) == []

    await card.get_by_role("textbox", name="Model").fill("smollm2-135m-instruct")
    await card.get_by_label("Quantity of Output tokens").fill("70")
    await card.get_by_role("button", name="Take away the new meter").click()
    await card.get_by_role("textbox", name="Reason", exact=True).fill("Retries were counted.")
    await card.get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name="Amend this event?")
    await expect(dialog.locator("#changes tbody tr")).to_have_count(1)
    await expect(dialog.locator("#changes")).to_contain_text("Output tokens")
    await expect(dialog.locator("#changes")).to_contain_text("−70")
    await expect(dialog.locator("#periods")).to_contain_text("−$")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(card.get_by_role("button", name="Preview")).to_be_focused()
    assert await made(service) == []

    await card.get_by_role("button", name="Preview").click()
    await dialog.get_by_role("button", name="Amend the event").click()
    done = page.get_by_role("region", name="What was done")
    await expect(done).to_contain_text("counted-twice was amended.")
    await expect(done).to_be_focused()
    (correction,) = await made(service)
    assert correction.reason == "Retries were counted."
    assert correction.after is not None
    assert correction.after.quantities == {
        "input_tokens": Decimal(2000),
        "output_tokens": Decimal(70),
    }
    on_record = page.locator("#corrections tbody tr").filter(has_text="counted-twice")
    await expect(on_record).to_contain_text("Output tokens: 140 → 70")
    await expect(on_record).to_contain_text("Retries were counted.")
    me = await service.person.me.get()
    await expect(on_record).to_contain_text(me.name)
    await expect(page.locator("#found")).to_contain_text("Amended")


async def test_an_event_is_written_anew_as_json_and_another_voided(
    page: Page, service: Service
) -> None:
    await service.send("wrong-model", "voided", requests=3, labels={"team": "search"})
    await page.goto("/corrections/")
    card = await find(page, service, "wrong-model")
    await card.get_by_role("radio", name="Amend").click()
    await card.get_by_role("button", name="Write it as JSON").click()
    field = card.get_by_label("Data")
    data = json.loads(await field.input_value())
    assert (data["quantities"], data["labels"]) == ({"requests": "3"}, {"team": "search"})
    await card.get_by_role("textbox", name="Reason", exact=True).fill("The gateway misnamed it.")
    await field.fill(json.dumps(data | {"application": "app_x"}))
    await card.get_by_role("button", name="Preview").click()
    await expect(card.locator("#correction-text-problem")).to_contain_text("application")
    await field.fill(json.dumps(data | {"model": "another", "quantities": {"requests": 0.125}}))
    await card.get_by_role("button", name="Preview").click()
    await page.get_by_role("button", name="Amend the event").click()
    await expect(page.get_by_text("wrong-model was amended.")).to_be_visible()

    card = await find(page, service, "voided")
    await card.get_by_role("textbox", name="Reason", exact=True).fill("Sent twice.")
    await card.get_by_role("button", name="Preview").click()
    dialog = page.get_by_role("dialog", name="Void this event?")
    await expect(dialog.locator("#changes")).to_contain_text("−3")
    await dialog.get_by_role("button", name="Void the event").click()
    await expect(page.get_by_text("voided was voided.")).to_be_visible()
    voided, amended = await made(service)
    assert (voided.action, voided.after) == ("void", None)
    assert amended.after is not None
    assert amended.after.quantities == {"requests": Decimal("0.125")}


async def test_a_customer_is_picked_by_part_of_its_name(
    page: Page, service: Service, farebox: Farebox
) -> None:
    await service.send("of-local")
    connection = await asyncpg.connect(farebox.database_url)
    await connection.execute(
        "INSERT INTO tenants (id, slug, name, is_sample) VALUES ('ten_seen', 'seen', $1, true)",
        OTHER,
    )
    try:
        await page.goto("/corrections/")
        await page.get_by_role("button", name="Customer Local").click()
        await page.get_by_label("Find a customer").fill("nobody")
        await expect(page.get_by_text("No customers found.")).to_be_visible()
        await page.get_by_label("Find a customer").fill("OF THE OPERATOR")
        await page.get_by_role("dialog").get_by_role("button", name=OTHER).click()
        picker = page.get_by_role("button", name=f"Customer {OTHER}")
        await expect(picker).to_be_visible()
        await expect(page.get_by_text("No corrections yet")).to_be_visible()
        await page.get_by_label("Source").fill(service.source)
        await page.get_by_role("button", name="Find", exact=True).click()
        await expect(page.get_by_text("No matching event.")).to_be_visible()
    finally:
        await connection.execute("DELETE FROM tenants WHERE id = 'ten_seen'")
        await connection.close()
    await page.get_by_label("Source").fill("")
    await page.get_by_role("button", name="Find", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="Give a source")).to_be_visible()


async def test_a_backfill_is_previewed(page: Page, service: Service) -> None:
    await service.send("known")
    await page.goto("/corrections/")
    form = page.locator("#backfill")
    events = form.get_by_label("Events")
    await events.fill("[{]")
    await form.get_by_role("button", name="Preview the backfill").click()
    await expect(form.get_by_role("alert")).to_contain_text("line 1, column 3")

    def event(event_id: str, **changes: object) -> str:
        data = {
            "application": service.application,
            "model": "smollm2-135m-instruct",
            "quantities": {"output_tokens": 5000},
        }
        whole = {"specversion": "1.0", "type": "ai.usage", "source": service.source}
        return json.dumps({**whole, "id": event_id, "data": data, **changes})

    await events.fill("\n".join([event("known"), event("new"), event("late", time="never")]))
    await form.get_by_role("button", name="Preview the backfill").click()
    verdict = page.get_by_role("status").filter(has_text="would be counted")
    await expect(verdict).to_contain_text(
        "1 of 3 would be counted, 1 are known already, 1 would be refused."
    )
    await expect(verdict.locator("#refused")).to_contain_text("3, late")
    await expect(verdict.locator("#changes")).to_contain_text("+5,000")
    await expect(verdict.locator("#periods")).to_contain_text("+$")
    assert [event.id async for event in service.person.events.list(source=[service.source])] == [
        "known"
    ]
