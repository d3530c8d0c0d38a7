"""``farebox accounting``: the seller's journal, and revenue by month, as files."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from backend.accounting.forms.journal_files import journal_file
from backend.accounting.forms.revenue_csv import revenue_csv
from backend.accounting.queries import read_journal, schedules_by_tenant
from backend.accounting.rules.entries import account_fields
from backend.accounts.tenants import find_tenant
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.settings import Settings
from backend_client.types.journals import JournalFormat

accounting = typer.Typer(
    no_args_is_help=True, help="The seller's books: the journal, and revenue by month."
)

First = Annotated[
    datetime, typer.Argument(formats=["%Y-%m-%d"], help="The first day of the first month.")
]
Last = Annotated[
    datetime | None,
    typer.Argument(
        formats=["%Y-%m-%d"], help="The first day of the last month.", show_default="the first's"
    ),
]
Tenant = Annotated[
    str | None, typer.Option(help="A tenant's id or slug.", show_default="all but samples")
]
Output = Annotated[
    Path | None, typer.Option(help="The file to write.", show_default="standard output")
]


@accounting.command()
def journal(
    first: First,
    last: Last = None,
    form: Annotated[
        JournalFormat, typer.Option(help="The program to write for.")
    ] = JournalFormat.CSV,
    tenant: Tenant = None,
    currency: Annotated[
        str | None, typer.Option(help="Of one currency alone.", show_default="all")
    ] = None,
    output: Output = None,
) -> None:
    """Write the entries of months: invoices, payments, credit notes, credit, recognition."""
    content = asyncio.run(_journal(running_settings(), first, last, form, tenant, currency))
    _write(content, output)


@accounting.command()
def revenue(first: First, last: Last = None, tenant: Tenant = None, output: Output = None) -> None:
    """Write revenue by month: deferred, unbilled, and of prepaid credit."""
    _write(asyncio.run(_revenue(running_settings(), first, last, tenant)), output)


async def _journal(
    settings: Settings,
    first: datetime,
    last: datetime | None,
    form: JournalFormat,
    named: str | None,
    currency: str | None,
) -> str | bytes:
    async with ready_database(settings) as database, database.snapshot() as connection:
        tenant = None if named is None else (await find_tenant(connection, named)).id
        until = None if last is None else last.date()
        entries, terms = await read_journal(
            connection, first.date(), until, tenant=tenant, currency=currency
        )
    return journal_file(entries, terms, form, account_fields(terms.accounts))


async def _revenue(
    settings: Settings, first: datetime, last: datetime | None, named: str | None
) -> str:
    async with ready_database(settings) as database, database.snapshot() as connection:
        tenant = None if named is None else (await find_tenant(connection, named)).id
        until = None if last is None else last.date()
        rows = await schedules_by_tenant(connection, first.date(), until, tenant=tenant)
    return revenue_csv(rows)


def _write(content: str | bytes, output: Path | None) -> None:
    data = content.encode() if isinstance(content, str) else content
    if output is None:
        sys.stdout.buffer.write(data)
    else:
        output.write_bytes(data)
