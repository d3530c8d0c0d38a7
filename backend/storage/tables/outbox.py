"""Notifications to people and systems, and their deliveries.

They concern invoices, which outlive the tenant, so they have no foreign key to it.
"""

from __future__ import annotations

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import created_column, metadata, time_column

notifications = Table(
    "notifications",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    # Unique within its kind: nothing is recorded twice
    Column("subject", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    time_column("occurred_at"),
    # When a worker routed it to channels; null until then
    time_column("routed_at", nullable=True),
    # When a worker gave it to the customer's own endpoints; null until then
    time_column("fanned_out_at", nullable=True),
    created_column(),
    UniqueConstraint("tenant_id", "kind", "subject"),
    Index("ix_notifications_id", "id"),
    Index("ix_notifications_routed_at", "routed_at"),
    Index(
        "ix_notifications_to_fan_out",
        "created_at",
        postgresql_where=text("fanned_out_at IS NULL"),
    ),
)

notification_deliveries = Table(
    "notification_deliveries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("notification_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # An attempt postpones it first, so that another worker takes over from a killed one
    time_column("next_attempt_at"),
    time_column("give_up_at"),
    time_column("delivered_at", nullable=True),
    Column("reason", Text),
    ForeignKeyConstraint(
        ["tenant_id", "notification_id"],
        ["notifications.tenant_id", "notifications.id"],
        ondelete="CASCADE",
    ),
    CheckConstraint("channel IN ('webhook', 'email')", name="channel"),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed', 'skipped')", name="state"),
    CheckConstraint("(state = 'delivered') = (delivered_at IS NOT NULL)", name="delivered"),
    Index(
        "ix_notification_deliveries_due",
        "channel",
        "next_attempt_at",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_notification_deliveries_failed",
        "channel",
        postgresql_where=text("state = 'failed'"),
    ),
)
