"""``farebox invoices``: close billing periods, and list invoices."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from backend.accounts.clocks import now_of
from backend.accounts.tenants import find_tenant
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend.invoices.drafts.billing_cursors import LeftOut, left_out
from backend.invoices.drafts.previewing import TaxPreview
from backend.invoices.queries import read_invoices
from backend.invoices.runs.processes import processors, run_in_parallel
from backend.invoices.runs.runs import latest_runs
from backend.invoices.taxing.service import tax_service
from backend.settings import Settings
from backend_client.types.common import Page
from backend_client.types.invoices import InvoiceRun, InvoiceSummary
from edge.log_bounds import on_one_line

invoices = typer.Typer(
    no_args_is_help=True, help="Invoices: close periods, list runs and invoices."
)

_PAGE = 200
_WIDE = 1000


@invoices.command()
def run(
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="Bill periods whose grace was over then, and date invoices so; UTC. Now if none.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=64, help="Processes that share the work.", show_default="one a core"
        ),
    ] = processors(),
) -> None:
    """Invoice every tenant with a period that is over. It may be repeated and interrupted."""
    settings = running_settings()
    moment = datetime.now(UTC) if as_of is None else _in_utc(as_of)
    if moment > datetime.now(UTC):
        raise CommandError("--as-of is in the future: the usage until then is unknown.")
    done = asyncio.run(_run(settings, moment, workers))
    typer.echo(
        f"{done.invoiced} invoiced, {done.nothing_to_bill} with nothing to bill, "
        f"{done.failed} failed, {done.left} left ({done.id})"
    )
    if done.failed or done.left:
        typer.echo("'farebox invoices failed' shows why. Run this again to continue.", err=True)
        raise typer.Exit(1)


@invoices.command()
def runs() -> None:
    """Show the last runs and their progress."""
    rows = [
        (
            run.id,
            run.state,
            f"{run.as_of:%Y-%m-%d %H:%M}Z",
            *(str(n) for n in (run.due, run.invoiced, run.nothing_to_bill, run.failed, run.left)),
        )
        for run in asyncio.run(_runs(running_settings()))
    ]
    heads = ("RUN", "STATE", "AS OF", "DUE", "INVOICED", "NOTHING TO BILL", "FAILED", "LEFT")
    _show(heads, rows)


@invoices.command()
def failed() -> None:
    """Show tenants that could not be invoiced, with the period and the reason."""
    rows = [
        (tenant.slug, f"{tenant.period_start:%Y-%m-%d}", tenant.problem)
        for tenant in asyncio.run(_failed(running_settings()))
    ]
    _show(("TENANT", "PERIOD", "WHY"), rows)


@invoices.command("list")
def list_of_tenant(
    tenant: Annotated[str, typer.Argument(help="The tenant's id or slug.")],
) -> None:
    """List a tenant's invoices, the draft of the next first, then newest first."""
    rows = [
        (
            invoice.number or "draft",
            invoice.state,
            f"{invoice.period.start:%Y-%m-%d}",
            f"{invoice.total.amount} {invoice.total.currency}"
            + ("" if invoice.tax_known else " and tax"),
            f"{invoice.due.amount}",
            "" if invoice.due_at is None else f"{invoice.due_at:%Y-%m-%d}",
            "overdue" if invoice.overdue else "",
        )
        for invoice in asyncio.run(_list(running_settings(), tenant))
    ]
    _show(("NUMBER", "STATE", "PERIOD", "TOTAL", "TO PAY", "DUE", ""), rows)


async def _run(settings: Settings, as_of: datetime, workers: int) -> InvoiceRun:
    bar = Progress(
        TextColumn("Invoicing"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("tenants")

        def show(run: InvoiceRun) -> None:
            bar.update(task, total=run.due, completed=max(run.due - run.left, 0))

        async with ready_database(settings) as database:
            return await run_in_parallel(database, settings, as_of, processes=workers, show=show)


async def _runs(settings: Settings) -> list[InvoiceRun]:
    async with ready_database(settings) as database, database.begin() as connection:
        return await latest_runs(connection, settings)


async def _failed(settings: Settings) -> list[LeftOut]:
    async with ready_database(settings) as database, database.begin() as connection:
        return await left_out(connection)


async def _list(settings: Settings, tenant: str) -> list[InvoiceSummary]:
    invoices: list[InvoiceSummary] = []
    cursor: str | None = None
    async with ready_database(settings) as database, tax_service(settings) as service:
        async with database.begin() as connection:
            whose = await find_tenant(connection, tenant)
        while True:
            page: Page[InvoiceSummary] = await read_invoices(
                database,
                settings,
                TaxPreview(service),
                whose.id,
                now_of(whose),
                cursor=cursor,
                limit=_PAGE,
            )
            invoices += page.items
            cursor = page.next_cursor
            if cursor is None:
                return invoices


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(on_one_line, row))
    # If the output is not a terminal, lines are not broken: a program reads them.
    width = None if sys.stdout.isatty() else _WIDE
    Console(width=width, markup=False, emoji=False, highlight=False).print(table)
