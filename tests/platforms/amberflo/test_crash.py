"""A sender that is killed between Amberflo's answer and its own commit counts nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from backend.platforms.amberflo.adapter import Amberflo
from backend.storage.database import Database
from tests.platforms.amberflo.conftest import (
    SOME_DAY,
    on_amberflo,
    rated_by_amberflo,
    usage_rows,
)
from tests.platforms.senders import Senders, started
from tests.support.amberflo.server import KEY, AmberfloStandIn
from tests.support.invoices import count, used
from tests.support.waiting import until

pytestmark = pytest.mark.crash

KILLS = 3


@pytest.fixture
def senders(database: Database, stand_in: AmberfloStandIn, tmp_path: Path) -> Iterator[Senders]:
    environment = {
        "DATABASE_URL": database.url,
        "FAREBOX_HOME": str(tmp_path),
        "FAREBOX_AMBERFLO_URL": stand_in.url,
        "FAREBOX_AMBERFLO_INGEST_URL": stand_in.url,
        "FAREBOX_AMBERFLO_API_KEY": KEY,
        "FAREBOX_AMBERFLO_REQUESTS_PER_SECOND": "100",
        "FAREBOX_LOG_LEVEL": "ERROR",
    }
    with started(environment) as senders:
        yield senders


async def test_killed_before_its_commit_each_event_counts_once(
    database: Database, stand_in: AmberfloStandIn, amberflo: Amberflo, senders: Senders
) -> None:
    """Amberflo has taken the events, and the worker is killed while it waits for the answer."""
    tenant = await rated_by_amberflo(database, amberflo)

    async def taken() -> bool:
        return stand_in.held.is_set()

    async def all_sent() -> bool:
        rows = await usage_rows(database, tenant)
        return len(rows) == KILLS and {row["state"] for row in rows} == {"sent"}

    for step in range(KILLS):
        quarter = SOME_DAY + timedelta(minutes=15 * step)
        await count(database, [used(tenant, quarter, str(step + 1))])
        stand_in.goes_on.clear()
        stand_in.held.clear()
        stand_in.trouble.append("held")
        with senders.sender():
            await until(taken, seconds=60, pause=0.01)
        stand_in.goes_on.set()
    with senders.sender():
        await until(all_sent, seconds=60)
    events = stand_in.books.events
    assert (len(events.there), on_amberflo(stand_in)) == (KILLS, 6)
    assert events.repeated >= KILLS
