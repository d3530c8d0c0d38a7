"""What calls under way hold of hard quotas"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def _of_tenant(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id"], ["tenants.id"], name=op.f(f"fk_{table}_tenants"), ondelete="CASCADE"
    )


def upgrade() -> None:
    # What these hold is true for as long as a call: not worth a write-ahead log.
    op.create_table(
        "quota_states",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True)),
        sa.Column(
            "quotas",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        _of_tenant("quota_states"),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_quota_states")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "quota_holds",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        _of_tenant("quota_holds"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_quota_holds")),
        prefixes=["UNLOGGED"],
    )


def downgrade() -> None:
    """Lose what calls under way hold, which lapses by itself."""
    op.drop_table("quota_holds")
    op.drop_table("quota_states")
