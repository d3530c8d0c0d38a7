"""How each tenant's calls went, by the quarter hour"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0076"
down_revision = "0075"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_measures",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("bucket", sa.DateTime(timezone=True), nullable=False),
        sa.Column("application_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("total_counts", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("first_token_counts", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint(
            *("tenant_id", "bucket", "application_id", "key_id", "model", "status", "cause"),
            name=op.f("pk_call_measures"),
        ),
    )
    op.create_index("ix_call_measures_bucket", "call_measures", ["bucket"])


def downgrade() -> None:
    """What was measured is gone."""
    op.drop_table("call_measures")
