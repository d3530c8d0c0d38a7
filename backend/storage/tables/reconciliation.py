"""Drift and providers' exports. These rows belong to the operator, not to a tenant."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import created_column, metadata, time_column
from backend.storage.tables.metering import events

token_drift = Table(
    "token_drift",
    metadata,
    Column("day", Date, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("reported", Numeric, nullable=False),
    Column("counted", Numeric, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("computed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Few events have both a report and a count of ours; a day's drift is computed from those.
Index("ix_events_counted_time", events.c.time, postgresql_where=events.c.counted.is_not(None))

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("format", Text, nullable=False),
    Column("file_name", Text, nullable=False),
    # Digest of the file and its options: identifies a repeated import.
    Column("content_hash", Text, nullable=False, unique=True),
    Column("options", JSONB, nullable=False),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("currency", Text),
    Column("entries", BigInteger, nullable=False),
    created_column(),
    Column("created_by", Text, nullable=False),
    time_column("matched_at"),
    Column("matched", BigInteger, nullable=False),
    Column("billed", Numeric),
    Column("expected", Numeric),
    Column("totals", JSONB, nullable=False),
    # Those that the metered usage named, of what was compared
    Column("upstreams", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    CheckConstraint("last_day >= first_day", name="days_in_order"),
)

provider_entries = Table(
    "provider_entries",
    metadata,
    Column("reconciliation_id", Text, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("model", Text, primary_key=True),  # as the provider calls it
    Column("meter", Text, primary_key=True),
    # Of prices, where it is not the usual one: batch, long_context
    Column("tier", Text, primary_key=True, server_default=""),
    Column("quantity", Numeric),
    Column("amount", Numeric),
    ForeignKeyConstraint(["reconciliation_id"], ["reconciliations.id"], ondelete="CASCADE"),
)

discrepancies = Table(
    "discrepancies",
    metadata,
    Column("reconciliation_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("model", Text, nullable=False),
    Column("meter", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider", Numeric, nullable=False),
    Column("metered", Numeric),
    Column("difference", Numeric, nullable=False),
    Column("cause", Text, nullable=False),
    Column("explanation", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("notes", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    ForeignKeyConstraint(["reconciliation_id"], ["reconciliations.id"], ondelete="CASCADE"),
    UniqueConstraint("reconciliation_id", "day", "model", "meter", "kind"),
    CheckConstraint("status IN ('open', 'explained', 'accepted')", name="known_status"),
)
