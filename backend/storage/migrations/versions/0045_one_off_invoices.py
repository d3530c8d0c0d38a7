"""Invoices beside the billing of periods, what takes back a credit note, and returned payments"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoices", sa.Column("reverses", sa.Text(), nullable=True))
    op.create_index(
        "uq_invoices_reverses",
        "invoices",
        ["tenant_id", "reverses"],
        unique=True,
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
    op.add_column("payments", sa.Column("returns", sa.Text(), nullable=True))
    op.create_index(
        "uq_payments_returns",
        "payments",
        ["tenant_id", "returns"],
        unique=True,
        postgresql_where=sa.text("returns IS NOT NULL"),
    )
    op.drop_constraint(op.f("ck_invoices_kind"), "invoices")
    op.create_check_constraint(
        op.f("ck_invoices_kind"),
        "invoices",
        "kind IN ('period', 'progressive', 'one_off', 'reversal')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_invoices_kind"), "invoices")
    # Invoices of the other kinds stay, as what an older Farebox knows beside a period's own. It
    # takes progressive ones off the invoice of their period, so these begin with none: else the
    # customer would be given what they asked for
    op.execute("ALTER TABLE invoices DISABLE TRIGGER keep_invoice")
    op.execute(
        """
        UPDATE invoices SET kind = 'progressive', period_start = issued_at,
            period_end = greatest(period_end, issued_at)
        WHERE kind IN ('one_off', 'reversal')
        """
    )
    op.execute("ALTER TABLE invoices ENABLE TRIGGER keep_invoice")
    op.create_check_constraint(
        op.f("ck_invoices_kind"), "invoices", "kind IN ('period', 'progressive')"
    )
    op.drop_index("uq_payments_returns", "payments")
    op.drop_column("payments", "returns")
    op.drop_index("uq_invoices_reverses", "invoices")
    op.drop_column("invoices", "reverses")
