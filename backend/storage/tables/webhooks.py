"""Customers' own webhooks: endpoints, their secrets, and the deliveries to each.

What they deliver are notifications. Unlike these, endpoints go with their tenant.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from backend.storage.tables.common import created_column, metadata, time_column

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    # Null for all, those of later versions too
    Column("kinds", ARRAY(Text)),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    time_column("disabled_at", nullable=True),
    Column("disabled_because", Text),
    # Since when no attempt has succeeded, and when the last failed; null after a success
    time_column("failing_since", nullable=True),
    time_column("last_failed_at", nullable=True),
    Column("created_by", Text, nullable=False),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint("enabled = (disabled_at IS NULL)", name="disabled_since"),
    CheckConstraint("enabled = (disabled_because IS NULL)", name="disabled_because"),
)

webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("endpoint_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    # By FAREBOX_SECRETS_KEY: it is needed again to sign, so that a hash would not do
    Column("sealed", Text, nullable=False),
    # Null for the present one
    time_column("works_until", nullable=True),
    created_column(),
    ForeignKeyConstraint(
        ["tenant_id", "endpoint_id"],
        ["webhook_endpoints.tenant_id", "webhook_endpoints.id"],
        ondelete="CASCADE",
    ),
    Index(
        "uq_webhook_secrets_present",
        "tenant_id",
        "endpoint_id",
        unique=True,
        postgresql_where=text("works_until IS NULL"),
    ),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("endpoint_id", Text, primary_key=True),
    Column("notification_id", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="waiting"),
    # All of them, and those since it was queued last, which the pauses depend on
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    # An attempt postpones it first, so that another worker takes over from a killed one
    time_column("next_attempt_at"),
    time_column("give_up_at"),
    time_column("delivered_at", nullable=True),
    Column("reason", Text),
    ForeignKeyConstraint(
        ["tenant_id", "endpoint_id"],
        ["webhook_endpoints.tenant_id", "webhook_endpoints.id"],
        ondelete="CASCADE",
    ),
    ForeignKeyConstraint(
        ["tenant_id", "notification_id"],
        ["notifications.tenant_id", "notifications.id"],
        ondelete="CASCADE",
    ),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
    CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered"),
    Index(
        "ix_webhook_deliveries_due",
        "next_attempt_at",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_webhook_deliveries_failed",
        "tenant_id",
        "endpoint_id",
        postgresql_where=text("state = 'failed'"),
    ),
    # For the removal of old notifications
    Index(None, "tenant_id", "notification_id"),
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("endpoint_id", Text, primary_key=True),
    Column("notification_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    time_column("began_at"),
    # Null while it is under way, and for good if its worker was killed
    Column("duration_ms", Integer),
    Column("status", Integer),
    Column("answer", Text),
    Column("reason", Text),
    ForeignKeyConstraint(
        ["tenant_id", "endpoint_id", "notification_id"],
        [
            "webhook_deliveries.tenant_id",
            "webhook_deliveries.endpoint_id",
            "webhook_deliveries.notification_id",
        ],
        ondelete="CASCADE",
    ),
)
