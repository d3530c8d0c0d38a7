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
    members,
    operator_keys,
    sessions,
    tenants,
    users,
)
from backend.storage.tables.billing import catalog_state, models, plan_versions, subscriptions
from backend.storage.tables.common import metadata
from backend.storage.tables.forecasting import forecasts
from backend.storage.tables.metering import events, rollups, usage_versions

__all__ = [
    "api_keys",
    "applications",
    "audit_entries",
    "catalog_state",
    "events",
    "forecasts",
    "idempotency_keys",
    "members",
    "metadata",
    "models",
    "operator_keys",
    "plan_versions",
    "rollups",
    "sessions",
    "subscriptions",
    "tenants",
    "usage_versions",
    "users",
]
