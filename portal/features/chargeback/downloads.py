"""A month's statement, dataset and journals as files."""

from __future__ import annotations

from starlette.requests import Request

from backend_client.types.journals import JournalFormat
from portal.session.downloads import CSV, PDF, Download, NothingToDownload, download
from portal.session.guard import Caller


async def chargeback_file(caller: Caller, request: Request) -> Download:
    """A file of a month, as the API makes it: its kind is named after the month."""
    month, kind = request.path_params["month"], request.path_params["kind"]
    chargeback = caller.client.chargeback
    match kind:
        case "statement.pdf":
            return Download(await chargeback.pdf(month), f"chargeback-{month}.pdf", PDF)
        case "statement.csv":
            return Download(await chargeback.csv(month), f"chargeback-{month}.csv", CSV)
        case "focus.csv":
            return Download(await chargeback.focus(month), f"focus-1.2-{month}.csv", CSV)
        case _:
            pass
    program = kind.removesuffix(".csv")
    if program not in {form.value for form in JournalFormat}:
        raise NothingToDownload("There is no such file of a month.", status=404)
    form = JournalFormat(program)
    name = "EXTF_Buchungsstapel" if form is JournalFormat.DATEV else f"journal-{program}"
    journal = await chargeback.journal(month, format=form)
    return Download(journal, f"{name}-{month}.csv", "text/csv")


DOWNLOADS = (download("/downloads/chargeback/{month}/{kind}", chargeback_file),)
