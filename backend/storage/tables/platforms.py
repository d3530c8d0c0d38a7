"""Billing platforms: who is on which, what is to be sent there, and what came from there.

Like invoices, what was sent outlives the tenant, and refers to it by its id only.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import created_column, metadata, time_column

_ZERO = text("0")
_NOTHING = text("'{}'::jsonb")

platform_connections = Table(
    "platform_connections",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    # From then on, and until ends_at, what the tenant owes is collected by the platform
    Column("starts_at", DateTime(timezone=True), primary_key=True),
    Column("platform", Text, nullable=False),
    Column("mode", Text, nullable=False),
    time_column("ends_at", nullable=True),
    # When both sides were compared last
    time_column("compared_at", nullable=True),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint("mode IN ('invoices', 'usage')", name="mode"),
    CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
    # Nothing is billed twice: a tenant is on one platform at a time
    Index(
        "uq_platform_connections_open",
        "tenant_id",
        unique=True,
        postgresql_where=text("ends_at IS NULL"),
    ),
)

platform_dispatches = Table(
    "platform_dispatches",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("stream", Text, nullable=False),
    # The order in which a stream is sent
    Column("sequence", BigInteger, Identity(always=True), nullable=False),
    Column("action", Text, nullable=False),
    # Derived from what happened: the same fact is never sent as two
    Column("fact", Text, nullable=False),
    # What it is about: the next of the same subject waits until this one is done
    Column("subject", Text, nullable=False),
    Column("data", JSONB, nullable=False, server_default=_NOTHING),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    # Which idempotency keys are used, and since when: the platform forgets them after a day
    Column("key_group", Integer, nullable=False, server_default=_ZERO),
    time_column("key_since", nullable=True),
    time_column("next_attempt_at"),
    time_column("sent_at", nullable=True),
    time_column("confirmed_at", nullable=True),
    Column("remote_id", Text),
    Column("reason", Text),
    created_column(),
    UniqueConstraint("tenant_id", "platform", "fact"),
    CheckConstraint("stream IN ('documents', 'usage')", name="stream"),
    CheckConstraint(
        "state IN ('waiting', 'sent', 'confirmed', 'refused', 'skipped')", name="state"
    ),
    CheckConstraint("(state = 'confirmed') = (confirmed_at IS NOT NULL)", name="confirmed"),
    Index(
        "ix_platform_dispatches_due",
        "next_attempt_at",
        postgresql_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_platform_dispatches_undone",
        "tenant_id",
        "platform",
        "subject",
        "sequence",
        postgresql_where=text("state IN ('waiting', 'refused')"),
    ),
    Index("ix_platform_dispatches_sequence", "sequence"),
)

platform_cursors = Table(
    "platform_cursors",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    # All dispatches up to this sequence are done
    Column("position", BigInteger, nullable=False, server_default=_ZERO),
    # Of usage: the buckets before it were compared with what was queued, at this usage version
    time_column("closed_until", nullable=True),
    Column("usage_version", BigInteger),
    # One worker sends a stream at a time; each claim has a number of its own
    Column("claim", BigInteger, nullable=False, server_default=_ZERO),
    time_column("claimed_until", nullable=True),
)

platform_objects = Table(
    "platform_objects",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    # Our id: of an invoice, a credit note, a top-up; a customer's is its currency
    Column("own_id", Text, primary_key=True),
    Column("remote_id", Text, nullable=False),
    Column("data", JSONB, nullable=False, server_default=_NOTHING),
    created_column(),
    Index("ix_platform_objects_remote", "platform", "kind", "remote_id"),
)

platform_usage = Table(
    "platform_usage",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
    Column("bucket", DateTime(timezone=True), primary_key=True),
    Column("model", Text, primary_key=True),
    Column("meter", Text, primary_key=True),
    # How many deltas were queued, and what they add up to
    Column("revision", Integer, nullable=False),
    Column("quantity", Numeric, nullable=False),
)

platform_inbox = Table(
    "platform_inbox",
    metadata,
    Column("platform", Text, primary_key=True),
    # The platform's own id of the message: what it sends again is the same row
    Column("message_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    time_column("sent_at"),
    time_column("received_at"),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default=_ZERO),
    time_column("next_attempt_at"),
    time_column("applied_at", nullable=True),
    Column("reason", Text),
    CheckConstraint("state IN ('waiting', 'applied', 'ignored', 'failed')", name="state"),
    Index("ix_platform_inbox_due", "next_attempt_at", postgresql_where=text("state = 'waiting'")),
)

platform_rates = Table(
    "platform_rates",
    metadata,
    # An account's limit, shared by all workers: "stripe", "stripe.usage"
    Column("account", Text, primary_key=True),
    # When the next request would be due if none were sent ahead
    time_column("next_at"),
)

platform_drift = Table(
    "platform_drift",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("platform", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    # An invoice's id, or a meter's and a day
    Column("subject", Text, primary_key=True),
    Column("cause", Text, primary_key=True),
    Column("ours", Text),
    Column("theirs", Text),
    Column("detail", Text, nullable=False),
    time_column("first_seen_at"),
    time_column("last_seen_at"),
    time_column("resolved_at", nullable=True),
    Index("ix_platform_drift_open", "last_seen_at", postgresql_where=text("resolved_at IS NULL")),
)
