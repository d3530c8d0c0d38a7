"""Events, their corrections, rollups and how often they changed."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import created_column, metadata, time_column

events = Table(
    "events",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    # Of the credential, never of the event: what a customer sends is in a space of its own
    Column("sender", Text, primary_key=True, server_default="operator"),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    time_column("time"),
    time_column("received_at"),
    Column("application_id", Text, nullable=False),
    Column("key_id", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False),
    # Who served the model; empty where nobody said
    Column("upstream", Text, nullable=False, server_default=""),
    Column("quantities", JSONB, nullable=False),
    Column("labels", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("counted", JSONB),
    # Set by corrections; the other columns have the event's present content.
    Column("voided", Boolean, nullable=False, server_default=text("false")),
    time_column("corrected_at", nullable=True),
    Index(None, "tenant_id", "time"),
    # Events received at one time are stored together, so that a summary of every few pages finds
    # them. A tree by tenant and time of receipt would make counting a fifth slower.
    Index(
        "ix_events_received_at",
        "received_at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 256, "autosummarize": True},
    ),
)

corrections = Table(
    "corrections",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("sequence", BigInteger, Identity(always=True), nullable=False),
    # None: of whichever sender there is one
    Column("event_sender", Text),
    Column("event_source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("data", JSONB),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    time_column("received_at"),
    time_column("applied_at", nullable=True),
    Column("before", JSONB),
    Column("after", JSONB),
    CheckConstraint("(action = 'amend') = (data IS NOT NULL)", name="amend_has_data"),
    Index(
        "ix_corrections_tenant_id_event_source_event_id", "tenant_id", "event_source", "event_id"
    ),
    Index("ix_corrections_pending", "tenant_id", postgresql_where=text("applied_at IS NULL")),
)

refused_events = Table(
    "refused_events",
    metadata,
    # Made of what tells one kind of refusal from another, so that every process adds to one row
    Column("id", Text, primary_key=True),
    # None where the events named no tenant
    Column("tenant_id", Text),
    Column("day", Date, nullable=False),
    Column("sender", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("field", Text),
    Column("detail", Text, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    time_column("first_at"),
    time_column("last_at"),
    Column("sample_id", Text),
    Column("sample_source", Text),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index(None, "tenant_id", "day"),
    Index(None, "day"),
)

declared_labels = Table(
    "declared_labels",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

event_archives = Table(
    "event_archives",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    # A day has a second file if it was restored and archived again.
    Column("start_at", DateTime(timezone=True), primary_key=True),
    Column("file", Text, primary_key=True),
    time_column("end_at"),
    Column("sha256", Text, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    created_column(),
    Column("archived_by", Text, nullable=False, server_default=text("'command-line'")),
    time_column("restored_at", nullable=True),
    Column("restored_by", Text),
    Index(None, "sha256"),
)

rollups = Table(
    "rollups",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("application_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("upstream", Text, primary_key=True, server_default=""),
    Column("meter", Text, primary_key=True),
    Column("labels", JSONB, primary_key=True, server_default=text("'{}'::jsonb")),
    Column("quantity", Numeric, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity_not_negative"),
    CheckConstraint(
        "bucket = date_bin('15 minutes', bucket, 'epoch'::timestamptz)", name="quarter_hour"
    ),
)

daily_rollups = Table(
    "daily_rollups",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("day", DateTime(timezone=True), primary_key=True),
    Column("application_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("upstream", Text, primary_key=True, server_default=""),
    Column("meter", Text, primary_key=True),
    Column("labels", JSONB, primary_key=True, server_default=text("'{}'::jsonb")),
    Column("quantity", Numeric, nullable=False),
    Column("event_count", BigInteger, nullable=False),
)

usage_values = Table(
    "usage_values",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("application_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    # The label's value that it is of; empty for a meter without one
    Column("member", Text, primary_key=True),
    Column("quantity", Numeric, primary_key=True),
    # The event's time where the last counts, else the bucket
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("event_count", BigInteger, nullable=False),
    CheckConstraint("event_count >= 0", name="event_count_not_negative"),
    CheckConstraint(
        "bucket = date_bin('15 minutes', bucket, 'epoch'::timestamptz)", name="quarter_hour"
    ),
)

counted_totals = Table(
    "counted_totals",
    metadata,
    # Several rows, so that workers do not wait for one another
    Column("slot", Integer, primary_key=True, autoincrement=False),
    Column("new", BigInteger, nullable=False),
    Column("known", BigInteger, nullable=False),
)

usage_versions = Table(
    "usage_versions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    time_column("last_event_at"),
    # Earlier events may be rolled up by other labels than are declared now.
    time_column("labels_changed_at", nullable=True),
)
