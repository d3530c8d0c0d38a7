"""What is on sale: models, plans in their versions, rates of tax."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import metadata

models = Table(
    "models",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("position", Integer, nullable=False),
    Column("retired", Boolean, nullable=False, server_default=text("false")),
    Column("added_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

# Meters that are made of events. A definition never changes; what is retired is not made any more.
catalog_meters = Table(
    "catalog_meters",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("aggregation", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("retired", Boolean, nullable=False, server_default=text("false")),
    CheckConstraint("aggregation IN ('sum', 'max', 'last', 'unique')", name="aggregation"),
)

plan_versions = Table(
    "plan_versions",
    metadata,
    Column("plan_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Of a version for one tenant: whose, the version that it is but for these prices, and they
    Column("agreed_with", Text),
    Column("base_version", Integer),
    Column("own_prices", JSONB),
    CheckConstraint(
        "(agreed_with IS NULL) = (base_version IS NULL)"
        " AND (agreed_with IS NULL) = (own_prices IS NULL)",
        name="own_prices",
    ),
)

catalog_state = Table(
    "catalog_state",
    metadata,
    Column("only_row", Boolean, primary_key=True, server_default=text("true")),
    Column("default_plan", Text, nullable=False),
    Column("plans", ARRAY(Text), nullable=False),  # on sale, in the catalog's order
    CheckConstraint("only_row", name="only_row"),
)

# Rates of tax of the catalog, and earlier ones that invoices carry
tax_rates = Table(
    "tax_rates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("position", Integer, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
