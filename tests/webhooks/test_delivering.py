"""Customers' endpoints: what each is sent, signed how, tried how often, and when no more."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, TypeAdapter
from sqlalchemy import select
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from backend.accounts.members.members import add_member, upsert_user
from backend.invoices.letters.writing import CustomerLetters
from backend.kit.sealing import Sealer
from backend.outbox.events import event_from
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import notifications
from backend.webhooks.endpoints import change_webhook, end_overlap, find_webhook, rotate_webhook
from backend.webhooks.errors import WebhookIsDisabled
from backend.webhooks.queries import list_deliveries
from backend.webhooks.routing import fan_out, replay, resend, send_test
from backend.webhooks.sending import post_event
from backend_client.types.accounts import Role, Tenant
from backend_client.types.notifications import NotificationEvent, NotificationKind
from backend_client.types.webhooks import (
    DisabledBecause,
    Webhook,
    WebhookChange,
    WebhookDelivery,
)
from tests.outbox.conftest import holds, tell_of_top_up
from tests.outbox.servers import Answer, Receiver, receiving
from tests.support.billing import make_tenant
from tests.support.waiting import until
from tests.webhooks.conftest import (
    HERE,
    NOW,
    SEALER,
    Clock,
    deliver,
    delivering,
    log_of,
    owner_of,
    registered,
)

pytestmark = pytest.mark.engine

EVENT: TypeAdapter[NotificationEvent] = TypeAdapter(NotificationEvent)


async def deliveries_of(database: Database, tenant: Tenant, webhook: str) -> list[WebhookDelivery]:
    async with database.begin() as connection:
        page = await list_deliveries(connection, tenant.id, webhook, cursor=None, limit=200)
    return page.items


async def webhook_of(database: Database, tenant: Tenant, webhook_id: str) -> Webhook:
    async with database.begin() as connection:
        return await find_webhook(connection, tenant.id, webhook_id)


async def test_each_endpoint_is_sent_what_it_asked_for_of_its_own_tenant(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    other = await make_tenant(database, slug="other", name="Other")
    everything = await registered(database, tenant, receiver.url)
    invoices = await registered(
        database, tenant, receiver.url, events=[NotificationKind.INVOICE_PAID]
    )
    foreign = await registered(database, other, receiver.url)
    await tell_of_top_up(database, tenant.id)
    assert await deliver(database, clock) == 1
    [post] = receiver.posts
    event = EVENT.validate_json(post.body)
    assert (event.id, event.tenant_id) == (post.id, tenant.id)
    assert Verifier(everything.secret).verify(post.body, post.headers)
    for secret in (invoices.secret, foreign.secret):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(post.body, post.headers)
    [delivery] = await deliveries_of(database, tenant, everything.id)
    assert (delivery.state, delivery.attempts, delivery.reason) == ("delivered", 1, None)
    assert await deliveries_of(database, tenant, invoices.id) == []
    assert await deliver(database, clock) == 0


async def test_a_new_secret_and_the_old_sign_together_until_the_overlap_ends(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    owner = owner_of(tenant)
    async with database.begin() as connection:
        new = await rotate_webhook(connection, SEALER, owner, webhook.id, grace_seconds=3600)
    assert new.secret != webhook.secret
    assert new.previous_until is not None
    assert datetime.now(UTC) < new.previous_until < datetime.now(UTC) + timedelta(seconds=3601)
    await tell_of_top_up(database, tenant.id)
    await deliver(database, clock)
    for secret in (webhook.secret, new.secret):
        assert Verifier(secret).verify(receiver.posts[-1].body, receiver.posts[-1].headers)
    async with database.begin() as connection:
        await end_overlap(connection, owner, webhook.id)
        await end_overlap(connection, owner, webhook.id)
    assert (await webhook_of(database, tenant, webhook.id)).previous_until is None
    await tell_of_top_up(database, tenant.id)
    await deliver(database, clock)
    post = receiver.posts[-1]
    assert Verifier(new.secret).verify(post.body, post.headers)
    assert len(post.headers["webhook-signature"].split()) == 1
    async with database.begin() as connection:
        last = await rotate_webhook(connection, SEALER, owner, webhook.id, grace_seconds=0)
    await tell_of_top_up(database, tenant.id)
    await deliver(database, clock)
    post = receiver.posts[-1]
    assert Verifier(last.secret).verify(post.body, post.headers)
    assert len(post.headers["webhook-signature"].split()) == 1


async def test_what_fails_comes_again_as_the_same_and_each_attempt_is_on_record(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    receiver.answers = [
        Answer(500, body=b"out of\x00 order\n"),
        Answer(302, {"location": receiver.url}),
        Answer(429, {"retry-after": "7200"}),
    ]
    await tell_of_top_up(database, tenant.id)
    for wait in (timedelta(seconds=15), timedelta(minutes=1), timedelta(hours=2)):
        assert await deliver(database, clock) == 1
        assert await deliver(database, clock) == 0
        clock.now += wait
    assert await deliver(database, clock) == 1
    assert len(set(receiver.ids)) == 1
    assert len({post.body for post in receiver.posts}) == 1
    log = await log_of(database, tenant, webhook.id, receiver.ids[0])
    assert [(each.number, each.status, each.answer) for each in log.attempt_log] == [
        (4, 204, ""),
        (3, 429, ""),
        (2, 302, ""),
        (1, 500, "out of order"),
    ]
    assert log.attempt_log[-1].reason == "The endpoint answered 500."
    assert all(each.duration_ms is not None for each in log.attempt_log)
    assert (log.state, log.attempts, log.reason) == ("delivered", 4, None)
    assert log.event == EVENT.validate_json(receiver.posts[0].body)
    assert (await webhook_of(database, tenant, webhook.id)).failing_since is None


async def test_an_endpoint_that_fails_for_days_is_disabled_and_its_owner_is_told(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    async with receiving() as second:
        healthy = await registered(
            database, tenant, second.url, events=[NotificationKind.WEBHOOK_DISABLED]
        )
        async with database.begin() as connection:
            for name, role in (("ann", Role.OWNER), ("ben", Role.BILLING)):
                person = await upsert_user(
                    connection, issuer="t", subject=name, name=name, email=f"{name}@example.com"
                )
                await add_member(connection, tenant.id, person, role)
        receiver.answers = [Answer(500) for _ in range(200)]
        # One a day: none is tried for as long as the endpoint fails
        for day in range(6):
            assert (await webhook_of(database, tenant, webhook.id)).enabled, day
            await tell_of_top_up(database, tenant.id, f"top_{day}", clock.now)
            for _ in range(3):
                await deliver(database, clock)
                clock.now += timedelta(hours=8)
        disabled = await webhook_of(database, tenant, webhook.id)
        assert not disabled.enabled
        assert disabled.disabled_because is DisabledBecause.FAILING
        assert disabled.failing_since == NOW
        assert {item.state for item in await deliveries_of(database, tenant, webhook.id)} == {
            "failed"
        }
        sent = len(receiver.posts)
        await deliver(database, clock)
        [post] = second.posts
        event = EVENT.validate_json(post.body)
        assert Verifier(healthy.secret)
        assert event.type is NotificationKind.WEBHOOK_DISABLED
        assert (event.data.webhook_id, event.data.url) == (webhook.id, receiver.url)
        await tell_of_top_up(database, tenant.id)
        await deliver(database, clock)
        assert len(receiver.posts) == sent
    letters = CustomerLetters(database, Settings(seller_name="Sample seller"))
    query = select(notifications).where(notifications.c.kind == "webhook.disabled")
    async with database.begin() as connection:
        [row] = (await connection.execute(query)).mappings()
    letter = await letters.write(event_from(row))
    await letters.close()
    assert letter.to == ("ann@example.com",)
    assert receiver.url in letter.text
    assert "500" in letter.text


async def test_a_lull_begins_the_days_of_failure_anew(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    receiver.answers = [Answer(500) for _ in range(50)]
    for day in (0, 30):
        clock.now = NOW + timedelta(days=day)
        await tell_of_top_up(database, tenant.id, f"top_{day}", clock.now)
        await deliver(database, clock)
    still = await webhook_of(database, tenant, webhook.id)
    assert (still.enabled, still.failing_since) == (True, clock.now)


async def test_gone_disables_and_what_was_missed_can_be_replayed(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    await tell_of_top_up(database, tenant.id, "before", NOW - timedelta(days=1))
    await deliver(database, clock)  # to nobody: it was before there was an endpoint
    webhook = await registered(database, tenant, receiver.url)
    await tell_of_top_up(database, tenant.id, "taken", NOW)
    assert await deliver(database, clock) == 1
    receiver.answers = [Answer(410)]
    await tell_of_top_up(database, tenant.id, "gone", NOW)
    await deliver(database, clock)
    await tell_of_top_up(database, tenant.id, "missed", NOW)
    await deliver(database, clock)
    gone = await webhook_of(database, tenant, webhook.id)
    assert gone.disabled_because is DisabledBecause.GONE
    async with database.begin() as connection:
        with pytest.raises(WebhookIsDisabled):
            await replay(connection, tenant.id, gone, NOW, NOW)
        enabled = await change_webhook(
            connection, HERE, owner_of(tenant), webhook.id, WebhookChange(enabled=True)
        )
        # What another endpoint's end was told of counts too
        assert await replay(connection, tenant.id, enabled, NOW, NOW) >= 2
        assert await replay(connection, tenant.id, enabled, NOW, NOW) == 0
    receiver.posts.clear()
    await deliver(database, clock)
    said = [EVENT.validate_json(post.body) for post in receiver.posts]
    top_ups = [event.data.top_up_id for event in said if event.type.value.startswith("wallet")]
    assert sorted(top_ups) == ["gone", "missed"]
    async with database.begin() as connection:
        again = NOW - timedelta(days=2)
        queued = await replay(connection, tenant.id, enabled, again, NOW, delivered_too=True)
    assert queued == len(said) + 2
    receiver.posts.clear()
    assert await deliver(database, clock) == queued


async def test_an_event_can_be_sent_again_but_not_beside_itself(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    await tell_of_top_up(database, tenant.id)
    receiver.goes_on.clear()
    trying = asyncio.create_task(deliver(database, clock))
    await until(holds(lambda: len(receiver.posts) == 1), seconds=300)
    event_id = receiver.ids[0]
    async with database.begin() as connection:
        await resend(connection, tenant.id, webhook, event_id, clock.now)
    assert await delivering(database, clock).begin_due() == 0
    receiver.goes_on.set()
    assert await trying == 1
    async with database.begin() as connection:
        await resend(connection, tenant.id, webhook, event_id, clock.now)
    assert await deliver(database, clock) == 1
    assert receiver.ids == [event_id] * 2
    assert (await log_of(database, tenant, webhook.id, event_id)).attempts == 2


async def test_a_test_goes_to_one_endpoint_alone(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    await registered(database, tenant, receiver.url)
    async with database.begin() as connection:
        first = await send_test(connection, tenant.id, webhook, "once", clock.now)
        assert await send_test(connection, tenant.id, webhook, "once", clock.now) == first
    assert await deliver(database, clock) == 1
    [post] = receiver.posts
    assert post.id == first
    assert Verifier(webhook.secret).verify(post.body, post.headers)["type"] == "notification.test"


async def test_a_slow_endpoint_holds_up_no_other_and_is_asked_little_at_a_time(
    database: Database, tenant: Tenant, receiver: Receiver
) -> None:
    async with receiving() as slow:
        slow.goes_on.clear()
        await registered(database, tenant, slow.url)
        await registered(database, tenant, receiver.url)
        for number in range(12):
            await tell_of_top_up(database, tenant.id, str(number), datetime.now(UTC))
        async with database.begin() as connection:
            await fan_out(connection, datetime.now(UTC))
        stop = asyncio.Event()
        # A busy machine ends no attempt and no lease before the test does
        patient = {"lease": timedelta(hours=1)}
        workers = [delivering(database, lambda: datetime.now(UTC), **patient) for _ in range(2)]
        running = [asyncio.create_task(worker.run(stop)) for worker in workers]
        await until(holds(lambda: len(receiver.posts) == 12), seconds=300)
        assert 1 <= len(slow.posts) <= 8  # four a worker
        slow.goes_on.set()
        await until(holds(lambda: len(slow.posts) == 12), seconds=300)
        stop.set()
        await asyncio.gather(*running)
        for each in (receiver, slow):
            assert set(Counter(each.ids).values()) == {1}


async def test_nothing_is_sent_inside_even_if_it_was_registered(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    by_name = receiver.url.replace("http://127.0.0.1", "https://localhost")
    named = await registered(database, tenant, by_name)
    await tell_of_top_up(database, tenant.id)
    await deliver(database, clock, networks=[])
    assert receiver.posts == []
    for each in (webhook, named):
        [delivery] = await deliveries_of(database, tenant, each.id)
        assert delivery.state == "waiting"
        assert (delivery.reason or "").startswith("Nothing was sent")
    # A name that leads inside, whatever it is called
    outcome = await post_event(by_name, [b"k" * 32], "ntf_1", b"{}", ["10.0.0.0/8"])
    assert outcome.reason == "Nothing was sent. Its name leads to an address that is not public."


async def test_without_the_key_that_sealed_its_secret_nothing_is_sent(
    database: Database, tenant: Tenant, receiver: Receiver, clock: Clock
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    await tell_of_top_up(database, tenant.id)
    other = Sealer(SecretStr("another-key-of-this-machine-as-long"))
    await deliver(database, clock, sealer=other)
    assert receiver.posts == []
    [delivery] = await deliveries_of(database, tenant, webhook.id)
    assert delivery.reason == "The secret can't be opened: rotate it."
