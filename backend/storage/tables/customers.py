"""How customers are named, taxed and billed."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKeyConstraint,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from backend.storage.tables.common import metadata

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
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
