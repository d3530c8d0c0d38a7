"""The worker's side of invoices: runs when periods are due, parts past a threshold, reminders."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select

from backend.ids import new_id
from backend.invoices.billing_cursors import set_problem, unbilled
from backend.invoices.errors import TaxNotKnown
from backend.invoices.finalizing import bill_progress
from backend.invoices.reminders import remind
from backend.invoices.runs import anything_due, begin_run, end_run, work
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.invoices.taxing.service import TaxService, tax_service
from backend.kit.periodic import every
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import billing_profiles

_log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
_TRY_AGAIN = timedelta(hours=1)


class InvoicesWorker:
    """Does what is due. Any number may run at once: each act happens once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._tried_all_at = datetime.min.replace(tzinfo=UTC)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.keep_invoices(datetime.now(UTC), stop)

        await every(EVERY_SECONDS, act, stop, name="invoices")

    async def keep_invoices(self, now: datetime, stop: asyncio.Event) -> None:
        """Do all that is due by ``now``; failed tenants are tried again each hour."""
        database, settings = self._database, self._settings
        try_failed = now - self._tried_all_at >= _TRY_AGAIN
        if await anything_due(database, settings, now, failed_too=try_failed):
            run = await begin_run(database, settings, now)
            await work(database, settings, run, stop)
            run = await end_run(database, settings, run, datetime.now(UTC))
            _log.info("invoices.run", **run.model_dump(mode="json"))
        if try_failed:
            self._tried_all_at = now
        await bill_progress_of_all(database, settings, now)
        async with database.begin() as connection:
            steps = await remind(connection, settings, now)
        for step in steps:
            _log.info("invoices.reminder", **step._asdict())


async def bill_progress_of_all(database: Database, settings: Settings, now: datetime) -> list[str]:
    """Invoice running periods in part where a threshold is passed; return the invoices' ids."""
    async with database.begin() as connection:
        query = select(billing_profiles.c.tenant_id).where(
            billing_profiles.c.progressive_threshold.is_not(None)
        )
        tenant_ids = (await connection.scalars(query)).all()
    invoice_ids = []
    async with tax_service(settings) as service:
        for tenant_id in tenant_ids:
            invoice_id = await _bill_part(database, settings, service, tenant_id, now)
            if invoice_id is not None:
                invoice_ids.append(invoice_id)
    return invoice_ids


async def _bill_part(
    database: Database,
    settings: Settings,
    service: TaxService | None,
    tenant_id: str,
    now: datetime,
) -> str | None:
    answers = TaxAnswers(service)
    invoice_id = new_id("inv")  # what the tax service is asked about is what is issued

    async def once() -> str | None:
        async with database.begin() as connection:
            return await bill_progress(
                connection, settings, tenant_id, now, answers, invoice_id=invoice_id
            )

    try:
        return await with_answers(answers, once)
    except TaxNotKnown as error:
        async with database.begin() as connection:
            await unbilled(connection, tenant_id)  # so that there is a row to write it in
            await set_problem(connection, tenant_id, error.detail)
        return None
