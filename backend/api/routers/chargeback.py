"""Chargeback: departments and their rules, monthly statements, and the close of a month.

A customer's own finance people do all of it; the operator has commands for the same.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from backend.accounting.forms.journal_files import journal_file
from backend.accounts.clocks import now_of, tenant_now
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, Services, ServicesNow, needs
from backend.api.parameters import JournalFileFormat
from backend.api.path_parameters import Month, ValidFrom
from backend.chargeback.closing import close_month
from backend.chargeback.exports.focus import focus_csv
from backend.chargeback.exports.statement_csv import statement_csv
from backend.chargeback.exports.statement_pdf import print_statement
from backend.chargeback.policies import delete_policy, find_policy, list_policies, put_policy
from backend.chargeback.queries import MonthBook, list_lines, list_months, month_book, preview
from backend.chargeback.rules.journal import account_fields
from backend_client.types.chargeback import (
    MonthSummary,
    PolicyPut,
    PolicyVersion,
    Statement,
    StatementLine,
    StatementPreview,
)
from backend_client.types.common import Page
from backend_client.types.journals import JournalFormat

router = APIRouter(tags=["chargeback"])

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]
Changer = Annotated[Principal, Depends(needs(Permission.CHARGEBACK_WRITE))]
UnitCode = Annotated[
    str | None,
    Query(
        description="Only of this department, by its code, with all below it; an empty one is "
        "what no department bears. If left out, all.",
        examples=["research"],
    ),
]


_JOURNALS = {
    JournalFormat.CSV: "journal",
    JournalFormat.DATEV: "EXTF_Buchungsstapel",
    JournalFormat.QUICKBOOKS: "journal-quickbooks",
    JournalFormat.XERO: "journal-xero",
}
_MONTH = "/v1/chargeback/months/{month}"
_POLICY = "/v1/chargeback/policies/{valid_from}"


@router.get("/v1/chargeback/policies")
async def get_policies(services: ServicesNow, caller: Reader) -> list[PolicyVersion]:
    """List the policies (departments and rules), the latest first."""
    async with services.database.begin() as connection:
        return await list_policies(connection, await find_tenant(connection, caller.tenant_id))


@router.get(_POLICY)
async def get_policy(services: ServicesNow, caller: Reader, valid_from: ValidFrom) -> PolicyVersion:
    """Return the policy that begins on a day."""
    async with services.database.begin() as connection:
        return await find_policy(
            connection, await find_tenant(connection, caller.tenant_id), valid_from
        )


@router.put(_POLICY)
async def put_a_policy(
    services: ServicesNow,
    caller: Changer,
    valid_from: ValidFrom,
    wanted: PolicyPut,
) -> PolicyVersion:
    """Keep a policy from a day on. A change names the revision that was read.

    A day within a closed month is refused: what is closed stays as it is.
    """
    async with services.database.begin() as connection:
        own = await find_tenant(connection, caller.tenant_id)
        now = now_of(own)
        return await put_policy(connection, caller, own, valid_from, wanted, now)


@router.delete(_POLICY, status_code=204)
async def delete_a_policy(services: ServicesNow, caller: Changer, valid_from: ValidFrom) -> None:
    """Remove a policy that no closed month depends on."""
    async with services.database.begin() as connection:
        own = await find_tenant(connection, caller.tenant_id)
        await delete_policy(connection, caller, own, valid_from)


@router.post("/v1/chargeback/preview")
async def post_preview(
    services: ServicesNow, caller: Reader, wanted: StatementPreview
) -> Statement:
    """Return the statement that a month would have under a policy. Nothing is kept."""
    async with services.database.begin() as connection:
        own = await find_tenant(connection, caller.tenant_id)
        now = now_of(own)
        return await preview(connection, services.settings, own, wanted, now)


@router.get("/v1/chargeback/months")
async def get_months(services: ServicesNow, caller: Reader) -> list[MonthSummary]:
    """List the months, the latest first: running, open to be closed, or closed."""
    async with services.database.begin() as connection:
        now = await tenant_now(connection, caller.tenant_id)
        return await list_months(connection, await find_tenant(connection, caller.tenant_id), now)


@router.get(
    _MONTH + ".csv", response_class=Response, responses={200: {"content": {"text/csv": {}}}}
)
async def get_statement_csv(services: ServicesNow, caller: Reader, month: Month) -> Response:
    """Return a month's statement as CSV: a row for each part of each line."""
    book = await _book(services, caller, month)
    return _file(statement_csv(book.statement(), book.entries, book.names), month, "csv")


@router.get(
    _MONTH + ".pdf",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {}}}},
)
async def get_statement_pdf(services: ServicesNow, caller: Reader, month: Month) -> Response:
    """Return a month's statement as PDF: the tree with its sums."""
    book = await _book(services, caller, month)
    document = book.statement().model_dump_json()
    drawn = await services.side_process.compute(print_statement, (book.tenant.name, document))
    return _file(drawn, month, "pdf", "application/pdf")


@router.get(_MONTH)
async def get_statement(services: ServicesNow, caller: Reader, month: Month) -> Statement:
    """Return a month's statement: as it was closed, or as it is now.

    Its sums are those of the month's invoices and credit notes to the minor unit.
    """
    return (await _book(services, caller, month)).statement()


@router.get(_MONTH + "/lines")
async def get_statement_lines(
    services: ServicesNow,
    caller: Reader,
    month: Month,
    unit: UnitCode = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[StatementLine]:
    """List the parts of invoices' lines that a month consists of."""
    book = await _book(services, caller, month)
    return list_lines(book, unit, cursor=cursor, limit=limit)


@router.post(_MONTH + "/close")
async def post_close(services: ServicesNow, caller: Changer, month: Month) -> Statement:
    """Close a month that is invoiced. It changes no more; the same again answers the same.

    What comes late is borne by the first month that is open then.
    """
    async with services.database.begin() as connection:
        own = await find_tenant(connection, caller.tenant_id)
        now = now_of(own)
        await close_month(connection, services.settings, caller, own, month, now)
        return (await month_book(connection, services.settings, own, month, now)).statement()


@router.get(
    _MONTH + "/journal", response_class=Response, responses={200: {"content": {"text/csv": {}}}}
)
async def get_journal(
    services: ServicesNow,
    caller: Reader,
    month: Month,
    file_format: JournalFileFormat = JournalFormat.CSV,
) -> Response:
    """Return a closed month's journal entry as a file for an accounting program."""
    book = await _book(services, caller, month)
    entry, terms = book.journal()
    content = journal_file([entry], terms, file_format, account_fields(terms))
    return _file(content, month, "csv", what=_JOURNALS[file_format])


@router.get(
    _MONTH + "/focus", response_class=Response, responses={200: {"content": {"text/csv": {}}}}
)
async def get_focus(services: ServicesNow, caller: Reader, month: Month) -> Response:
    """Return a month as a FOCUS 1.2 dataset: cost and usage by cost center."""
    book = await _book(services, caller, month)
    text = focus_csv(book.focus_month(services.settings.seller_name), book.entries)
    return _file(text, month, "csv", what="focus-1.2")


async def _book(services: Services, caller: Principal, month: date) -> MonthBook:
    async with services.database.begin() as connection:
        own = await find_tenant(connection, caller.tenant_id)
        now = now_of(own)
        return await month_book(connection, services.settings, own, month, now)


def _file(
    content: str | bytes,
    month: date,
    suffix: str,
    media_type: str = "text/csv",
    *,
    what: str = "chargeback",
) -> Response:
    headers = {
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{what}-{month.isoformat()}.{suffix}"',
    }
    return Response(content, media_type=media_type, headers=headers)
