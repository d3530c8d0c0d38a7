"""Workers killed while endpoints think lose nothing, and leave each attempt on record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backend.storage.database import Database
from backend.webhooks.queries import list_deliveries
from backend_client.types.accounts import Tenant
from tests.outbox.conftest import holds, tell_of_top_up
from tests.outbox.servers import Receiver
from tests.support.waiting import until
from tests.webhooks.conftest import HERE, SECRETS_KEY, log_of, registered

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
LEASE_SECONDS = "5"
EVENTS = 12


@contextmanager
def worker(database: Database, home: Path) -> Iterator[None]:
    """A worker in a process of its own; killed in the end, whatever it does then."""
    environment = {
        "DATABASE_URL": database.url,
        "FAREBOX_HOME": str(home),
        "FAREBOX_SECRETS_KEY": SECRETS_KEY.get_secret_value(),
        "FAREBOX_WEBHOOK_NETWORKS": json.dumps(HERE),
    }
    command = [sys.executable, "-m", "tests.webhooks.killed_worker", LEASE_SECONDS]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def test_killed_while_an_endpoint_thinks(
    database: Database, tenant: Tenant, receiver: Receiver, tmp_path: Path
) -> None:
    webhook = await registered(database, tenant, receiver.url)
    for number in range(EVENTS):
        await tell_of_top_up(database, tenant.id, str(number), datetime.now(UTC))
    receiver.goes_on.clear()
    with worker(database, tmp_path):
        await until(holds(lambda: len(receiver.posts) >= 4), seconds=240)
    lost = set(receiver.ids)
    # It was killed before it heard an answer: nobody knows whether these were taken
    receiver.goes_on.set()

    async def all_delivered() -> bool:
        async with database.begin() as connection:
            page = await list_deliveries(connection, tenant.id, webhook.id, cursor=None, limit=50)
        states = [item.state.value for item in page.items]
        return states == ["delivered"] * EVENTS

    assert not await all_delivered()
    with worker(database, tmp_path), worker(database, tmp_path):
        await until(all_delivered, seconds=240)
    assert len(set(receiver.ids)) == EVENTS
    for event_id in set(receiver.ids):
        log = await log_of(database, tenant, webhook.id, event_id)
        ended = [each for each in log.attempt_log if each.duration_ms is not None]
        # Each attempt is a request at most, those whose end nobody saw too
        assert 1 <= receiver.ids.count(event_id) <= log.attempts == len(log.attempt_log)
        assert {each.status for each in ended} == {204}
        assert log.attempts >= (2 if event_id in lost else 1)
