"""Conversations of the playground, and prompts in versions"""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def _created() -> sa.Column[object]:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        _created(),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_conversations")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id"],
            ["members.tenant_id", "members.user_id"],
            name=op.f("fk_conversations_members"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_conversations_person", "conversations", ["tenant_id", "user_id", "updated_at"]
    )
    op.create_index("ix_conversations_updated_at", "conversations", ["updated_at"])
    op.create_table(
        "saved_prompts",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        _created(),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_saved_prompts")),
        sa.CheckConstraint("version > 0", name=op.f("ck_saved_prompts_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            name=op.f("fk_saved_prompts_tenants"),
            ondelete="CASCADE",
        ),
    )
    op.create_table(
        "saved_prompt_versions",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("prompt_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        _created(),
        sa.PrimaryKeyConstraint(
            "tenant_id", "prompt_id", "version", name=op.f("pk_saved_prompt_versions")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "prompt_id"],
            ["saved_prompts.tenant_id", "saved_prompts.id"],
            name=op.f("fk_saved_prompt_versions_saved_prompts"),
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    """What was kept is lost."""
    op.drop_table("saved_prompt_versions")
    op.drop_table("saved_prompts")
    op.drop_table("conversations")
