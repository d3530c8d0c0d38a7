"""How customers are named, taxed and billed."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import metadata, time_column

tax_id_checks = Table(
    "tax_id_checks",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("tax_id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("problem", Text),
    Column("name", Text),
    Column("address", Text),
    # What the service calls its answer: evidence for the seller
    Column("consultation", Text),
    time_column("asked_at"),
    # When the service last said that it is valid or not
    time_column("answered_at", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint("outcome IN ('valid', 'invalid', 'unavailable')", name="outcome"),
)

billing_profiles = Table(
    "billing_profiles",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("name", Text),
    Column("address", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("email", Text),
    Column("tax_id", Text),
    Column("country", Text),
    Column("region", Text),
    Column("business", Boolean, nullable=False, server_default=text("false")),
    Column("net_days", Integer),
    Column("progressive_threshold", Numeric),
    Column("tax_name", Text),
    Column("tax_percent", Numeric, nullable=False, server_default=text("0")),
    Column("tax_inclusive", Boolean, nullable=False, server_default=text("false")),
    Column("tax_exemption", Text),
    # What e-invoices need of the buyer beside the above
    Column("legal", JSONB),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
