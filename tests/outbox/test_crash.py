"""Workers that are killed in the middle of telling lose nothing: the next tells it, as the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.customers.profiles import set_details
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import BillingDetails
from backend_client.types.notifications import NotificationState
from tests.outbox.conftest import SECRETS, holds, recorded, tell_of_top_up
from tests.outbox.servers import MailServer, Receiver
from tests.support.invoices import APRIL, GRACE, run_invoices, subscribed
from tests.support.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = "3"


@contextmanager
def worker(database: Database, settings: Settings, home: Path) -> Iterator[None]:
    """A worker in a process of its own; killed in the end, whatever it does then."""
    assert settings.webhook_url is not None
    assert settings.smtp_url is not None
    assert settings.mail_from is not None
    environment = {
        "DATABASE_URL": database.url,
        "FAREBOX_HOME": str(home),
        "FAREBOX_WEBHOOK_URL": settings.webhook_url,
        "FAREBOX_WEBHOOK_SECRET": " ".join(SECRETS),
        "FAREBOX_SMTP_URL": settings.smtp_url.get_secret_value(),
        "FAREBOX_MAIL_FROM": settings.mail_from,
    }
    command = [sys.executable, "-m", "tests.outbox.killed_worker", LEASE_SECONDS]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def all_told(database: Database) -> bool:
    states = {notification.state for notification in await recorded(database)}
    return states == {NotificationState.DELIVERED}


async def test_killed_while_the_receivers_are_thinking(
    database: Database,
    tenant: Tenant,
    settings: Settings,
    receiver: Receiver,
    mail_server: MailServer,
    tmp_path: Path,
) -> None:
    async with database.begin() as connection:
        await set_details(connection, tenant.id, BillingDetails(email="ann@customer.example"))
    await run_invoices(database, settings, APRIL + GRACE)
    [notification] = await recorded(database)
    receiver.goes_on.clear()
    mail_server.goes_on.clear()
    with worker(database, settings, tmp_path):
        await until(holds(lambda: bool(receiver.posts and mail_server.begun)), seconds=240)
    # It was killed before it heard an answer: nobody knows whether it was taken
    receiver.goes_on.set()
    mail_server.goes_on.set()
    assert not await all_told(database)
    with worker(database, settings, tmp_path):
        await until(lambda: all_told(database), seconds=240)
    assert receiver.ids == [notification.id] * 2
    assert len({post.body for post in receiver.posts}) == 1
    assert {mail.id for mail in mail_server.mails} == {notification.id}
    assert 1 <= len(mail_server.mails) <= 2


async def test_killed_again_and_again_under_load(
    database: Database,
    settings: Settings,
    receiver: Receiver,
    mail_server: MailServer,
    tmp_path: Path,
) -> None:
    for number in range(8):
        tenant = await subscribed(database)
        async with database.begin() as connection:
            details = BillingDetails(email=f"mail-{number}@customer.example")
            await set_details(connection, tenant.id, details)
        for more in range(15):
            await tell_of_top_up(database, tenant.id, f"top_{more}", datetime.now(UTC))
    await run_invoices(database, settings, APRIL + GRACE)
    expected = {notification.id for notification in await recorded(database)}
    assert len(expected) == 8 * 16

    for turn in (1, 2):
        wanted = len(expected) * turn // 4
        with worker(database, settings, tmp_path), worker(database, settings, tmp_path):
            await until(lambda wanted=wanted: enough(receiver, wanted), seconds=240)
    with worker(database, settings, tmp_path), worker(database, settings, tmp_path):
        await until(lambda: all_told(database), seconds=240)
    assert set(receiver.ids) == expected
    by_person = {mail.recipients[0]: mail.id for mail in mail_server.mails}
    assert len(by_person) == 8
    assert len({mail.id for mail in mail_server.mails}) == 8
    # What was under way when a worker was killed may have come twice, and nothing else
    assert len(receiver.ids) - len(expected) <= 2 * 2 * 8


async def enough(receiver: Receiver, wanted: int) -> bool:
    return len(set(receiver.ids)) >= wanted
