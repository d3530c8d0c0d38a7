"""What calls under way hold of hard quotas."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import created_column, metadata, time_column

# What these two hold is true for as long as a call: not worth a write-ahead log. So holds refer to
# the row that is locked for them: to look for the tenant's would lock that, which the log has.
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
    ForeignKeyConstraint(["tenant_id"], ["quota_states.tenant_id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)

key_budget_states = Table(
    "key_budget_states",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    time_column("period_start", nullable=True),
    time_column("taken_at", nullable=True),
    Column("used", Numeric, nullable=False, server_default=text("'0'")),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    prefixes=["UNLOGGED"],
)
"""What was used of a budget a moment ago; see ``backend.budgets.holds``.

The key is an application's id for the application's budget, and a label budget's own for its.
"""

key_budget_holds = Table(
    "key_budget_holds",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("key_id", Text, primary_key=True),
    Column("amount", Numeric, nullable=False),
    time_column("made_at"),
    time_column("lapses_at"),
    ForeignKeyConstraint(
        ["tenant_id", "key_id"],
        ["key_budget_states.tenant_id", "key_budget_states.key_id"],
        ondelete="CASCADE",
    ),
    Index("ix_key_budget_holds_tenant_id", "tenant_id", "key_id"),
    Index("ix_key_budget_holds_lapses_at", "lapses_at"),
    prefixes=["UNLOGGED"],
)

label_budgets = Table(
    "label_budgets",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("budget_amount", Numeric, nullable=False),
    Column("budget_period", Text, nullable=False),
    Column("budget_limit", Text, nullable=False),
    created_column(),
    # A label is not withdrawn while calls are bounded by it
    ForeignKeyConstraint(
        ["tenant_id", "label"], ["declared_labels.tenant_id", "declared_labels.label"]
    ),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    UniqueConstraint("tenant_id", "label", "value"),
)
"""What calls with a label's value may cost."""
