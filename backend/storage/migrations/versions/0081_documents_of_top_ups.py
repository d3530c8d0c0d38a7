"""The invoice or receipt of a top-up"""

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("top_ups", sa.Column("invoice_id", sa.Text(), nullable=True))
    op.drop_constraint(op.f("ck_invoices_kind"), "invoices")
    op.create_check_constraint(
        op.f("ck_invoices_kind"),
        "invoices",
        "kind IN ('period', 'progressive', 'one_off', 'reversal', 'top_up')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_invoices_kind"), "invoices")
    # The documents of top-ups stay, as what an older Farebox knows beside a period's own
    op.execute("ALTER TABLE invoices DISABLE TRIGGER keep_invoice")
    op.execute("UPDATE invoices SET kind = 'one_off' WHERE kind = 'top_up'")
    op.execute("ALTER TABLE invoices ENABLE TRIGGER keep_invoice")
    op.create_check_constraint(
        op.f("ck_invoices_kind"),
        "invoices",
        "kind IN ('period', 'progressive', 'one_off', 'reversal')",
    )
    op.drop_column("top_ups", "invoice_id")
