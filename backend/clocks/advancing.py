"""A clock on its way: at each due instant, what the worker does for all others as time goes by.

It can be killed anywhere: where it stands is on record, what is due there is done again, and each
act happens once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from backend.budgets.notices import notify_of_call_budgets
from backend.chargeback.budget_notices import notify_of_department_budgets
from backend.clocks.clocks import move_to, read_clock, stop_at
from backend.clocks.due import next_stop
from backend.errors import FareboxError
from backend.invoices.drafts.billing_cursors import problem_of
from backend.invoices.worker import keep_invoices_of
from backend.settings import Settings
from backend.storage.database import Database
from backend.wallets.worker import keep_wallets
from backend_client.types.test_clocks import TestClockState

_log = structlog.get_logger(__name__)

_CAN_NOT_GO_ON = (FareboxError, ValueError, ArithmeticError, LookupError)
"""What a tenant's terms raise that make no bill; an outage is no such thing, and waited for."""


async def advance(
    database: Database, settings: Settings, tenant_id: str, stop: asyncio.Event
) -> None:
    """Advance a clock to where it was asked to go, or until ``stop`` is set.

    A tenant that can't be billed stops its clock, which has the reason.
    """
    while not stop.is_set():
        async with database.begin() as connection:
            clock = await read_clock(connection, tenant_id)
        if clock.state is not TestClockState.ADVANCING or clock.target is None:
            return
        problem = await _act(database, settings, tenant_id, clock.at)
        async with database.begin() as connection:
            if problem is not None or clock.at >= clock.target:
                await stop_at(connection, tenant_id, problem)
                _log.info("clocks.stopped", tenant=tenant_id, at=clock.at, problem=problem)
                return
            due = await next_stop(connection, settings, tenant_id, clock.at)
            following = clock.target if due is None else min(due, clock.target)
            await move_to(connection, tenant_id, following)


async def _act(database: Database, settings: Settings, tenant_id: str, now: datetime) -> str | None:
    """Do all that is due of a tenant by ``now``; return why something can't be done, if so."""
    try:
        await keep_wallets(database, now, only=tenant_id)
        await keep_invoices_of(database, settings, tenant_id, now)
        async with database.begin() as connection:
            await notify_of_department_budgets(connection, settings, tenant_id, now)
            await notify_of_call_budgets(connection, tenant_id, now)
            return await problem_of(connection, tenant_id)
    except _CAN_NOT_GO_ON as error:
        _log.exception("clocks.failed", tenant=tenant_id, at=now)
        return str(error) or repr(error)
