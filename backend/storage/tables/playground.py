"""Conversations of the playground, and prompts in versions."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from backend.storage.tables.common import created_column, metadata, time_column

# Content is text and not JSONB: what was said may hold the one character that JSONB can't

conversations = Table(
    "conversations",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("content", Text, nullable=False),
    Column("shared", Boolean, nullable=False, server_default=text("false")),
    created_column(),
    time_column("updated_at"),
    ForeignKeyConstraint(
        ["tenant_id", "user_id"], ["members.tenant_id", "members.user_id"], ondelete="CASCADE"
    ),
    Index("ix_conversations_person", "tenant_id", "user_id", "updated_at"),
    Index("ix_conversations_updated_at", "updated_at"),
)

saved_prompts = Table(
    "saved_prompts",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    # Who made it; what was shared stays when they leave
    Column("user_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("shared", Boolean, nullable=False, server_default=text("false")),
    Column("version", Integer, nullable=False, server_default=text("1")),
    created_column(),
    time_column("updated_at"),
    CheckConstraint("version > 0", name="version"),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)

saved_prompt_versions = Table(
    "saved_prompt_versions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("prompt_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("content", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    created_column(),
    ForeignKeyConstraint(
        ["tenant_id", "prompt_id"],
        ["saved_prompts.tenant_id", "saved_prompts.id"],
        ondelete="CASCADE",
    ),
)
