"""Why an invoice can't be read, issued, paid, credited or voided."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound, Unavailable


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


class InvoiceNotBillableAgain(Conflict):
    """No later invoice would bill its periods anew: issue it again instead."""

    code = "invoice_not_billable_again"
    title = "The next invoice can't bill this one's periods again"


class CreditNoteReversed(Conflict):
    """An invoice took the credit note back already."""

    code, title = "credit_note_reversed", "This credit note was taken back already"


class InvoiceFullyCredited(Conflict):
    """Earlier credit notes took all that the invoice asked for, or it asked for nothing."""

    code = "invoice_fully_credited"
    title = "Nothing is left of this invoice that could be credited"


class PaymentNotFound(NotFound):
    """The invoice has no such payment, or what paid it was not money from outside."""

    code, title = "payment_not_found", "There is no such payment of money"


class PaymentReturned(Conflict):
    """The bank or the card's owner took the payment back already."""

    code, title = "payment_returned", "This payment was taken back already"


class BalancePaidOut(Conflict):
    """What the payment put on the balance was paid out since: bill it by a one-off invoice."""

    code = "balance_paid_out"
    title = "What this payment put on the balance was paid out since"


class NothingToApply(Conflict):
    """The invoice asks for nothing, or there is nothing that could pay it."""

    code, title = "nothing_to_apply", "There is nothing that could pay this invoice"


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


class InvoiceItemNotFound(NotFound):
    """No such line waits for the customer's next invoice, or was taken by one."""

    code, title = "invoice_item_not_found", "There is no such line for the next invoice"


class InvoiceItemTaken(Conflict):
    """An invoice has taken the line, or a part of it: credit it there instead."""

    code, title = "invoice_item_taken", "An invoice has taken this line already"


class CreditSaleStands(Conflict):
    """Its credit is in the wallet. Refund that, and a credit note takes back its tax."""

    code = "credit_sale_stands"
    title = "Refund the credit instead: then its document is credited with it"


class TaxNotKnown(Unavailable):
    """The tax service is away, or its answer can't be right; nothing was issued."""

    code, title = "tax_not_known", "The tax is not known"


class EInvoiceDataMissing(InvalidInput):
    """The form needs more of the seller or the buyer: each field is named, and where it is set."""

    code, title = "e_invoice_data_missing", "The e-invoice lacks legal data"


class EInvoiceNotExpressible(Conflict):
    """The form has no room for this document: several taxes on a line, thousandths of a unit."""

    code, title = "e_invoice_not_expressible", "There is no e-invoice of this document"


class AmountOverDue(InvalidInput):
    """More than an invoice still asks for; the rest of a payment is kept by ``excess: balance``."""

    code, title = "amount_over_due", "The amount is more than is due"


class AmountOverAvailable(InvalidInput):
    """More than there is of what pays it: balance, credit, or what was paid and can go back."""

    code, title = "amount_over_available", "The amount is more than there is"


class AmountOverCreditable(InvalidInput):
    """More than is left of the invoice or its line, after what was credited before."""

    code, title = "amount_over_creditable", "The amount is more than is left to credit"


class PaymentMethodReserved(InvalidInput):
    """Farebox's own payments or a platform's have this method, and are to be told from others."""

    code, title = "payment_method_reserved", "The method is kept for payments of another source"


class MomentToCome(InvalidInput):
    """Money is said to have moved at a time that is still to come."""

    code, title = "moment_to_come", "This is still to come"
