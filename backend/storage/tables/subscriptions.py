"""The catalog and the subscriptions to it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
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

# Rates of tax that the catalog has, and those it had that invoices carry
tax_rates = Table(
    "tax_rates",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("position", Integer, nullable=False),
    Column("published_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("plan_id", Text, nullable=False),
    Column("plan_version", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("seats", Integer, nullable=False, server_default=text("1")),
    Column("add_ons", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    time_column("start_at"),
    time_column("end_at", nullable=True),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(
        ["plan_id", "plan_version"], ["plan_versions.plan_id", "plan_versions.version"]
    ),
    CheckConstraint("end_at IS NULL OR end_at > start_at", name="ends_after_start"),
    CheckConstraint("state IN ('active', 'trial', 'paused')", name="state"),
    CheckConstraint("seats >= 0", name="seats"),
    Index(
        "uq_subscriptions_open", "tenant_id", unique=True, postgresql_where=text("end_at IS NULL")
    ),
)

billing_anchors = Table(
    "billing_anchors",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("effective_at", DateTime(timezone=True), primary_key=True),
    Column("day", Integer, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint("day BETWEEN 1 AND 31", name="day"),
)

coupons = Table(
    "coupons",
    metadata,
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    Column("redeemed", Integer, nullable=False, server_default=text("0")),
    created_column(),
)

coupon_redemptions = Table(
    "coupon_redemptions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("coupon_id", Text, primary_key=True),
    time_column("redeemed_at"),
    # The periods that begin in this time have it; null: all from there on
    time_column("starts_at"),
    time_column("ends_at", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["coupon_id"], ["coupons.id"]),
)

# What these two hold is true for as long as a call: not worth a write-ahead log.
quota_states = Table(
    "quota_states",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    time_column("taken_at", nullable=True),
    Column("quotas", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)

quota_holds = Table(
    "quota_holds",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    time_column("lapses_at"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)

contracts = Table(
    "contracts",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("definition", JSONB, nullable=False),
    time_column("start_at"),
    time_column("end_at"),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

contract_amendments = Table(
    "contract_amendments",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("contract_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    time_column("effective_at"),
    Column("more", Numeric, nullable=False),
    Column("reason", Text, nullable=False),
    created_column(),
    ForeignKeyConstraint(
        ["tenant_id", "contract_id"], ["contracts.tenant_id", "contracts.id"], ondelete="CASCADE"
    ),
    CheckConstraint("more > 0", name="more"),
)
