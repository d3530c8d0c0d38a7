"""Wallets: grants of credit, the ledger of their movements, holds and top-ups.

A trigger keeps the ledger append-only; the migration that creates these tables has it. The table of
holds is ``credit_reservations``: functions in the database name it, and gateways that run while it
was renamed would fail.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import created_column, metadata, time_column

_ZERO = text("0")

wallets = Table(
    "wallets",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("last_entry", BigInteger, nullable=False, server_default=_ZERO),
    time_column("last_entry_at", nullable=True),
    # Until then all recurring grants of the plan exist
    time_column("grants_until", nullable=True),
    Column("low_balance", Numeric),
    time_column("low_since", nullable=True),
    Column("top_up_threshold", Numeric),
    Column("top_up_amount", Numeric),
    Column("top_up_daily_ceiling", Numeric),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint(
        "num_nonnulls(top_up_threshold, top_up_amount, top_up_daily_ceiling) IN (0, 3)",
        name="whole_rule",
    ),
)

credit_grants = Table(
    "credit_grants",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("models", ARRAY(Text)),
    time_column("starts_at"),
    time_column("expires_at", nullable=True),
    # It pays bills of the time in which it is usable, and expires when they were made
    Column("in_arrears", Boolean, nullable=False, server_default=text("false")),
    # What is carried on of what is left when it expires, and what was
    Column("rollover_percent", Numeric),
    Column("rollover_months", Integer),
    Column("rolled_over", Numeric),
    # Its sale carried the tax, so that none falls when it is used
    Column("taxed_at_sale", Boolean, nullable=False, server_default=text("false")),
    # Sums of the ledger's entries. The database ensures that no account is below zero, and that
    # what was granted is in one of them.
    Column("amount", Numeric, nullable=False),
    Column("available", Numeric, nullable=False),
    Column("reserved", Numeric, nullable=False, server_default=_ZERO),
    Column("used", Numeric, nullable=False, server_default=_ZERO),
    Column("expired", Numeric, nullable=False, server_default=_ZERO),
    Column("refunded", Numeric, nullable=False, server_default=_ZERO),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["wallets.tenant_id"], ondelete="CASCADE"),
    CheckConstraint("kind IN ('promotional', 'paid')", name="kind"),
    CheckConstraint("amount >= 0", name="amount"),
    CheckConstraint(
        "num_nonnulls(rollover_percent, rollover_months) IN (0, 2)", name="whole_rollover"
    ),
    CheckConstraint(
        "least(available, reserved, used, expired, refunded) >= 0", name="never_below_zero"
    ),
    CheckConstraint(
        "available + reserved + used + expired + refunded = amount", name="credit_conserves"
    ),
    Index(
        "ix_credit_grants_live",
        "tenant_id",
        postgresql_where=text("available > 0 OR reserved > 0"),
    ),
    Index(
        "ix_credit_grants_expiring",
        "expires_at",
        postgresql_where=text("available > 0 AND expires_at IS NOT NULL"),
    ),
)

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    time_column("at"),
    Column("grant_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("cause", Text, nullable=False),
    ForeignKeyConstraint(
        ["tenant_id", "grant_id"],
        ["credit_grants.tenant_id", "credit_grants.id"],
        ondelete="CASCADE",
    ),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_ledger_entries_at", "tenant_id", "at"),
    Index("ix_ledger_entries_cause", "tenant_id", "cause"),
)

credit_reservations = Table(
    "credit_reservations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("held", JSONB, nullable=False),  # by grant, as text: no digit passes through a float
    Column("used", Numeric, nullable=False, server_default=_ZERO),
    Column("uncovered", Numeric, nullable=False, server_default=_ZERO),
    time_column("made_at"),
    time_column("lapses_at"),
    ForeignKeyConstraint(["tenant_id"], ["wallets.tenant_id"], ondelete="CASCADE"),
    CheckConstraint("state IN ('open', 'settled', 'released')", name="state"),
    Index("ix_credit_reservations_open", "lapses_at", postgresql_where=text("state = 'open'")),
    # The usage of a billing period's calls
    Index("ix_credit_reservations_made", "tenant_id", "made_at"),
)

top_ups = Table(
    "top_ups",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column(
        "automatic_on", Date
    ),  # the day in the tenant's zone; null for one that a person asked for
    Column("reference", Text),
    # Its document: an invoice if its sale was taxed, else a receipt
    Column("invoice_id", Text),
    time_column("asked_at"),
    time_column("done_at", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["wallets.tenant_id"], ondelete="CASCADE"),
    CheckConstraint("state IN ('pending', 'paid', 'failed')", name="state"),
    CheckConstraint("amount > 0", name="amount"),
    # One shortage never buys twice
    Index(
        "uq_top_ups_automatic_pending",
        "tenant_id",
        unique=True,
        postgresql_where=text("state = 'pending' AND automatic_on IS NOT NULL"),
    ),
)
