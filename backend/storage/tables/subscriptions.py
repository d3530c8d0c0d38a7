"""What tenants are subscribed to: plan versions, contracts, coupons, and when periods begin."""

from __future__ import annotations

from sqlalchemy import (
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import created_column, metadata, time_column

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
    # It applies to periods that begin in this time; null: to all from there on
    time_column("starts_at"),
    time_column("ends_at", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["coupon_id"], ["coupons.id"]),
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
    # When its end was looked at: the plan that follows it is in force, or none does
    time_column("followed_at", nullable=True),
    # Where the next term begins whose prepaid credit is to come; null if there is none
    time_column("prepaid_until", nullable=True),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index(
        "ix_contracts_prepaid", "prepaid_until", postgresql_where=text("prepaid_until IS NOT NULL")
    ),
)

contract_instalments = Table(
    "contract_instalments",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("contract_id", Text, primary_key=True),
    Column("term_start", DateTime(timezone=True), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("of", Integer, nullable=False),
    time_column("due_at"),
    # Until the next of the term is due, or the term ends
    time_column("until"),
    time_column("term_end"),
    Column("amount", Numeric, nullable=False),
    # The invoice that asks for it: there is one, or none yet
    Column("invoice_id", Text),
    ForeignKeyConstraint(
        ["tenant_id", "contract_id"], ["contracts.tenant_id", "contracts.id"], ondelete="CASCADE"
    ),
    CheckConstraint("amount > 0", name="amount"),
    Index("ix_contract_instalments_due", "due_at", postgresql_where=text("invoice_id IS NULL")),
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
    Column("renews", Boolean),
    created_column(),
    ForeignKeyConstraint(
        ["tenant_id", "contract_id"], ["contracts.tenant_id", "contracts.id"], ondelete="CASCADE"
    ),
    CheckConstraint("more >= 0", name="more"),
    CheckConstraint("more > 0 OR renews IS NOT NULL", name="says_something"),
)
