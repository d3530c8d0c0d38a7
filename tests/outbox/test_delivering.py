"""At least once, beside other workers, for three days, and never for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from backend.invoices.letters.writing import CustomerLetters
from backend.outbox.channels.channel import Channel
from backend.outbox.claims import LEASE, claim_due_deliveries, set_delivered, set_undelivered
from backend.outbox.delivering import Delivering
from backend.outbox.errors import NotificationAlreadyDelivered, NotificationNotFound
from backend.outbox.queries import list_notifications, resend
from backend.outbox.routing import clear_up, give_up_unserved
from backend.outbox.worker import OutboxWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import notification_deliveries, notifications
from backend_client.types.accounts import Tenant
from backend_client.types.notifications import (
    ChannelName,
    DeliveryState,
    NotificationKind,
    NotificationState,
)
from tests.outbox.conftest import (
    NOW,
    Clock,
    deliver,
    found,
    holds,
    queue,
    recorded,
    tell_of_top_up,
)
from tests.outbox.servers import Answer, MailServer, Receiver
from tests.support.invoices import APRIL, GRACE, run_invoices
from tests.support.waiting import until

pytestmark = pytest.mark.engine


async def test_many_workers_tell_each_thing_once(
    database: Database, tenant: Tenant, settings: Settings, receiver: Receiver
) -> None:
    for number in range(60):
        await tell_of_top_up(database, tenant.id, str(number), datetime.now(UTC))
    letters = CustomerLetters(database, settings)
    stop = asyncio.Event()
    workers = [OutboxWorker(database, settings, letters) for _ in range(4)]
    running = [asyncio.create_task(worker.run(stop)) for worker in workers]

    async def all_delivered() -> bool:
        return all(
            notification.state is NotificationState.DELIVERED
            for notification in await recorded(database)
        )

    await until(all_delivered)
    stop.set()
    await asyncio.gather(*running)
    assert set(Counter(receiver.ids).values()) == {1}
    assert len(receiver.ids) == 60


async def test_claims_of_many_never_overlap(
    database: Database, tenant: Tenant, channels: list[Channel]
) -> None:
    for number in range(40):
        await tell_of_top_up(database, tenant.id, str(number))
    await queue(database, channels, NOW)

    async def claimed() -> list[str]:
        async with database.begin() as connection:
            return [
                delivery.id
                for delivery in await claim_due_deliveries(
                    connection, ChannelName.WEBHOOK, NOW, limit=10
                )
            ]

    batches = await asyncio.gather(*(claimed() for _ in range(5)))
    ids = [delivery_id for batch in batches for delivery_id in batch]
    assert len(ids) == len(set(ids))
    rest = [await claimed() for _ in range(4)]
    assert len(set(ids).union(*rest)) == 40


async def test_what_a_killed_worker_had_is_another_workers_after_the_lease(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    await tell_of_top_up(database, tenant.id)
    await queue(database, channels, NOW)
    async with database.begin() as connection:
        [lost] = await claim_due_deliveries(connection, ChannelName.WEBHOOK, NOW, limit=8)
    clock.pass_by(LEASE - timedelta(seconds=1))
    assert await deliver(database, channels, clock) == 0
    clock.pass_by(timedelta(seconds=1))
    assert await deliver(database, channels, clock) == 1
    assert receiver.ids == [lost.id]
    # The first one comes back to life, and has failed: it is too late to say so
    async with database.begin() as connection:
        await set_undelivered(connection, lost, "late", next_attempt_at=NOW)
        await set_undelivered(connection, lost, "late")
    assert (await found(database, lost.id)).state is NotificationState.DELIVERED


async def test_who_delivered_after_the_lease_says_so_all_the_same(
    database: Database, tenant: Tenant, channels: list[Channel]
) -> None:
    await tell_of_top_up(database, tenant.id)
    await queue(database, channels, NOW)
    later = NOW + LEASE
    async with database.begin() as connection:
        [slow] = await claim_due_deliveries(connection, ChannelName.WEBHOOK, NOW, limit=8)
        [second] = await claim_due_deliveries(connection, ChannelName.WEBHOOK, later, limit=8)
        await set_undelivered(connection, second, "no")
        await set_delivered(connection, slow, later)
    [delivery] = (await found(database, slow.id)).deliveries
    assert (delivery.state, delivery.reason) == (DeliveryState.DELIVERED, None)


async def test_after_three_days_it_is_parked_with_the_last_reason(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [Answer(500, body=b"%d" % number) for number in range(100)]
    await tell_of_top_up(database, tenant.id)
    await deliver(database, channels, clock)
    [notification] = await recorded(database)
    while notification.state is NotificationState.WAITING:
        [delivery] = notification.deliveries
        assert delivery.next_attempt_at is not None
        clock.now = delivery.next_attempt_at
        assert await deliver(database, channels, clock) == 1
        notification = await found(database, notification.id)
    [delivery] = notification.deliveries
    assert delivery.state is DeliveryState.FAILED
    assert delivery.reason == f"The endpoint answered 500: {delivery.attempts - 1}"
    assert 14 <= delivery.attempts <= 19
    assert timedelta(days=2.5) < clock.now - NOW <= timedelta(days=3)


async def test_a_worker_that_was_away_for_a_week_still_tries(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    await tell_of_top_up(database, tenant.id)
    await queue(database, channels, NOW)
    clock.pass_by(timedelta(days=7))
    async with database.begin() as connection:
        await give_up_unserved(connection, channels, clock())
    assert await deliver(database, channels, clock) == 1
    assert len(receiver.posts) == 1


async def test_with_no_channel_it_is_on_record_and_nothing_waits(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    await tell_of_top_up(database, tenant.id)
    bare = OutboxWorker(database, Settings(), CustomerLetters(database, Settings()))
    assert await bare.keep_queues(NOW) == 1
    [kept] = await recorded(database)
    assert (kept.state, kept.deliveries) == (NotificationState.RECORDED, [])
    # What was recorded before there was a channel is not sent by itself, but can be
    assert await deliver(database, channels, clock) == 0
    async with database.begin() as connection:
        await resend(connection, kept.id, None, NOW)
    assert await deliver(database, channels, clock) == 1
    assert receiver.ids == [kept.id]


async def test_what_waits_for_a_channel_that_is_gone_fails_in_the_end(
    database: Database, tenant: Tenant, channels: list[Channel]
) -> None:
    await tell_of_top_up(database, tenant.id)
    await queue(database, channels, NOW)
    bare = OutboxWorker(database, Settings(), CustomerLetters(database, Settings()))
    await bare.keep_queues(NOW + timedelta(days=2.9))
    assert [notification.state for notification in await recorded(database)] == [
        NotificationState.WAITING
    ]
    await bare.keep_queues(NOW + timedelta(days=3.1))
    [parked] = await recorded(database)
    assert parked.deliveries[0].reason == "No worker has this channel configured."


async def test_each_channel_fares_for_itself_and_is_sent_again_by_itself(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    channels: list[Channel],
    receiver: Receiver,
    mail_server: MailServer,
    clock: Clock,
) -> None:
    async with database.begin() as connection:
        await connection.execute(
            text("INSERT INTO billing_profiles (tenant_id, email) VALUES (:id, 'ann@a.example')"),
            {"id": tenant.id},
        )
    receiver.answers = [Answer(410)]
    await run_invoices(database, settings, APRIL + GRACE)
    await deliver(database, channels, clock)
    [notification] = await recorded(database)
    states = {each.channel: each.state for each in notification.deliveries}
    assert states == {"webhook": "failed", "email": "delivered"}
    assert notification.state is NotificationState.FAILED

    async with database.begin() as connection:
        again = await resend(connection, notification.id, None, NOW)
    assert {each.channel: each.attempts for each in again.deliveries} == {"webhook": 0, "email": 1}
    await deliver(database, channels, clock)
    assert (await found(database, notification.id)).state is NotificationState.DELIVERED
    assert (receiver.ids, len(mail_server.mails)) == ([notification.id] * 2, 1)

    async with database.begin() as connection:
        with pytest.raises(NotificationAlreadyDelivered, match="name a channel"):
            await resend(connection, notification.id, None, NOW)
        await resend(connection, notification.id, ChannelName.EMAIL, NOW)
        with pytest.raises(NotificationNotFound):
            await resend(connection, "ntf_none", None, NOW)
    await deliver(database, channels, clock)
    assert (len(receiver.ids), [mail.id for mail in mail_server.mails]) == (
        2,
        [notification.id] * 2,
    )


async def test_a_channel_that_was_never_tried_can_be_named(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    await tell_of_top_up(database, tenant.id)
    await queue(database, [], NOW)
    [notification] = await recorded(database)
    async with database.begin() as connection:
        await resend(connection, notification.id, ChannelName.WEBHOOK, NOW)
    assert await deliver(database, channels, clock) == 1
    assert receiver.ids == [notification.id]


async def test_lists_by_tenant_kind_and_state(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [Answer(410), Answer(500)]
    for subject in ("failed", "waiting", "delivered"):
        await tell_of_top_up(database, tenant.id, subject)
        await deliver(database, channels, clock)
    await tell_of_top_up(database, tenant.id, "recorded")
    await queue(database, [], NOW)
    await tell_of_top_up(database, "ten_other", "waiting, new")

    async def subjects(**asked: object) -> list[str]:
        async with database.begin() as connection:
            page = await list_notifications(connection, cursor=None, limit=10, **asked)
        return [notification.event.data.top_up_id for notification in page.items]

    everything = ["waiting, new", "recorded", "delivered", "waiting", "failed"]
    assert await subjects() == everything
    by_state = {state: await subjects(state=state) for state in NotificationState}
    assert by_state == {
        "waiting": ["waiting, new", "waiting"],
        "delivered": ["delivered"],
        "failed": ["failed"],
        "recorded": ["recorded"],
    }
    for notification in await recorded(database):
        assert notification.event.data.top_up_id in by_state[notification.state]
    assert await subjects(tenant_id="ten_other") == ["waiting, new"]
    assert await subjects(kinds=[NotificationKind.INVOICE_PAID]) == []
    asked = [NotificationKind.INVOICE_PAID, NotificationKind.WALLET_TOP_UP_REQUESTED]
    assert await subjects(kinds=asked) == everything


async def test_what_is_done_with_is_removed_in_the_end_and_what_waits_is_not(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [Answer(204), Answer(410), Answer(500)]
    for subject in ("delivered", "failed", "waiting"):
        await tell_of_top_up(database, tenant.id, subject)
        await deliver(database, channels, clock)
    keep = timedelta(days=90)

    async def left() -> tuple[list[str], int]:
        async with database.begin() as connection:
            names = await connection.scalars(
                select(notifications.c.subject).order_by(notifications.c.id)
            )
            count = select(func.count()).select_from(notification_deliveries)
            return list(names.all()), await connection.scalar(count) or 0

    async with database.begin() as connection:
        assert await clear_up(connection, keep, NOW + keep) == 0
    assert await left() == (["delivered", "failed", "waiting"], 3)
    async with database.begin() as connection:
        assert await clear_up(connection, keep, NOW + keep + timedelta(seconds=1)) == 2
    assert await left() == (["waiting"], 1)


async def test_what_a_newer_version_recorded_is_left_to_it(
    database: Database, tenant: Tenant, channels: list[Channel], clock: Clock
) -> None:
    await tell_of_top_up(database, tenant.id, "known")
    await tell_of_top_up(database, tenant.id, "unknown")
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE notifications SET kind = 'model.retired' WHERE subject = 'unknown'")
        )
    assert await deliver(database, channels, clock) == 1
    assert len(await recorded(database)) == 1


async def test_a_fault_of_our_own_is_tried_again_and_stops_nobody(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver, clock: Clock
) -> None:
    for subject in ("broken", "whole"):
        await tell_of_top_up(database, tenant.id, subject)
    async with database.begin() as connection:
        await connection.execute(
            text("UPDATE notifications SET data = data - 'amount' WHERE subject = 'broken'")
        )
    assert await deliver(database, channels[:1], clock) == 2
    async with database.begin() as connection:
        rows = await connection.execute(
            select(notification_deliveries.c.state, notification_deliveries.c.reason).order_by(
                notification_deliveries.c.notification_id
            )
        )
        assert rows.all() == [
            ("waiting", "It could not be made ready to send (ValidationError)."),
            ("delivered", None),
        ]
    assert len(receiver.posts) == 1


async def test_a_worker_that_stops_lets_what_is_under_way_end(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver
) -> None:
    receiver.goes_on.clear()
    await tell_of_top_up(database, tenant.id)
    await queue(database, channels, datetime.now(UTC))
    stop = asyncio.Event()
    running = asyncio.create_task(Delivering(database, channels[0]).run(stop))
    await until(holds(lambda: bool(receiver.posts)))
    stop.set()
    receiver.goes_on.set()
    await running
    [notification] = await recorded(database)
    assert notification.state is NotificationState.DELIVERED


async def test_a_worker_that_stops_gives_back_what_does_not_end(
    database: Database, tenant: Tenant, channels: list[Channel], receiver: Receiver
) -> None:
    receiver.goes_on.clear()
    await tell_of_top_up(database, tenant.id)
    await queue(database, channels, datetime.now(UTC))
    stop = asyncio.Event()
    running = asyncio.create_task(Delivering(database, channels[0]).run(stop))
    await until(holds(lambda: bool(receiver.posts)))
    stop.set()
    async with asyncio.timeout(60):
        await running
    [notification] = await recorded(database)
    [delivery] = notification.deliveries
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 0)
    assert delivery.next_attempt_at is not None
    # At once, and not after the lease
    assert delivery.next_attempt_at <= datetime.now(UTC)
