"""What credit notes give back to credit that nobody had paid for"""

import sqlalchemy as sa
from alembic import op

revision = "0080"
down_revision = "0079"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "credit_notes",
        sa.Column("to_credit", sa.Numeric(), server_default=sa.text("0"), nullable=False),
    )
    op.create_check_constraint(
        op.f("ck_credit_notes_to_credit"),
        "credit_notes",
        "to_credit >= 0 AND to_balance + to_credit <= total",
    )


def downgrade() -> None:
    """What went back to credit is in the ledger, but no longer on the note."""
    op.drop_constraint(op.f("ck_credit_notes_to_credit"), "credit_notes")
    op.drop_column("credit_notes", "to_credit")
