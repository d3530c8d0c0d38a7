"""Events, rollups and how often they changed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import metadata, time_column

events = Table(
    "events",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    time_column("time"),
    time_column("received_at"),
    Column("application_id", Text, nullable=False),
    Column("key_id", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False),
    Column("quantities", JSONB, nullable=False),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("counted", JSONB),
    Index(None, "tenant_id", "time"),
)

rollups = Table(
    "rollups",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("application_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("quantity", Numeric, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    CheckConstraint(
        "bucket = date_bin('15 minutes', bucket, 'epoch'::timestamptz)", name="quarter_hour"
    ),
)

usage_versions = Table(
    "usage_versions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    time_column("last_event_at"),
)
