"""The events behind an invoice's line, and what is told of those that are archived."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from backend.accounts.principal import COMMAND_LINE
from backend.invoices.drafts.line_events import line_events
from backend.invoices.queries import find_invoice
from backend.metering.archives.archive import archive_events, archiving
from backend.metering.archives.restore import restore_archive
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.accounts import Tenant
from backend_client.types.invoices import LineEvents
from tests.support.invoices import APRIL, GRACE, MARCH, count, invoices_of, run_invoices, used

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)


async def test_the_answer_says_of_which_days_events_are_archived(
    database: Database, tenant: Tenant, settings: Settings, tmp_path: Path
) -> None:
    days = [MARCH - DAY, MARCH + 2 * DAY, MARCH + 5 * DAY, MARCH + 20 * DAY]
    await count(database, [used(tenant, day, 1_000_000) for day in days])
    await run_invoices(database, settings, APRIL + GRACE)
    [row] = await invoices_of(database, tenant)

    async def behind() -> LineEvents:
        async with database.begin() as connection:
            invoice = await find_invoice(
                connection, settings, tenant.id, str(row["id"]), APRIL + GRACE
            )
            line = next(
                item.line for item in invoice.lines if item.charge and item.charge.kind != "flat"
            )
            return await line_events(connection, tenant.id, invoice, line, cursor=None, limit=50)

    whole = await behind()
    assert [event.time for event in whole.items] == days[1:]
    assert whole.archived_days == []
    async with archiving(database) as connection:
        archived = archive_events(
            connection, tenant.id, MARCH + 9 * DAY, tmp_path, actor="command-line"
        )
        files = [day.file async for day in archived]
    assert len(files) == 3
    left = await behind()
    assert [event.time for event in left.items] == days[3:]
    assert left.archived_days == [date(2026, 3, 3), date(2026, 3, 6)]
    for file in files:
        await restore_archive(database, file, COMMAND_LINE)
    assert await behind() == whole
