"""The invoice run: every tenant with a period that is over, once, by any number of workers.

A run can be killed anywhere and started again: what was committed is done, the rest never
happened. Workers find their work by locking cursors and pass over those that others hold, so that
no worker needs to know of another.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from sqlalchemy import RowMapping, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.ids import new_id
from backend.invoices.drafts.billing_cursors import (
    claim_due_tenants,
    count_due,
    is_due,
    open_cursors,
)
from backend.invoices.errors import InvoiceRunNotFound
from backend.invoices.runs.finalizing import Finalized, finalize_all, open_questions
from backend.invoices.taxing.answers import TaxAnswers
from backend.invoices.taxing.service import tax_service
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import invoice_runs
from backend_client.types.invoices import InvoiceRun

BATCH = 25
"""Tenants in one transaction: few enough that a kill loses little, enough to share queries."""


async def begin_run(database: Database, settings: Settings, as_of: datetime) -> InvoiceRun:
    """Begin a run for periods whose grace was over at ``as_of``.

    An unfinished run for the same ``as_of`` is continued instead.
    """
    async with database.begin() as connection:
        await open_cursors(connection)
        due = await count_due(connection, _ended_by(settings, as_of))
        query = (
            select(invoice_runs.c.id)
            .where(invoice_runs.c.finished_at.is_(None), invoice_runs.c.as_of == as_of)
            .order_by(invoice_runs.c.id)
            .limit(1)
            .with_for_update()
        )
        run_id = await connection.scalar(query)
        if run_id is None:
            run_id = new_id("run")
            await connection.execute(
                insert(invoice_runs).values(id=run_id, as_of=as_of, started_at=as_of, due=due)
            )
        return await find_run(connection, settings, run_id)


async def anything_due(
    database: Database, settings: Settings, as_of: datetime, *, failed_too: bool
) -> bool:
    """Return whether a run has a period to close; ``failed_too`` counts those that failed."""
    async with database.begin() as connection:
        await open_cursors(connection)
        return await is_due(connection, _ended_by(settings, as_of), failed_too=failed_too)


async def work(
    database: Database, settings: Settings, run: InvoiceRun, stop: asyncio.Event
) -> None:
    """Bill tenants until none is left to claim, or ``stop`` is set."""
    async with tax_service(settings) as service:
        answers = TaxAnswers(service)
        while not stop.is_set() and await bill_batch(database, settings, run, answers):
            pass


async def close_due_of(
    database: Database, settings: Settings, tenant_id: str, as_of: datetime
) -> None:
    """Close the periods of one tenant whose grace was over at ``as_of``, in no run on record.

    That of a tenant on a test clock, which runs leave out.
    """
    alone = InvoiceRun(
        id=new_id("run"),
        state="running",
        as_of=as_of,
        started_at=as_of,
        finished_at=None,
        due=0,
        left=0,
        invoiced=0,
        nothing_to_bill=0,
        failed=0,
    )
    async with tax_service(settings) as service:
        answers = TaxAnswers(service)
        while await bill_batch(database, settings, alone, answers, only=tenant_id):
            pass


async def bill_batch(
    database: Database,
    settings: Settings,
    run: InvoiceRun,
    answers: TaxAnswers,
    *,
    only: str | None = None,
) -> int:
    """Close a period of up to ``BATCH`` tenants, or of one; return how many were read.

    A tax service is asked about their lines between two transactions. A tenant whose lines have
    changed when it is claimed is left for the next batch.
    """
    among = None
    if settings.tax_service_url is not None:
        among = await _ask(database, settings, run, answers, only)
        if not among:
            return 0
    async with database.begin() as connection:
        claimed = await claim_due_tenants(
            connection, _ended_by(settings, run.as_of), run.id, BATCH, among=among, only=only
        )
        if claimed:
            done = await finalize_all(connection, settings, claimed, run.as_of, run.id, answers)
            await _count(connection, run.id, done)
    return len(claimed if among is None else among)


async def _ask(
    database: Database,
    settings: Settings,
    run: InvoiceRun,
    answers: TaxAnswers,
    only: str | None,
) -> list[str]:
    """Ask for the tax of some due invoices; return their tenants' ids, none if nothing is due."""
    async with database.begin() as connection:
        coming = await claim_due_tenants(
            connection,
            _ended_by(settings, run.as_of),
            run.id,
            BATCH,
            shuffle=answers.word,
            only=only,
        )
        if not coming:
            return []
        questions = await open_questions(connection, settings, coming, run.as_of)
    await answers.ask(questions)
    return [unbilled.tenant.id for unbilled in coming]


async def end_run(
    database: Database, settings: Settings, run: InvoiceRun, now: datetime
) -> InvoiceRun:
    """Mark a run as finished if nothing is left to do in it; return the run."""
    async with database.begin() as connection:
        if not await count_due(connection, _ended_by(settings, run.as_of), run.id):
            await connection.execute(
                update(invoice_runs)
                .where(invoice_runs.c.id == run.id, invoice_runs.c.finished_at.is_(None))
                .values(finished_at=now)
            )
        return await find_run(connection, settings, run.id)


async def run_progress(database: Database, settings: Settings, run_id: str) -> InvoiceRun:
    """Return a run with its progress."""
    async with database.begin() as connection:
        return await find_run(connection, settings, run_id)


async def find_run(connection: AsyncConnection, settings: Settings, run_id: str) -> InvoiceRun:
    """Return a run; raise ``NotFound``."""
    query = select(invoice_runs).where(invoice_runs.c.id == run_id)
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        raise InvoiceRunNotFound()
    left = 0
    if row["finished_at"] is None:
        left = await count_due(connection, _ended_by(settings, row["as_of"]), run_id)
    return _run(row, left)


async def latest_runs(connection: AsyncConnection, settings: Settings) -> list[InvoiceRun]:
    """Return the last twenty runs, newest first."""
    query = select(invoice_runs.c.id).order_by(invoice_runs.c.id.desc()).limit(20)
    return [
        await find_run(connection, settings, run_id)
        for run_id in (await connection.scalars(query)).all()
    ]


async def _count(connection: AsyncConnection, run_id: str, done: Finalized) -> None:
    # Last in the transaction: every worker waits here for the others' counts.
    await connection.execute(
        update(invoice_runs)
        .where(invoice_runs.c.id == run_id)
        .values(
            invoiced=invoice_runs.c.invoiced + done.invoiced,
            nothing_to_bill=invoice_runs.c.nothing_to_bill + done.nothing_to_bill,
            failed=invoice_runs.c.failed + done.failed,
        )
    )


def _ended_by(settings: Settings, as_of: datetime) -> datetime:
    return as_of - timedelta(hours=settings.invoice_grace_hours)


def _run(row: RowMapping, left: int) -> InvoiceRun:
    return InvoiceRun(
        id=row["id"],
        state="running" if row["finished_at"] is None else "finished",
        as_of=row["as_of"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        due=row["due"],
        left=left,
        invoiced=row["invoiced"],
        nothing_to_bill=row["nothing_to_bill"],
        failed=row["failed"],
    )
