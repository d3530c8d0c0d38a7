"""The seller's books: the journal, revenue by month, and how both are kept."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response

from backend.accounting.forms.journal_files import journal_file
from backend.accounting.forms.revenue_csv import revenue_csv
from backend.accounting.queries import (
    list_entries,
    read_journal,
    revenue_schedule,
    schedules_by_tenant,
)
from backend.accounting.rules.entries import account_fields
from backend.accounting.terms import put_terms, read_terms
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import PageCursor, PageLimit, Services, ServicesNow, needs
from backend.api.parameters import JournalFileFormat
from backend_client.types.accounting import (
    BookEntry,
    BookTermsPut,
    BookTermsVersion,
    RevenueSchedule,
)
from backend_client.types.common import Currency, Page
from backend_client.types.journals import JournalFormat

router = APIRouter(tags=["accounting"])

Reader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Billing = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]
FirstMonth = Annotated[date, Query(description="The first month, as its first day (YYYY-MM-DD).")]
LastMonth = Annotated[
    date | None,
    Query(
        description="The last month, as its first day (YYYY-MM-DD). If left out, the first month "
        "alone."
    ),
]
OfTenant = Annotated[
    str | None,
    Query(
        description="Only of this customer, by its id (`ten_…`) or slug. If left out, of all but "
        "samples.",
        examples=["acme"],
    ),
]

_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}}}


@router.get("/v1/accounting/terms")
async def get_terms(services: ServicesNow, caller: Reader) -> BookTermsVersion:
    """Return how the books are kept: the chart of accounts, the clocks, the forms of files."""
    async with services.database.begin() as connection:
        return await read_terms(connection)


@router.put("/v1/accounting/terms")
async def put_the_terms(
    services: ServicesNow, caller: Billing, wanted: BookTermsPut
) -> BookTermsVersion:
    """Change how the books are kept. Name the revision that was read; 0 for the first change.

    Entries are made of documents each time, so those of past months name other accounts then.
    """
    async with services.database.begin() as connection:
        return await put_terms(connection, caller, wanted, datetime.now(UTC))


@router.get("/v1/accounting/journal")
async def get_entries(
    services: ServicesNow,
    caller: Reader,
    first: FirstMonth,
    last: LastMonth = None,
    tenant: OfTenant = None,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[BookEntry]:
    """List the entries of months, a page of tenants at a time. The same question, the same answer.

    Each balances, and names the document that it books.
    """
    tenant_id = await _tenant_id(services, tenant)
    async with services.database.snapshot() as connection:
        return await list_entries(
            connection, first, last, tenant=tenant_id, cursor=cursor, limit=limit
        )


@router.get("/v1/accounting/journal.csv", response_class=Response, responses=_CSV)
async def get_journal_file(
    services: ServicesNow,
    caller: Reader,
    first: FirstMonth,
    last: LastMonth = None,
    tenant: OfTenant = None,
    currency: Annotated[
        Currency | None,
        Query(
            description="Only of this currency, by its ISO 4217 code. If left out, all.",
            examples=["USD"],
        ),
    ] = None,
    file_format: JournalFileFormat = JournalFormat.CSV,
) -> Response:
    """Return the entries of months as a file for an accounting program."""
    tenant_id = await _tenant_id(services, tenant)
    async with services.database.snapshot() as connection:
        entries, terms = await read_journal(
            connection, first, last, tenant=tenant_id, currency=currency
        )
    content = journal_file(entries, terms, file_format, account_fields(terms.accounts))
    datev = file_format is JournalFormat.DATEV
    return _file(content, "EXTF_Buchungsstapel" if datev else f"journal-{file_format.value}", first)


@router.get("/v1/accounting/revenue")
async def get_revenue(
    services: ServicesNow,
    caller: Reader,
    first: FirstMonth,
    last: LastMonth = None,
    tenant: OfTenant = None,
) -> RevenueSchedule:
    """Return revenue by month: deferred, unbilled and of prepaid credit, with what is carried on.

    Months to come show what is still to be recognized of what was invoiced.
    """
    tenant_id = await _tenant_id(services, tenant)
    async with services.database.snapshot() as connection:
        return await revenue_schedule(connection, first, last, tenant=tenant_id)


@router.get("/v1/accounting/revenue.csv", response_class=Response, responses=_CSV)
async def get_revenue_file(
    services: ServicesNow,
    caller: Reader,
    first: FirstMonth,
    last: LastMonth = None,
    tenant: OfTenant = None,
) -> Response:
    """Return revenue by month as CSV, tenant by tenant."""
    tenant_id = await _tenant_id(services, tenant)
    async with services.database.snapshot() as connection:
        rows = await schedules_by_tenant(connection, first, last, tenant=tenant_id)
    return _file(revenue_csv(rows), "revenue", first)


async def _tenant_id(services: Services, named: str | None) -> str | None:
    if named is None:
        return None
    async with services.database.begin() as connection:
        return (await find_tenant(connection, named)).id


def _file(content: str | bytes, name: str, first: date) -> Response:
    headers = {
        "cache-control": "private, no-cache",
        "content-disposition": f'attachment; filename="{name}-{first:%Y-%m}.csv"',
    }
    return Response(content, media_type="text/csv", headers=headers)
