"""``farebox chargeback``: a tenant's departments, and its months closed and exported."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
import yaml
from pydantic import ValidationError

from backend.accounting.forms.journal_files import journal_file
from backend.accounts.clocks import now_of
from backend.accounts.principal import COMMAND_LINE
from backend.accounts.tenants import find_tenant
from backend.chargeback.closing import close_month
from backend.chargeback.exports.focus import focus_csv
from backend.chargeback.exports.statement_csv import statement_csv
from backend.chargeback.exports.statement_pdf import statement_pdf
from backend.chargeback.policies import list_policies, put_policy
from backend.chargeback.queries import MonthBook, list_months, month_book
from backend.chargeback.rules.journal import account_fields
from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.errors import CommandError
from backend.settings import Settings
from backend_client.types.chargeback import (
    MonthState,
    MonthSummary,
    Policy,
    PolicyPut,
    PolicyVersion,
    Statement,
)
from backend_client.types.journals import JournalFormat

chargeback = typer.Typer(
    no_args_is_help=True, help="Chargeback: a tenant's departments, its months closed and exported."
)

Tenant = Annotated[str, typer.Argument(help="The tenant's id or slug.")]
Month = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="The month's first day.")]


class Export(StrEnum):
    """What can be exported of a month."""

    PDF = "pdf"
    CSV = "csv"
    FOCUS = "focus"
    JOURNAL = "journal"
    DATEV = "datev"
    QUICKBOOKS = "quickbooks"
    XERO = "xero"


_JOURNALS = {
    Export.JOURNAL: JournalFormat.CSV,
    Export.DATEV: JournalFormat.DATEV,
    Export.QUICKBOOKS: JournalFormat.QUICKBOOKS,
    Export.XERO: JournalFormat.XERO,
}


@chargeback.command()
def apply(
    tenant: Tenant,
    valid_from: Annotated[
        datetime, typer.Argument(formats=["%Y-%m-%d"], help="The day from which it holds.")
    ],
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="The policy, as YAML or JSON.")
    ],
) -> None:
    """Keep a policy (departments and rules) of a tenant from a day on."""
    try:
        policy = Policy.model_validate(yaml.safe_load(file.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is no YAML: {error}") from None
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise CommandError(f"{file} is no policy. {'; '.join(wrong)}") from None
    kept = asyncio.run(_apply(running_settings(), tenant, valid_from.date(), policy))
    typer.echo(f"Kept from {kept.valid_from} on, revision {kept.revision}.")


@chargeback.command()
def close(
    tenant: Tenant,
    month: Annotated[
        datetime | None,
        typer.Argument(
            formats=["%Y-%m-%d"],
            help="The month's first day.",
            show_default="all that are invoiced and open",
        ),
    ] = None,
) -> None:
    """Close months of a tenant, in their order. A closed one stays as it is."""
    for statement in asyncio.run(_close(running_settings(), tenant, month)):
        typer.echo(
            f"{statement.month}: {statement.cost.amount} {statement.cost.currency}, "
            f"{statement.unallocated.amount} of it unallocated, "
            f"{statement.adjustments.amount} for earlier months"
        )


@chargeback.command()
def export(
    tenant: Tenant,
    month: Month,
    form: Annotated[Export, typer.Option(help="What to write.")] = Export.CSV,
    output: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="standard output")
    ] = None,
) -> None:
    """Write a month's statement, journal or FOCUS dataset."""
    settings = running_settings()
    book = asyncio.run(_book(settings, tenant, month))
    written = _written(book, form, settings)
    content = written.encode() if isinstance(written, str) else written
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        output.write_bytes(content)


def _written(book: MonthBook, form: Export, settings: Settings) -> str | bytes:
    match form:
        case Export.PDF:
            return statement_pdf(book.tenant.name, book.statement())
        case Export.CSV:
            return statement_csv(book.statement(), book.entries, book.names)
        case Export.FOCUS:
            return focus_csv(book.focus_month(settings.seller_name), book.entries)
        case _:
            entry, terms = book.journal()
            return journal_file([entry], terms, _JOURNALS[form], account_fields(terms))


async def _apply(settings: Settings, named: str, valid_from: date, policy: Policy) -> PolicyVersion:
    async with ready_database(settings) as database, database.begin() as connection:
        tenant = await find_tenant(connection, named)
        versions = await list_policies(connection, tenant)
        held = [version.revision for version in versions if version.valid_from == valid_from]
        wanted = PolicyPut(policy=policy, revision=next(iter(held), None))
        return await put_policy(
            connection, COMMAND_LINE, tenant, valid_from, wanted, now_of(tenant)
        )


async def _close(settings: Settings, named: str, month: datetime | None) -> list[Statement]:
    statements = []
    async with ready_database(settings) as database:
        async with database.begin() as connection:
            tenant = await find_tenant(connection, named)
            now = now_of(tenant)
            months = await list_months(connection, tenant, now)
        wanted = _open(months) if month is None else [month.date()]
        for first_day in wanted:
            async with database.begin() as connection:
                await close_month(connection, settings, COMMAND_LINE, tenant, first_day, now)
                book = await month_book(connection, settings, tenant, first_day, now)
                statements.append(book.statement())
    return statements


def _open(months: Sequence[MonthSummary]) -> list[date]:
    """Return the open months after the last closed one; raise if there are none to close."""
    days: list[date] = []
    for month in months:
        if month.state is MonthState.CLOSED:
            break
        if month.state is MonthState.OPEN and month.has_policy:
            days.insert(0, month.month)
    if not days:
        raise CommandError("No month is invoiced, open and under a policy.")
    return days


async def _book(settings: Settings, named: str, month: datetime) -> MonthBook:
    async with ready_database(settings) as database, database.begin() as connection:
        tenant = await find_tenant(connection, named)
        return await month_book(connection, settings, tenant, month.date(), now_of(tenant))
