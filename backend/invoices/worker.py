"""The worker's side of invoices: runs when due, parts before, payments, reminders."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from sqlalchemy import Select, select

from backend.accounts.clocks import acted_on
from backend.ids import new_id
from backend.invoices.drafts.billing_cursors import set_problem, unbilled
from backend.invoices.drafts.in_advance import FeesAhead, fees_ahead
from backend.invoices.drafts.leavers import tenants_that_left
from backend.invoices.errors import TaxNotKnown
from backend.invoices.issuing.instalments import ask_for_instalments
from backend.invoices.payments.applying import apply_to_all
from backend.invoices.payments.reminders import remind
from backend.invoices.runs.finalizing import CAN_NOT_BE_RATED, bill_progress
from backend.invoices.runs.runs import anything_due, begin_run, close_due_of, end_run, work
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.invoices.taxing.service import TaxService, tax_service
from backend.kit.periodic import every
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import billing_profiles
from backend.subscriptions.contract_ends import Followed, follow_ended_contracts, tenants_with_ended

_log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 60.0
_TRY_AGAIN = timedelta(hours=1)


class InvoicesWorker:
    """Does what is due. Any number may run at once: each act happens once."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._tried_all_at = datetime.min.replace(tzinfo=UTC)
        self._billed_ahead: set[FeesAhead] = set()
        self._failed_ahead: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.keep_invoices(datetime.now(UTC), stop)

        await every(EVERY_SECONDS, act, stop, name="invoices")

    async def keep_invoices(self, now: datetime, stop: asyncio.Event) -> None:
        """Do all that is due by ``now``; failed tenants are tried again each hour."""
        database, settings = self._database, self._settings
        refused = await _follow_ended(database, now)
        await ask_for_instalments(database, settings, now)
        try_failed = now - self._tried_all_at >= _TRY_AGAIN
        if await anything_due(database, settings, now, failed_too=try_failed):
            run = await begin_run(database, settings, now)
            await work(database, settings, run, stop)
            run = await end_run(database, settings, run, datetime.now(UTC))
            _log.info("invoices.run", **run.model_dump(mode="json"))
            await _tell_refused(database, refused)  # an invoice that was made cleared it
        if try_failed:
            self._tried_all_at = now
        await bill_progress_of_all(database, settings, now, who_left=try_failed)
        await self._bill_ahead(now, try_failed=try_failed)
        for applied in await apply_to_all(database, settings, now):
            _log.info("invoices.applied", **applied._asdict())
        async with database.begin() as connection:
            steps = await remind(connection, settings, now)
        for step in steps:
            _log.info("invoices.reminder", **step._asdict())

    async def _bill_ahead(self, now: datetime, *, try_failed: bool) -> None:
        """Invoice fees in advance; terms that were looked at are not again before they change.

        What failed is tried again with ``try_failed`` alone.
        """
        async with self._database.begin() as connection:
            present = await fees_ahead(connection, now)
        again = self._failed_ahead if try_failed else set()
        tenants = [
            ahead.tenant_id
            for ahead in present
            if ahead not in self._billed_ahead or ahead.tenant_id in again
        ]
        parts = await _bill_parts(self._database, self._settings, tenants, now)
        self._billed_ahead = set(present)
        self._failed_ahead = (self._failed_ahead - set(tenants)) | set(parts.failed)


async def bill_progress_of_all(
    database: Database, settings: Settings, now: datetime, *, who_left: bool = True
) -> list[str]:
    """Invoice running periods in part where a threshold is passed; return the invoices' ids.

    ``who_left`` looks for tenants whose subscription has ended too.
    """
    async with database.begin() as connection:
        tenant_ids = list(await connection.scalars(_with_threshold(None)))
        if who_left:
            tenant_ids += await tenants_that_left(connection, settings, now)
    tenant_ids = list(dict.fromkeys(tenant_ids))
    return (await _bill_parts(database, settings, tenant_ids, now)).invoices


async def keep_invoices_of(
    database: Database, settings: Settings, tenant_id: str, now: datetime
) -> None:
    """Do all that is due by ``now`` for one tenant, whose test clock is being advanced.

    The same, in the same order, as is done for all others as time goes by.
    """
    refused = await _follow_ended(database, now, only=tenant_id)
    async with database.begin() as connection:
        await unbilled(connection, tenant_id)  # begins to bill it
    await ask_for_instalments(database, settings, now, only=tenant_id)
    await close_due_of(database, settings, tenant_id, now)
    await _tell_refused(database, refused)
    async with database.begin() as connection:
        in_part = bool(
            await connection.scalar(_with_threshold(tenant_id))
            or await tenants_that_left(connection, settings, now, tenant_id)
            or await fees_ahead(connection, now, only=tenant_id)
        )
    if in_part:
        await _bill_parts(database, settings, [tenant_id], now)
    await apply_to_all(database, settings, now, only=tenant_id)
    async with database.begin() as connection:
        await remind(connection, settings, now, only=tenant_id)


async def _follow_ended(
    database: Database, now: datetime, *, only: str | None = None
) -> list[Followed]:
    """Move tenants whose contracts ended to the plans that follow, each in its own transaction.

    Returns those whose plan can't be had.
    """
    async with database.begin() as connection:
        tenant_ids = await tenants_with_ended(connection, now, only=only)
    refused: list[Followed] = []
    for tenant_id in tenant_ids:
        async with database.begin() as connection:
            ended = await follow_ended_contracts(connection, now, only=tenant_id)
        for followed in ended:
            _log.info("contracts.ended", **followed._asdict())
        refused += [followed for followed in ended if followed.problem is not None]
    await _tell_refused(database, refused)
    return refused


async def _tell_refused(database: Database, refused: Sequence[Followed]) -> None:
    """Write in tenants' billing that the plan after a contract can't be had."""
    for followed in refused:
        problem = f"The plan that follows its contract can't be had: {followed.problem}"
        async with database.begin() as connection:
            await unbilled(connection, followed.tenant_id)  # so that there is a row to write it in
            await set_problem(connection, followed.tenant_id, problem)


def _with_threshold(only: str | None) -> Select[Any]:
    """Select the tenants that are invoiced within their period, past a threshold."""
    return select(billing_profiles.c.tenant_id).where(
        billing_profiles.c.progressive_threshold.is_not(None),
        acted_on(billing_profiles.c.tenant_id, only),
    )


class _Parts(NamedTuple):
    """Invoices of running periods, and the tenants that had none because something failed."""

    invoices: list[str]
    failed: list[str]


async def _bill_parts(
    database: Database, settings: Settings, tenant_ids: Sequence[str], now: datetime
) -> _Parts:
    """Invoice each tenant's running period in part where there is a reason.

    A tenant that can't be rated, or whose tax is not known, is told in its billing, and delays
    neither the others nor payments and reminders.
    """
    parts = _Parts([], [])
    if not tenant_ids:
        return parts
    async with tax_service(settings) as service:
        for tenant_id in tenant_ids:
            problem: str | None = None
            try:
                invoice_id = await _bill_part(database, settings, service, tenant_id, now)
            except TaxNotKnown as error:
                problem = error.detail
            except CAN_NOT_BE_RATED as error:
                _log.exception("invoices.part_failed", tenant=tenant_id)
                problem = str(error) or repr(error)
            else:
                if invoice_id is not None:
                    parts.invoices.append(invoice_id)
            if problem is not None:
                parts.failed.append(tenant_id)
                async with database.begin() as connection:
                    await unbilled(connection, tenant_id)  # so that there is a row to write it in
                    await set_problem(connection, tenant_id, problem)
    return parts


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

    return await with_answers(answers, once)
