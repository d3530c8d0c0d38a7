"""The schema, as SQLAlchemy Core tables, a module for each room that they serve.

A tenant's tables lead their primary keys with the tenant, so that they shard by tenant. Times are
``timestamptz``, quantities and money NUMERIC. Migrations create these; see ``migrations/``.
"""

from __future__ import annotations

from backend.storage.tables.accounts import (
    api_keys,
    applications,
    audit_entries,
    idempotency_keys,
    invitations,
    key_calls,
    key_windows,
    members,
    operator_keys,
    retired_secrets,
    sessions,
    tenants,
    users,
)
from backend.storage.tables.catalog import catalog_state, models, plan_versions, tax_rates
from backend.storage.tables.common import metadata
from backend.storage.tables.customers import billing_profiles
from backend.storage.tables.forecasting import forecasts
from backend.storage.tables.invoices import (
    billed_periods,
    billing_cursors,
    credit_notes,
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
    rollups,
    usage_versions,
)
from backend.storage.tables.outbox import notification_deliveries, notifications
from backend.storage.tables.quotas import quota_holds, quota_states
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
from backend.storage.tables.worker import worker_failures

__all__ = [
    "api_keys",
    "applications",
    "audit_entries",
    "billed_periods",
    "billing_anchors",
    "billing_cursors",
    "billing_profiles",
    "catalog_state",
    "contract_amendments",
    "contracts",
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
    "event_archives",
    "events",
    "forecasts",
    "idempotency_keys",
    "invitations",
    "invoice_lines",
    "invoice_reminders",
    "invoice_runs",
    "invoice_series",
    "invoices",
    "key_calls",
    "key_windows",
    "ledger_entries",
    "members",
    "metadata",
    "models",
    "notification_deliveries",
    "notifications",
    "operator_keys",
    "payments",
    "plan_versions",
    "provider_entries",
    "quota_holds",
    "quota_states",
    "reconciliations",
    "retired_secrets",
    "rollups",
    "sessions",
    "subscriptions",
    "tax_rates",
    "tenants",
    "token_drift",
    "top_ups",
    "usage_versions",
    "users",
    "wallets",
    "worker_failures",
]
