"""An invoice as a file."""

from __future__ import annotations

from starlette.requests import Request

from backend_client import Conflict, InvalidInput
from backend_client.types.invoices import EInvoiceFormat
from portal.session.downloads import CSV, PDF, Download, NothingToDownload, download
from portal.session.guard import Caller

XML = "application/xml"
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


async def credit_note_sheet(caller: Caller, request: Request) -> Download:
    """A credit note as PDF or CSV, as the API makes it."""
    note_id, _, kind = request.path_params["file"].rpartition(".")
    if kind not in MEDIA_TYPES:
        raise NothingToDownload("A credit note is a .pdf or a .csv.", status=404)
    note = await caller.client.invoices.credit_note(note_id)
    content: bytes | str
    if kind == "pdf":
        content = await caller.client.invoices.credit_note_pdf(note_id)
    else:
        content = await caller.client.invoices.credit_note_csv(note_id)
    return Download(content, f"{note.number}.{kind}", MEDIA_TYPES[kind])


async def e_invoice_file(caller: Caller, request: Request) -> Download:
    """An invoice as an e-invoice, or what it lacks as text."""
    invoice_id, form = request.path_params["invoice"], request.path_params["form"]
    if form not in set(EInvoiceFormat):
        forms = ", ".join(EInvoiceFormat)
        raise NothingToDownload(f"An e-invoice is one of {forms}.", status=404)
    wanted = EInvoiceFormat(form)
    try:
        content = await caller.client.invoices.e_invoice(invoice_id, format=wanted)
    except (InvalidInput, Conflict) as problem:
        raise NothingToDownload(str(problem), status=409) from None
    invoice = await caller.client.invoices.get(invoice_id)
    kind, media_type = ("pdf", PDF) if wanted is EInvoiceFormat.FACTUR_X else ("xml", XML)
    return Download(content, f"{invoice.number}-{form}.{kind}", media_type)


async def credit_note_file(caller: Caller, request: Request) -> Download:
    """A credit note as an e-invoice, XML, or what it lacks as text."""
    invoice_id, note_id = request.path_params["invoice"], request.path_params["note"]
    form = request.path_params["form"]
    forms = [each for each in EInvoiceFormat if each is not EInvoiceFormat.FACTUR_X]
    if form not in set(forms):
        raise NothingToDownload(f"A credit note is one of {', '.join(forms)}.", status=404)
    invoices = caller.client.invoices
    try:
        content = await invoices.credit_note_e_invoice(
            invoice_id, note_id, format=EInvoiceFormat(form)
        )
    except (InvalidInput, Conflict) as problem:
        raise NothingToDownload(str(problem), status=409) from None
    notes = {note.id: note for note in (await invoices.get(invoice_id)).credit_notes}
    return Download(content, f"{notes[note_id].number}-{form}.xml", XML)


DOWNLOADS = (
    download("/downloads/invoices/{file}", invoice_file),
    download("/downloads/credit-notes/{file}", credit_note_sheet),
    download("/downloads/invoices/{invoice}/e-invoice/{form}", e_invoice_file),
    download(
        "/downloads/invoices/{invoice}/credit-notes/{note}/e-invoice/{form}", credit_note_file
    ),
)
