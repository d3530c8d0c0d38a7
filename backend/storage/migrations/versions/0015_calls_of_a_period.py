"""What the calls of a billing period took from the wallet"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_credit_reservations_made",
        "credit_reservations",
        ["tenant_id", "made_at"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_credit_reservations_made", table_name="credit_reservations")
