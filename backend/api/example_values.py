"""What stands in the examples of the OpenAPI document: values by a member's name.

They are invented, and the same in every example, so that one request's answer reads as the next
one's question.
"""

from __future__ import annotations

from typing import Any, Final

TAIL: Final = "019ab2f4c1d27a3e9c6b5d4e3f2a1b0c"
"""Of every id; what it is of, its prefix says."""
INSTANT: Final = "2026-03-01T09:00:00Z"
DAY: Final = "2026-03-01"

PREFIXES: Final = {
    "ApiKey": "key",
    "Application": "app",
    "AuditEntry": "aud",
    "Contract": "ctr",
    "Conversation": "cnv",
    "Coupon": "cpn",
    "CreditGrant": "grt",
    "CreditNote": "crn",
    "Discrepancy": "dsc",
    "Dispatch": "dsp",
    "Invitation": "ivt",
    "Invoice": "inv",
    "InvoiceItem": "itm",
    "InvoiceRun": "run",
    "LabelBudget": "lbd",
    "LineEvent": "req",
    "LoggedRequest": "req",
    "Notification": "ntf",
    "OperatorKey": "opg",
    "Payment": "pay",
    "Reconciliation": "rec",
    "SavedPrompt": "prm",
    "Session": "ses",
    "StoredEvent": "req",
    "Subscription": "sub",
    "Tenant": "ten",
    "TenantTopUp": "top",
    "TopUp": "top",
    "TenantWebhook": "whk",
    "Webhook": "whk",
}
"""Of ``id``, by what the schema's name begins with."""

NAMED_IDS: Final = {
    "application": "app",
    "application_id": "app",
    "by": "usr",
    "changed_by": "usr",
    "closed_by": "usr",
    "contract_id": "ctr",
    "created_by": "usr",
    "credit_note_id": "crn",
    "actor": "usr",
    "accepted_by": "usr",
    "event_id": "req",
    "grant": "grt",
    "hand_over_to": "usr",
    "invitation_id": "ivt",
    "invoice": "inv",
    "invoice_id": "inv",
    "key": "key",
    "key_id": "key",
    "request_id": "req",
    "reconciliation_id": "rec",
    "replaced_by": "inv",
    "replaces": "inv",
    "tenant_id": "ten",
    "top_up_id": "top",
    "user_id": "usr",
}

VALUES: Final[dict[str, Any]] = {
    "action": "key.create",
    "address": "203.0.113.7",
    "addresses": "203.0.113.0/24",
    "amount": "12.50",
    "base_url": "https://models.example.com/v1",
    "city": "Berlin",
    "code": "standard",
    "country": "DE",
    "currency": "USD",
    "current": "sample",
    "detail": "What it says in words.",
    "device": "Firefox on Linux",
    "email": "ada@example.com",
    "kind": "usage",
    "label": "team",
    "last_four": "1b0c",
    "meter": "input_tokens",
    "meters": "input_tokens",
    "model": "your-model",
    "models": "your-model",
    "month": "2026-03",
    "name": "Production web",
    "next_cursor": None,
    "note": "For the accounting department",
    "number": "INV-2026-0001",
    "plan": "pay-as-you-go",
    "platform": "stripe",
    "postal_code": "10115",
    "prefix": "fb_live_",
    "price": "0.25",
    "protocol": "chat",
    "provider": "openai",
    "quantity": "1200",
    "reason": "Agreed with the customer",
    "reference": "PO-4711",
    "scopes": "inference",
    "secret": "shown-once",
    "slug": "sample-company",
    "source": "https://chat.example.com",
    "street": "Sample street 1",
    "tax_id": "DE123456789",
    "text": "Say hello.",
    "time_zone": "Europe/Berlin",
    "tokenizer": "o200k_base",
    "type": "com.example.tokens",
    "unit_price": "0.25",
    "upstream": "main",
    "url": "https://example.com/webhooks",
    "input_tokens": "1200",
    "team": "search",
    "percent": "20",
    "share": "0.5",
    **dict.fromkeys(
        (
            *("available", "balance", "below", "billed", "budget", "cost", "credit", "difference"),
            *("early", "exact", "exact_total", "excess", "expected", "expired", "fee", "fixed"),
            *("flat_fee", "granted", "high", "held", "likely", "low", "low_balance", "margin"),
            *("maximum", "minimum", "receivable", "refunded", "remaining", "reserved", "returns"),
            *("revenue", "spendable", "tax", "threshold", "total", "used", "daily_ceiling"),
        ),
        "12.50",
    ),
    **dict.fromkeys(
        (
            *("billable", "counted", "included", "included_per_seat", "metered", "reported"),
            *("up_to", "quantity_per_seat"),
        ),
        "1200",
    ),
}

KEYS: Final = {
    "cash_by_method": "transfer",
    "labels": "team",
    "models": "your-model",
    "quantities": "input_tokens",
    "revenue_by_plan": "pay-as-you-go",
    "tax_by_name": "VAT",
    "units": "input_tokens",
}
"""What an entry is called in an object whose members have no names of their own."""

FITTING: Final[tuple[str, ...]] = (
    *("sample", "USD", "DE", "EUR", "D", "0088", "EM", "09:00", "2026-03", "12.50", "1", "a*"),
    *("FAREBOX_UPSTREAM_KEY_MAIN", "a{model}", "DE123456789", "INV", "sample-name"),
)
"""Tried in turn where a text must have a certain form."""
