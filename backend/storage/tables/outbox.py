"""What is to be told to people and systems, and how far each was sent.

They tell of invoices, which outlive the tenant they are for, so no foreign key ties them to it.
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
    # What it tells of, within its kind: nothing is told twice
    Column("subject", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    time_column("occurred_at"),
    # When a worker gave it to the channels that it has; null until then
    time_column("routed_at", nullable=True),
    created_column(),
    UniqueConstraint("tenant_id", "kind", "subject"),
    Index("ix_notifications_id", "id"),
    Index("ix_notifications_routed_at", "routed_at"),
)

notification_deliveries = Table(
    "notification_deliveries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("notification_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    # Who tries puts it off first: a worker that is killed leaves it to the next one
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
