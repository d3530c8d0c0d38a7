"""Drift of tokens, and an index on the events that it is computed from"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_drift",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("reported", sa.Numeric(), nullable=False),
        sa.Column("counted", sa.Numeric(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("day", "model", "meter", name=op.f("pk_token_drift")),
    )
    op.create_index(
        "ix_events_counted_time",
        "events",
        ["time"],
        postgresql_where=sa.text("counted IS NOT NULL"),
    )


def downgrade() -> None:
    """Lose nothing for good: the worker computes drift anew from the events."""
    op.drop_index("ix_events_counted_time", "events")
    op.drop_table("token_drift")
