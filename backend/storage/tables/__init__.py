"""The schema, as SQLAlchemy Core tables, a module for each room that they serve.

A tenant's tables lead their primary keys with the tenant, so that they shard by tenant. Times are
``timestamptz``, quantities and money NUMERIC. Migrations create these; see ``migrations/``.
"""

from __future__ import annotations

from backend.storage.tables.accounting import book_terms
from backend.storage.tables.accounts import (
    api_keys,
    applications,
    audit_entries,
    idempotency_keys,
    invitations,
    key_calls,
    key_windows,
    members,
    operator_grants,
    operator_keys,
    retired_secrets,
    sessions,
    tenants,
    test_clocks,
    used_id_tokens,
    users,
)
from backend.storage.tables.catalog import (
    catalog_meters,
    catalog_state,
    models,
    plan_versions,
    tax_rates,
)
from backend.storage.tables.chargeback import (
    chargeback_entries,
    chargeback_months,
    chargeback_policies,
)
from backend.storage.tables.common import metadata
from backend.storage.tables.customers import billing_profiles, tax_id_checks
from backend.storage.tables.forecasting import forecasts
from backend.storage.tables.gateway import (
    body_logging,
    call_measures,
    gateway_requests,
    model_hours,
    request_bodies,
    upstreams,
)
from backend.storage.tables.invoices import (
    billed_periods,
    billing_cursors,
    credit_notes,
    dunning_holds,
    invoice_lines,
    invoice_reminders,
    invoice_runs,
    invoice_series,
    invoices,
    payments,
)
from backend.storage.tables.metering import (
    corrections,
    counted_totals,
    daily_rollups,
    declared_labels,
    event_archives,
    events,
    refused_events,
    rollups,
    usage_values,
    usage_versions,
)
from backend.storage.tables.outbox import notification_deliveries, notifications
from backend.storage.tables.platforms import (
    platform_connections,
    platform_cursors,
    platform_dispatches,
    platform_drift,
    platform_inbox,
    platform_objects,
    platform_rates,
    platform_usage,
)
from backend.storage.tables.playground import (
    conversations,
    saved_prompt_versions,
    saved_prompts,
)
from backend.storage.tables.quotas import (
    key_budget_holds,
    key_budget_states,
    quota_holds,
    quota_states,
)
from backend.storage.tables.reconciliation import (
    discrepancies,
    provider_entries,
    reconciliations,
    token_drift,
)
from backend.storage.tables.subscriptions import (
    billing_anchors,
    contract_amendments,
    contracts,
    coupon_redemptions,
    coupons,
    subscriptions,
)
from backend.storage.tables.wallets import (
    credit_grants,
    credit_reservations,
    ledger_entries,
    top_ups,
    wallets,
)
from backend.storage.tables.worker import worker_tasks

__all__ = [
    "api_keys",
    "applications",
    "audit_entries",
    "billed_periods",
    "billing_anchors",
    "billing_cursors",
    "billing_profiles",
    "body_logging",
    "book_terms",
    "call_measures",
    "catalog_meters",
    "catalog_state",
    "chargeback_entries",
    "chargeback_months",
    "chargeback_policies",
    "contract_amendments",
    "contracts",
    "conversations",
    "corrections",
    "counted_totals",
    "coupon_redemptions",
    "coupons",
    "credit_grants",
    "credit_notes",
    "credit_reservations",
    "daily_rollups",
    "declared_labels",
    "discrepancies",
    "dunning_holds",
    "event_archives",
    "events",
    "forecasts",
    "gateway_requests",
    "idempotency_keys",
    "invitations",
    "invoice_lines",
    "invoice_reminders",
    "invoice_runs",
    "invoice_series",
    "invoices",
    "key_budget_holds",
    "key_budget_states",
    "key_calls",
    "key_windows",
    "ledger_entries",
    "members",
    "metadata",
    "model_hours",
    "models",
    "notification_deliveries",
    "notifications",
    "operator_grants",
    "operator_keys",
    "payments",
    "plan_versions",
    "platform_connections",
    "platform_cursors",
    "platform_dispatches",
    "platform_drift",
    "platform_inbox",
    "platform_objects",
    "platform_rates",
    "platform_usage",
    "provider_entries",
    "quota_holds",
    "quota_states",
    "reconciliations",
    "refused_events",
    "request_bodies",
    "retired_secrets",
    "rollups",
    "saved_prompt_versions",
    "saved_prompts",
    "sessions",
    "subscriptions",
    "tax_id_checks",
    "tax_rates",
    "tenants",
    "test_clocks",
    "token_drift",
    "top_ups",
    "upstreams",
    "usage_values",
    "usage_versions",
    "used_id_tokens",
    "users",
    "wallets",
    "worker_tasks",
]
