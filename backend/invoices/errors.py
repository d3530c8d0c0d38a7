"""Why an invoice can't be read, issued, paid, credited or voided."""

from __future__ import annotations

from backend.errors import Conflict, NotFound, Unavailable


class InvoiceNotFound(NotFound):
    """The tenant has no such invoice, or it is a draft where an issued one is needed."""

    code, title = "invoice_not_found", "There is no such invoice"


class InvoiceLineNotFound(NotFound):
    """The invoice has no such line."""

    code, title = "invoice_line_not_found", "The invoice has no such line"


class CreditNoteNotFound(NotFound):
    """The tenant has no such credit note."""

    code, title = "credit_note_not_found", "There is no such credit note"


class InvoiceRunNotFound(NotFound):
    """No run that drafts and issues invoices has this id."""

    code, title = "invoice_run_not_found", "There is no such run"


class InvoiceIsDraft(Conflict):
    """The invoice is a draft: it has to be issued first."""

    code, title = "invoice_is_draft", "The invoice is a draft"


class InvoiceAlreadyPaid(Conflict):
    """The invoice is paid: only a credit note returns money."""

    code, title = "invoice_already_paid", "The invoice is already paid"


class InvoiceVoid(Conflict):
    """The invoice is void and asks for nothing."""

    code, title = "invoice_void", "The invoice is void"


class InvoiceAlreadyIssued(Conflict):
    """The invoice is issued already, and can't become a draft again."""

    code, title = "invoice_already_issued", "The invoice is issued already"


class InvoiceHasPayments(Conflict):
    """Money was paid or credited on the invoice, so it can't become void: write a credit note."""

    code = "invoice_has_payments"
    title = "Money was paid or credited on this invoice: return it by a credit note"


class InvoiceFullyCredited(Conflict):
    """Earlier credit notes took all that the invoice asked for, or it asked for nothing."""

    code = "invoice_fully_credited"
    title = "Nothing is left of this invoice that could be credited"


class PaymentReferenceReused(Conflict):
    """A payment of another amount has this method and reference."""

    code, title = "payment_reference_reused", "A payment is recorded with this reference"


class BillingPeriodOpen(Conflict):
    """More usage may come until the period ends."""

    code = "billing_period_open"
    title = "This billing period is not over; its invoice can't be final yet"


class NothingToInvoice(Conflict):
    """The draft is gone, and its period is done."""

    code = "nothing_to_invoice"
    title = "The period is closed: it asked for nothing, so there is no invoice"


class TaxNotKnown(Unavailable):
    """The tax service is away, or its answer can't be right; nothing was issued."""

    code, title = "tax_not_known", "The tax is not known"
