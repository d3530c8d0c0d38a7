"""What a letter says: its subject, its sentences, its figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from backend.invoices.paper import words
from backend_client.types.common import plain
from backend_client.types.invoices import Invoice
from backend_client.types.leaked_keys import LeakOutcome
from backend_client.types.notifications import (
    BudgetReachedEvent,
    CreditAmount,
    CreditNoteIssuedEvent,
    DepartmentBudgetReachedEvent,
    InvitationCreatedEvent,
    InvoiceFinalizedEvent,
    InvoicePaidEvent,
    InvoicePaymentReturnedEvent,
    InvoiceReminderEvent,
    InvoiceSuspendedEvent,
    KeyBudgetReachedEvent,
    KeyLeakedEvent,
    NotificationEvent,
    QuotaReachedEvent,
    WalletLowBalanceEvent,
    WalletTopUpFailedEvent,
    WebhookDisabledEvent,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """The text of a letter. ``figures`` are names and values, ``ending`` comes after them."""

    subject: str
    sentences: Sequence[str]
    figures: Sequence[tuple[str, str]]
    ending: Sequence[str] = ()


def wording(event: NotificationEvent, invoice: Invoice | None, seller: str) -> Wording:
    """Word what happened. ``invoice`` is the one concerned, as it stands now.

    Raises ``ValueError`` for a kind that customers get no letter about.
    """
    match event:
        case InvoiceFinalizedEvent() if invoice is not None:
            return _issued(event, invoice, seller)
        case InvoiceReminderEvent() | InvoiceSuspendedEvent() if invoice is not None:
            return _overdue(event, invoice, seller)
        case InvoicePaidEvent():
            return _paid(event, seller)
        case InvoicePaymentReturnedEvent():
            return _returned(event, seller)
        case CreditNoteIssuedEvent():
            return _credited(event, seller)
        case WalletLowBalanceEvent():
            return _low(event, seller)
        case WalletTopUpFailedEvent():
            return _not_bought(event, seller)
        case DepartmentBudgetReachedEvent():
            return _budget_reached(event, seller)
        case QuotaReachedEvent():
            return _quota_reached(event, seller)
        case KeyBudgetReachedEvent():
            return _key_budget_reached(event, seller)
        case WebhookDisabledEvent():
            return _webhook_disabled(event, seller)
        case BudgetReachedEvent():
            return _calls_reached(event, seller)
        case InvitationCreatedEvent():
            return _invited(event, seller)
        case KeyLeakedEvent():
            return _leaked(event, seller)
        case _:
            raise ValueError(f"customers get no letter about {event.type.value}")


def as_text(words: Wording, greeting: str, seller: str) -> str:
    """Return a letter as plain text."""
    widest = max((len(name) for name, _ in words.figures), default=0)
    figures = "\n".join(f"  {name + ':':<{widest + 1}} {value}" for name, value in words.figures)
    parts = [greeting, *words.sentences, figures, *words.ending, seller]
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(words: Wording, greeting: str, seller: str) -> str:
    """Return the same letter as HTML that refers to no other file."""
    rows = "".join(
        f'<tr><td style="padding:2px 16px 2px 0;color:#60646c">{escape(name)}</td>'
        f"<td>{escape(value)}</td></tr>"
        for name, value in words.figures
    )
    before = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in (greeting, *words.sentences))
    after = "".join(f"<p>{_lines(paragraph)}</p>" for paragraph in (*words.ending, seller))
    table = f'<table style="border-collapse:collapse">{rows}</table>' if rows else ""
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;color:#1c2024">'
        f"{before}{table}{after}</body></html>\n"
    )


def _issued(event: InvoiceFinalizedEvent, invoice: Invoice, seller: str) -> Wording:
    data = event.data
    day = words.date(data.due_at, data.period.time_zone)
    if data.total.amount < 0:
        asks = "It is below zero; the amount is kept on your balance for the next invoices."
    elif data.due.amount:
        asks = f"Please pay {words.money(data.due)} by {day}."
    else:
        asks = "There is nothing left to pay."
    figures = [
        ("Invoice", data.number),
        ("Period", words.period(data.period)),
        ("Total", words.money(data.total)),
        ("To pay", words.money(data.due)),
    ]
    if data.due.amount:
        figures.append(("Due", day))
    note = invoice.payment_note if data.due.amount else ""
    return Wording(
        f"Invoice {data.number} from {seller}",
        [f"Here is your invoice {data.number}. {asks} The invoice is attached."],
        figures,
        [note] if note else [],
    )


def _overdue(
    event: InvoiceReminderEvent | InvoiceSuspendedEvent, invoice: Invoice, seller: str
) -> Wording:
    data = event.data
    day = words.date(data.due_at, invoice.period.time_zone)
    # What is due now: a part may have been paid since
    asks = f"{words.money(invoice.due)} of invoice {data.number} were due on {day}"
    if isinstance(event, InvoiceSuspendedEvent):
        subject = f"Calls are suspended: invoice {data.number} from {seller} is not paid"
        sentence = (
            f"{asks} and are not paid. Your calls are refused from now on, until the invoice is "
            "paid. The invoice is attached."
        )
    else:
        subject = f"Reminder: invoice {data.number} from {seller} is overdue"
        sentence = (
            f"{asks} and, as far as we can see, are not paid. Please pay them now. The invoice is "
            "attached. If your payment is on its way, there is nothing more to do."
        )
    figures = [
        ("Invoice", data.number),
        ("Total", words.money(data.total)),
        ("To pay", words.money(invoice.due)),
        ("Due", day),
    ]
    return Wording(
        subject, [sentence], figures, [invoice.payment_note] if invoice.payment_note else []
    )


def _paid(event: InvoicePaidEvent, seller: str) -> Wording:
    data = event.data
    figures = [("Invoice", data.number), ("Total", words.money(data.total))]
    figures.append(("Paid", words.money(data.paid)))
    if data.credited.amount:
        figures.append(("Credited", words.money(data.credited)))
    return Wording(
        f"Invoice {data.number} from {seller} is paid",
        [f"Thank you: nothing is left to pay of invoice {data.number}."],
        figures,
    )


def _returned(event: InvoicePaymentReturnedEvent, seller: str) -> Wording:
    data = event.data
    sentences = [
        f"Your payment of {words.money(data.amount)} by {data.method} on invoice {data.number} was "
        f"taken back. {words.money(data.due)} of the invoice are to be paid again."
    ]
    if data.fee is not None:
        sentences.append(f"A fee of {words.money(data.fee)} is on your next invoice.")
    return Wording(
        f"A payment on invoice {data.number} from {seller} was taken back",
        sentences,
        [
            ("Invoice", data.number),
            ("Taken back", words.money(data.amount)),
            ("Reference", data.reference),
            ("To pay", words.money(data.due)),
        ],
    )


def _credited(event: CreditNoteIssuedEvent, seller: str) -> Wording:
    data = event.data
    sentence = (
        f"We have issued the credit note {data.number} on your invoice {data.invoice_number}."
    )
    if data.to_balance.amount:
        sentence += (
            f" {words.money(data.to_balance)} of it were paid already; they are on your balance, "
            "which the next invoices draw on."
        )
    if data.to_credit is not None and data.to_credit.amount:
        sentence += f" {words.money(data.to_credit)} of it went back to your credit."
    return Wording(
        f"Credit note {data.number} from {seller}",
        [sentence],
        [
            ("Credit note", data.number),
            ("Invoice", data.invoice_number),
            ("Credited", words.money(data.total)),
            ("Reason", data.reason),
        ],
    )


def _low(event: WalletLowBalanceEvent, seller: str) -> Wording:
    data = event.data
    return Wording(
        f"Your credit at {seller} is running low",
        [
            f"Your credit has fallen below {_credit(data.low_balance)}. When none is left, calls "
            "on prepaid plans are refused."
        ],
        [("Credit left", _credit(data.balance))],
    )


def _not_bought(event: WalletTopUpFailedEvent, seller: str) -> Wording:
    data = event.data
    asked = "was asked for by your wallet's rule" if data.automatic else "was asked for"
    return Wording(
        f"Your payment to {seller} for credit failed",
        [
            f"A payment of {_credit(data.amount)} for credit, which {asked}, failed. No credit "
            "was added."
        ],
        [("Amount", _credit(data.amount)), ("Reference", data.reference)],
    )


def _budget_reached(event: DepartmentBudgetReachedEvent, seller: str) -> Wording:
    data = event.data
    spent = "all of its budget" if data.percent >= 100 else f"{data.percent}% of its budget"
    return Wording(
        f"{data.name} has spent {spent} at {seller}",
        [f"In the month from {data.month} on, {data.name} ({data.code}) has spent {spent}."],
        [("Spent", words.money(data.spent)), ("Budget", words.money(data.budget))],
    )


def _quota_reached(event: QuotaReachedEvent, seller: str) -> Wording:
    data = event.data
    share = "All" if data.percent >= 100 else f"{data.percent}%"
    return Wording(
        f"{share} of a quota at {seller} is used",
        [f"{share} of your plan's quota of {' and '.join(data.meters)} is used."],
        [
            ("Used", f"{data.used:,f}"),
            ("Quota", f"{data.quantity:,f}"),
            ("Renewed", words.date(data.resets_at, "UTC")),
        ],
    )


def _key_budget_reached(event: KeyBudgetReachedEvent, seller: str) -> Wording:
    data = event.data
    spent = "all of its budget" if data.percent >= 100 else f"{data.percent}% of its budget"
    return Wording(
        f"The API key {data.name} has spent {spent} at {seller}",
        [f"The API key {data.name} has spent {spent}."],
        [
            ("Spent", _credit(data.used)),
            ("Budget", _credit(data.budget)),
            ("Begins anew", words.date(data.resets_at, "UTC")),
        ],
    )


def _calls_reached(event: BudgetReachedEvent, seller: str) -> Wording:
    data = event.data
    whose = "The application" if data.of == "application" else "The label"
    spent = "all of its budget" if data.percent >= 100 else f"{data.percent}% of its budget"
    then = (
        "Calls that could pass it are refused."
        if data.limit == "hard"
        else "Calls go on: the budget is soft."
    )
    return Wording(
        f"{data.name} has used {spent} at {seller}",
        [f"{whose} {data.name} has used {spent} for the {data.period}. {then}"],
        [
            ("Used", _credit(data.spent)),
            ("Budget", _credit(data.budget)),
            ("Begins anew", words.date(data.resets_at, "UTC")),
        ],
    )


def _webhook_disabled(event: WebhookDisabledEvent, seller: str) -> Wording:
    data = event.data
    return Wording(
        f"{seller} sends no more events to {data.url}",
        [
            f"No event has been delivered to your webhook {data.url} since "
            f"{words.date(data.failing_since, 'UTC')}. It was disabled: it is sent nothing more.",
            "Once it works, enable it in the portal, and have what it missed sent again.",
        ],
        [("Last failure", data.reason)],
    )


def _invited(event: InvitationCreatedEvent, seller: str) -> Wording:
    data = event.data
    return Wording(
        f"{seller} has invited you to {data.tenant_name}",
        [
            f"You have been invited to join {data.tenant_name} as {data.role.value}. To accept, "
            f"sign in with this address: {data.sign_in_url}",
            "If you do not expect this, there is nothing to do.",
        ],
        [("Until", words.date(data.expires_at, "UTC"))],
    )


_LEAKS: Final[Mapping[LeakOutcome, str]] = {
    "revoked": "The key is revoked: calls with it are refused.",
    "disabled": "The key is disabled: calls with it are refused until you enable it.",
    "secret_ended": "It is an earlier secret of the key, which has ended; its present one goes on.",
}


def _leaked(event: KeyLeakedEvent, seller: str) -> Wording:
    data = event.data
    where = [("Found at", data.url)] if data.url else []
    return Wording(
        f"Your API key {data.key_name} at {seller} was found in public",
        [
            f"The secret of the API key {data.key_name} was found where others can read it. "
            f"{_LEAKS.get(data.outcome, '')}",
            f"Remove it there, make another key where one is needed, and look at what the key was "
            f"used for: {data.keys_url}",
        ],
        [("Key", data.key_shown), *where],
    )


def _credit(amount: CreditAmount) -> str:
    return f"{plain(amount.amount)} {amount.currency}"


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.splitlines())
