"""An invoice as a file."""

from __future__ import annotations

from starlette.requests import Request

from portal.session.downloads import CSV, PDF, Download, NothingToDownload, download
from portal.session.guard import Caller

MEDIA_TYPES = {"pdf": PDF, "csv": CSV}


async def invoice_file(caller: Caller, request: Request) -> Download:
    """An invoice as PDF or CSV, as the API makes it."""
    invoice_id, _, kind = request.path_params["file"].rpartition(".")
    if kind not in MEDIA_TYPES:
        raise NothingToDownload("An invoice is a .pdf or a .csv.", status=404)
    invoice = await caller.client.invoices.get(invoice_id)
    content: bytes | str
    if kind == "pdf":
        content = await caller.client.invoices.pdf(invoice_id)
    else:
        content = await caller.client.invoices.csv(invoice_id)
    name = invoice.number or f"draft-{invoice.period.start:%Y-%m}"
    return Download(content, f"{name}.{kind}", MEDIA_TYPES[kind])


DOWNLOADS = (download("/downloads/invoices/{file}", invoice_file),)
