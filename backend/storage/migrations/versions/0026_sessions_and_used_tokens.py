"""Sessions that can be listed and ended, and ID tokens that were used"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What is there has had no name; its token goes on working
    op.add_column(
        "sessions",
        sa.Column(
            "id",
            sa.Text(),
            nullable=False,
            server_default=sa.text("'ses_' || replace(gen_random_uuid()::text, '-', '')"),
        ),
    )
    op.alter_column("sessions", "id", server_default=None)
    op.create_unique_constraint(op.f("uq_sessions_id"), "sessions", ["id"])
    op.add_column("sessions", sa.Column("device", sa.Text()))
    op.add_column("sessions", sa.Column("address", sa.Text()))
    op.add_column("sessions", sa.Column("last_used_at", sa.DateTime(timezone=True)))
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"])
    op.create_table(
        "used_id_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_used_id_tokens")),
    )
    op.create_index(op.f("ix_used_id_tokens_expires_at"), "used_id_tokens", ["expires_at"])


def downgrade() -> None:
    op.drop_table("used_id_tokens")
    op.drop_index(op.f("ix_sessions_user_id"), table_name="sessions")
    for column in ("last_used_at", "address", "device", "id"):
        op.drop_column("sessions", column)
