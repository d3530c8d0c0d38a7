"""The catalog and the subscriptions to it."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import created_column, metadata, time_column

models = Table(
    "models",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("position", Integer, nullable=False),
    Column("retired", Boolean, nullable=False, server_default=text("false")),
)

plan_versions = Table(
    "plan_versions",
    metadata,
    Column("plan_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

catalog_state = Table(
    "catalog_state",
    metadata,
    Column("only_row", Boolean, primary_key=True, server_default=text("true")),
    Column("default_plan", Text, nullable=False),
    Column("plans", ARRAY(Text), nullable=False),  # on sale, in the catalog's order
    CheckConstraint("only_row", name="only_row"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("plan_id", Text, nullable=False),
    Column("plan_version", Integer, nullable=False),
    time_column("start_at"),
    time_column("end_at", nullable=True),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["plan_id", "plan_version"], ["plan_versions.plan_id", "plan_versions.version"]
    ),
    CheckConstraint("end_at IS NULL OR end_at > start_at", name="ends_after_start"),
    Index(
        "uq_subscriptions_open", "tenant_id", unique=True, postgresql_where=text("end_at IS NULL")
    ),
)
