"""Webhooks to a real server: signed as the standard's own package checks it, tried as told."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from pydantic import TypeAdapter
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from backend.ids import new_id
from backend.outbox.channels.channel import Channel, NotDelivered
from backend.outbox.channels.webhook import Webhook
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import (
    DeliveryState,
    InvoiceFinalizedEvent,
    NotificationEvent,
    NotificationState,
)
from tests.outbox.conftest import (
    NOW,
    SECRETS,
    Clock,
    deliver,
    found,
    recorded,
    tell_of_top_up,
)
from tests.outbox.servers import Answer, Receiver
from tests.support.invoices import APRIL, GRACE, run_invoices
from tests.support.ports import free_port

pytestmark = pytest.mark.engine

EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)
KEY = bytes(range(32))


def an_event() -> NotificationEvent:
    return EVENT.validate_python(
        {
            "id": new_id("ntf"),
            "type": "wallet.top_up_requested",
            "timestamp": NOW,
            "tenant_id": "ten_1",
            "data": {
                "top_up_id": "top_1",
                "amount": {"amount": "20", "currency": "USD"},
                "automatic": False,
            },
        }
    )


async def refused(channel: Webhook) -> NotDelivered:
    with pytest.raises(NotDelivered) as raised:
        await channel.send(an_event())
    await channel.close()
    return raised.value


async def test_it_is_signed_with_every_secret_and_says_what_it_should(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    receiver: Receiver,
    clock: Clock,
) -> None:
    await run_invoices(database, settings, APRIL + GRACE)
    await deliver(database, channels[:1], clock)
    [post] = receiver.posts
    [notification] = await recorded(database)
    assert post.id == notification.id
    assert "." not in post.id
    assert post.headers["content-type"] == "application/json"
    assert abs(int(post.headers["webhook-timestamp"]) - time.time()) < 60
    for secret in SECRETS:
        Verifier(secret).verify(post.body, post.headers)
    other = Verifier(SECRETS[0][:-4] + "AAA=")
    with pytest.raises(WebhookVerificationError):
        other.verify(post.body, post.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRETS[0]).verify(post.body.replace(b"31.00", b"30.00"), post.headers)

    event = EVENT.validate_json(post.body)
    assert isinstance(event, InvoiceFinalizedEvent)
    assert event == notification.event
    assert (event.tenant_id, str(event.data.total.amount)) == (tenant.id, "31.00")
    [delivery] = notification.deliveries
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 1)
    assert delivery.delivered_at == NOW
    assert notification.state is NotificationState.DELIVERED


async def test_what_fails_comes_again_with_the_same_id_and_body(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [
        Answer(500, body=b"first\r\nline \xff<b>"),
        Answer(302, {"location": "/elsewhere"}),
        Answer(200, body=b"good"),
    ]
    await tell_of_top_up(database, tenant.id)
    await deliver(database, channels, clock)
    [waiting] = await recorded(database)
    [delivery] = waiting.deliveries
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert delivery.reason == "The endpoint answered 500: first line \N{REPLACEMENT CHARACTER}<b>"
    assert delivery.next_attempt_at is not None
    assert timedelta(seconds=7) < delivery.next_attempt_at - NOW < timedelta(seconds=13)
    assert await deliver(database, channels, clock) == 0  # it is not due yet
    for _ in range(2):
        clock.pass_by(timedelta(minutes=1))
        assert await deliver(database, channels, clock) == 1
    assert receiver.ids == [waiting.id] * 3
    assert len({post.body for post in receiver.posts}) == 1
    [delivery] = (await found(database, waiting.id)).deliveries
    assert (delivery.state, delivery.attempts, delivery.reason) == ("delivered", 3, None)


async def test_gone_is_a_last_word(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [Answer(410)]
    await tell_of_top_up(database, tenant.id)
    await deliver(database, channels, clock)
    clock.pass_by(timedelta(days=10))
    assert await deliver(database, channels, clock) == 0
    [parked] = await recorded(database)
    assert parked.state is NotificationState.FAILED
    assert parked.deliveries[0].reason == "The endpoint answered 410"
    assert parked.deliveries[0].next_attempt_at is None


@pytest.mark.parametrize(
    ("asked", "hours"), [("7200", 2), ("9999999999999999", 24), ("1", 0), ("soon", 0)], ids=str
)
async def test_who_asks_to_be_left_alone_is_for_up_to_a_day(
    database: Database,
    tenant: Tenant,
    channels: list[Channel],
    receiver: Receiver,
    clock: Clock,
    asked: str,
    hours: int,
) -> None:
    receiver.answers = [Answer(503, {"retry-after": asked})]
    await tell_of_top_up(database, tenant.id)
    await deliver(database, channels, clock)
    [waiting] = await recorded(database)
    [delivery] = waiting.deliveries
    assert delivery.next_attempt_at is not None
    wait = delivery.next_attempt_at - NOW
    assert wait == timedelta(hours=hours) if hours else wait < timedelta(seconds=13)


async def test_an_answer_without_end_is_read_in_part_only(receiver: Receiver) -> None:
    receiver.answers = [Answer(500, endless=True), Answer(200, endless=True)]
    error = await refused(Webhook(receiver.url, [KEY]))
    assert error.reason == f"The endpoint answered 500: {'x' * 200}"
    channel = Webhook(receiver.url, [KEY])
    async with asyncio.timeout(60):
        await channel.send(an_event())
    await channel.close()
    # What the kernel and the server hold may be sent; the rest was never asked for
    assert receiver.bytes_sent < 20_000_000


async def test_silence_ends_and_is_told(receiver: Receiver) -> None:
    receiver.goes_on.clear()
    error = await refused(Webhook(receiver.url, [KEY], timeout_seconds=0.3))
    assert (error.reason, error.final) == ("The endpoint did not answer in 0.3 s.", False)


async def test_nobody_there(receiver: Receiver) -> None:
    error = await refused(Webhook(f"http://127.0.0.1:{free_port()}/secret-path", [KEY]))
    assert error.reason.startswith("The endpoint can't be reached (ConnectError")
    assert "secret-path" not in error.reason
