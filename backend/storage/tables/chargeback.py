"""Chargeback: policies, and months that are closed with the parts of their invoices.

Triggers keep closed months and their entries unchanged; the migration that creates these tables
has them. They go with their tenant.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import metadata, time_column

chargeback_policies = Table(
    "chargeback_policies",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("valid_from", Date, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("policy", JSONB, nullable=False),
    time_column("changed_at"),
    Column("changed_by", Text, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

chargeback_months = Table(
    "chargeback_months",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("period_start", DateTime(timezone=True), primary_key=True),
    time_column("period_end"),
    Column("time_zone", Text, nullable=False),
    Column("mode", Text, nullable=False),
    # By the start of a period: the mark of the usage by which it was divided last
    Column("usage_marks", JSONB, nullable=False),
    time_column("closed_at"),
    Column("closed_by", Text, nullable=False),
    CheckConstraint("mode IN ('showback', 'chargeback')", name="mode"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

chargeback_entries = Table(
    "chargeback_entries",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("period_start", DateTime(timezone=True), primary_key=True),
    Column("entry", Integer, primary_key=True),
    # The id of the invoice or credit note; empty for what moved within a line
    Column("document", Text, nullable=False),
    Column("number", Text),
    Column("line", Integer),
    # The subject of the line, as in invoice_lines
    Column("kind", Text, nullable=False),
    Column("plan", Text),
    Column("plan_version", Integer),
    Column("item", Text, nullable=False),
    Column("name", Text, nullable=False),
    time_column("usage_start"),
    time_column("usage_end"),
    time_column("cut_start", nullable=True),
    time_column("cut_end", nullable=True),
    Column("series", Text, nullable=False),
    Column("shared", Text),
    # Codes from the top of the tree; empty for what nobody bears
    Column("path", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("amount", Numeric, nullable=False),
    Column("charged", Numeric, nullable=False),
    Column("quantity", Numeric),
    Column("adjustment", Boolean, nullable=False),
    # The meter that the charge counts
    Column("unit", Text),
    CheckConstraint("(cut_start IS NULL) = (cut_end IS NULL)", name="whole_cut"),
    ForeignKeyConstraint(
        ["tenant_id", "period_start"],
        ["chargeback_months.tenant_id", "chargeback_months.period_start"],
        ondelete="CASCADE",
    ),
)
