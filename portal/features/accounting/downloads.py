"""A month of the books as files."""

from __future__ import annotations

from starlette.requests import Request

from backend_client import InvalidInput
from backend_client.types.journals import JournalFormat
from portal.features.accounting.rows import EVERYBODY
from portal.session.downloads import CSV, Download, NothingToDownload, download
from portal.session.guard import Caller


async def accounting_file(caller: Caller, request: Request) -> Download:
    """A month's revenue or journal, of one customer or of all, as the API makes it."""
    month, customer = request.path_params["month"], request.path_params["customer"]
    kind = request.path_params["kind"].removesuffix(".csv")
    tenant = None if customer == EVERYBODY else customer
    accounting = caller.client.accounting
    try:
        if kind == "revenue":
            text = await accounting.revenue_csv(month, tenant=tenant)
            return Download(text, f"revenue-{month}.csv", CSV)
        if kind not in {form.value for form in JournalFormat}:
            raise NothingToDownload("There is no such file of a month.", status=404)
        form = JournalFormat(kind)
        content = await accounting.journal_file(month, format=form, tenant=tenant)
    except InvalidInput as problem:
        raise NothingToDownload(str(problem), status=409) from None
    name = "EXTF_Buchungsstapel" if form is JournalFormat.DATEV else f"journal-{kind}"
    return Download(content, f"{name}-{month}.csv", "text/csv")


DOWNLOADS = (download("/downloads/accounting/{month}/{customer}/{kind}", accounting_file),)
