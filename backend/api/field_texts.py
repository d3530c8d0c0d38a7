"""What fields are that many types have, for the OpenAPI document: each described once, by its name.

What is peculiar to a type is described where the type is; a field described there keeps its words.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from backend.api.example_values import PREFIXES
from backend_client.types.notifications import NotificationEvent

SHARED: Final = {
    "application": "The application, by its id (`app_…`).",
    "application_id": "The application, by its id (`app_…`).",
    "as_of": "The instant of which it is true.",
    "computed_at": "When it was computed.",
    "created_at": "When it was made.",
    "created_by": "Who made it, by id, such as `usr_…` or `key_…`.",
    "currency": "The currency of its amounts, by its ISO 4217 code.",
    "delivered_at": "When it arrived; null while it has not.",
    "disabled_at": "Since when it is disabled; null if it is not.",
    "end": "Where it ends; itself no longer in it.",
    "event_count": "How many events are in it.",
    "expires_at": "When it ends by itself; null: never.",
    "first_token_seconds": "How long the first token took, in seconds; null if none came.",
    "granularity": "How wide its rows are in time.",
    "invoice_id": "The invoice, by its id (`inv_…`).",
    "is_sample": "Whether its data are a sample, which sums over all customers leave out.",
    "items": "What the page has, in the order of the list.",
    "key": "The API key, by its id (`key_…`).",
    "key_id": "The API key, by its id (`key_…`).",
    "last_event_at": "When the newest event was received; null if there is none.",
    "last_four": "The last four characters of the secret, to tell it from others.",
    "meter": "What is counted, such as `input_tokens`.",
    "model": "The model, by its name in the catalog.",
    "model_limits": "Rate limits for calls of certain models, beside `limits`.",
    "next_attempt_at": "When it is tried again; null if it is not.",
    "next_cursor": "What to send as `cursor` for the next page; null on the last one.",
    "plan_version": "Which version of the plan, counted from 1.",
    "previous_until": "Until when a secret from before works too; null if none does.",
    "quantities": "How much was used, by meter: exact numbers.",
    "resets_at": "When it begins anew with nothing used.",
    "revision": "How often it was changed. Send the one that you read, so that no change is lost.",
    "revoked_at": "When it was revoked; null if it was not.",
    "role": "What the person may do in the organization.",
    "start": "Where it begins; itself in it.",
    "tenant_id": "The customer's organization, by its id (`ten_…`).",
    "time_zone": "The time zone, by its IANA name, whose days and months count.",
    "timestamp": "When it happened.",
    "updated_at": "When it was last changed.",
    "user_id": "The person, by id (`usr_…`).",
    "webhook_id": "The endpoint, by its id (`whk_…`).",
}
"""Of every type that is not in ``OTHERWISE``."""

_PAPER: Final = {
    "number": "The number on the document; null until it is issued.",
    "issued_at": "When it was issued; null until then.",
    "due_at": "Until when it has to be paid; null until it is issued.",
    "total": "What it comes to, tax included as far as `tax_known`.",
    "due": "What is still to be paid of it.",
    "overdue": "Whether it is not paid, and its time to pay is over.",
    "finalizes_at": "When the draft is issued by itself; null if it is no draft, or waits.",
    "tax_known": "False while `total` lacks the tax, which is asked for before it is issued.",
    "seller": "Who bills, as the document has it.",
    "customer": "Who is billed, as the document has it.",
    "lines": "What is billed, or taken back, one by one.",
    "subtotal": "The sum of the lines, before taxes that come on top.",
    "tax": "The sum of the taxes that come on top.",
    "tax_date": "The day whose tax rates hold.",
    "taxes": "The taxes by name and rate; some may be within the lines.",
    "tax_notes": "Why tax is not charged, or how.",
    "paid": "What was paid of it.",
    "credited": "What credit notes have taken back of it.",
    "payment_note": "How to pay it, in words.",
    "replaces": "The invoice, by id, in whose place it was issued; null if in none's.",
    "replaced_by": "The invoice, by id, that was issued in its place; null if none was.",
    "reverses": "The credit note, by id, that it takes back; null if none.",
    "payments": "Its payments, with those that were returned.",
    "credit_notes": "The credit notes that take back parts of it.",
    "reminders": "The reminders that were sent of it.",
    "invoice_number": "The number on the invoice that it takes back a part of.",
    "reason": "Why it was issued.",
    "to_balance": "What was paid already of it: the next invoices draw on it.",
    "to_credit": "What given credit had paid of it, which is in the wallet again.",
    "kind": "What the document is for.",
    "state": "How far it has come, from draft to paid.",
    "period": "The billing period that it is for.",
}
_KEY: Final = {
    "name": "What people know it by; programs need only its id.",
    "limits": "Requests and tokens that it may use in a minute, and calls at a time.",
    "budget": "What it may spend in a period; null: no limit of its own.",
    "scopes": "What may be done with it.",
    "models": "The models that it may call; null: all.",
    "secret": "The secret itself, to send as `Authorization: Bearer`: shown this once.",
    "prefix": "How the secret begins.",
    "rotated_at": "When it last got a new secret; null if never.",
    "previous_count": "How many secrets from before a rotation still work.",
    "last_used_at": "When a call was last made with it, to the minute; null if never.",
    "enabled": "False refuses its calls until it is true again.",
    "service_account": "Whether it is its application's, and stays when who made it leaves.",
    "addresses": "The networks that it is taken from, such as 203.0.113.0/24; null: any.",
    "origins": "Origins of web pages that it is taken from; null: those of the installation.",
    "archived": "True ends the making of keys in it; false takes it back from the archive.",
}
_BUCKET: Final = {
    "start": "Where the row's time begins.",
    "application": "The application, by its id; null if not grouped by it.",
    "key": "The API key, by its id; null if not grouped by it.",
    "model": "The model, by its name; null if not grouped by it.",
    "meter": "What is counted; null if not grouped by it.",
    "upstream": "The model provider; null if not grouped by it.",
    "status": "How the calls ended; null if not grouped by it.",
    "quantity": "How much was used, in units of the meter: an exact number.",
    "calls": "How many calls began in the row's time.",
    "seconds": "How long completed calls took, in seconds; null if there were none.",
    "amount": "What it added to the bill, unrounded; below zero if it made earlier usage cheaper.",
    "rows": "Ordered by `start`, then by what it is grouped by.",
    "version": "Grows with every change to the tenant's usage.",
}
_EVENT: Final = {
    "id": "The sender's own id of it, by which it counts once however often it is sent.",
    "source": "Which of the sender's services it comes from.",
    "sender": "Who sent it: the gateway, the operator's services, or the tenant.",
    "time": "When it was used.",
    "received_at": "When it was received.",
    "upstream": "The model provider that served it, by name; for the operator alone.",
    "labels": "What the sender says of it, by name, to group, filter and price by.",
    "counted": "What the local tokenizer counted, beside what the provider reported.",
    "voided": "Whether it was taken back: then it counts for nothing.",
    "corrected_at": "When it was last corrected; null if never.",
    "streamed": "Whether the answer came in parts.",
    "outcome": "Whether it completed, failed at the provider, was aborted, or was refused.",
    "duration_ms": "How long it took until the answer's end, in milliseconds.",
    "bodies": "What was asked and answered, if it is kept and may be read; else null.",
}
_CREDIT: Final = {
    "name": "What people read it as.",
    "amount": "How much credit it is; exact, in the wallet's currency.",
    "granted": "All that was ever added.",
    "available": "What can still be spent, what is held back for running calls left out.",
    "reserved": "What is held back for calls that are running.",
    "used": "What calls and invoices have taken.",
    "expired": "What ended unused.",
    "refunded": "What was paid back.",
    "spendable": "What can be spent now: available, neither expired nor to come.",
    "priority": "Which credit is used first: that of the lowest number.",
    "models": "The models that it pays for; null: all.",
    "starts_at": "From when it can be spent.",
    "settings": "What is set: the rule that tops it up, and when it warns.",
    "low_since": "Since when less than the warned balance is left; null if more is.",
    "at": "When it was moved.",
    "kind": "Whether it was bought or given.",
    "origin": "Where it comes from: `operator`, `plan`, `top_up` or `contract`.",
    "in_arrears": "Whether it pays bills of the time until it ends, also after that.",
    "rollover_percent": "Which part of what is left stays when it ends; null: none.",
    "rollover_months": "How many months longer that part stays.",
    "rolled_over": "How much stayed when it ended; null until then.",
    "taxed_at_sale": "Whether its sale carried the tax, so that what it pays is not taxed again.",
    "top_ups_taxed": "Whether tax falls on the sale of credit: it brings what the tax leaves.",
    "number": "Counts the entries.",
    "grant": "The credit that was moved, by its id (`grt_…`).",
    "source": "The account that it was taken from.",
    "target": "The account that it was put in.",
    "cause": "The call, the invoice or the act that moved it.",
}
_PROBLEM: Final = {
    "type": "A URI of the kind of problem; `code` says more.",
    "title": "The kind of problem in words, the same each time.",
    "status": "The answer's HTTP status.",
    "detail": "What is wrong with this request, in a sentence.",
    "instance": "The path that was asked for.",
    "request_id": "The answer's header `x-request-id`, to ask about it.",
    "errors": "The fields that can't be used, and why.",
    "field": "Which field, as a path such as `charges.0.price`.",
}
_NOTIFIED: Final = {
    "type": "The kind of event, by which programs tell what is in `data`.",
    "data": "What happened.",
}
_ENDPOINT: Final = {
    "url": "Where events are sent by POST.",
    "description": "What people know it by.",
    "events": "The kinds of events that it is sent; null: all.",
    "enabled": "Whether it is sent events.",
    "disabled_because": "Why it is disabled; null if it is not.",
    "failing_since": "When the first attempt failed that none succeeded after; null if none did.",
    "secret": "What events are signed with: shown this once, never again.",
    "number": "Which attempt, counted from 1.",
    "at": "When it was made.",
    "duration_ms": "How long it took, in milliseconds; null while it is under way.",
    "status": "The HTTP status of the answer; null without one.",
    "answer": "The beginning of what the endpoint answered.",
    "reason": "Why it failed; null if it did not.",
    "kind": "The kind of event.",
    "occurred_at": "When the event happened.",
    "state": "How far the delivery is.",
    "attempts": "How many requests were made, those before it was sent again too.",
    "event_id": "The event, by the id that its header `webhook-id` carries (`ntf_…`).",
    "event": "The event as it is sent.",
    "attempt_log": "Each request, with what was answered.",
}
OF_TYPES: Final[dict[tuple[str, ...], dict[str, str]]] = {
    ("ApiKey", "ApiKeyCreate", "ApiKeyCreated", "ApiKeyChange"): _KEY,
    ("OperatorKey", "OperatorKeyCreated", "Application", "ApplicationChange"): _KEY,
    ("ApplicationCreate",): _KEY,
    ("UsageRow", "CallsRow", "CostRow", "UsageReport", "CallsReport", "CostReport"): _BUCKET,
    ("UsageData", "StoredEvent", "LoggedRequest", "LoggedRequestDetails"): _EVENT,
    ("LineEvent",): _EVENT,
    ("CreditGrant", "CreditGrantCreate", "WalletBalance", "LedgerEntry"): _CREDIT,
    ("Problem", "FieldError"): _PROBLEM,
    ("Webhook", "TenantWebhook", "WebhookCreate", "WebhookCreated"): _ENDPOINT,
    ("WebhookChange",): _ENDPOINT,
    ("WebhookAttempt", "WebhookDelivery", "WebhookDeliveryDetails"): _ENDPOINT,
    ("Invoice", "InvoiceSummary", "CreditNote"): _PAPER,
    tuple(event.__name__ for event in get_args(get_args(NotificationEvent)[0])): _NOTIFIED,
}
"""By the names of types, which may end in ``-Input`` or ``-Output``."""
_PAGE: Final = "A page of a list. The next is asked for with `next_cursor`."
OTHERWISE: Final = {
    "CsvMapping": "They are names of columns.",
    "TimeWindow": "They are times of a day.",
    "AllocationRule": "They are what a rule compares with.",
    "FocusReading": "They are names of columns.",
    "SharedRule": "They are what a rule shares out.",
}
"""Types whose fields are named as others' and are something else, and why."""


def describe_fields(document: dict[str, Any]) -> None:
    """Describe the fields of a document's schemas that their types don't, in place."""
    for schema, description in document["components"]["schemas"].items():
        kind = schema.removesuffix("-Input").removesuffix("-Output")
        if kind.startswith("Page_"):
            description.setdefault("description", _PAGE)
        if kind in OTHERWISE:
            continue
        texts = {**SHARED, **_own_id(kind), **_of_type(kind)}
        for name, field in description.get("properties", {}).items():
            if name in texts:
                field.setdefault("description", texts[name])


def _of_type(kind: str) -> dict[str, str]:
    return {
        name: text
        for kinds, texts in OF_TYPES.items()
        if kind in kinds
        for name, text in texts.items()
    }


def _own_id(kind: str) -> dict[str, str]:
    prefix = PREFIXES.get(kind.removesuffix("Created").removesuffix("Summary"))
    return {"id": f"Its id (`{prefix}_…`), by which paths name it."} if prefix else {}
