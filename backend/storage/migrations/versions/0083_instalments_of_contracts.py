"""Instalments of what contracts have prepaid"""

import sqlalchemy as sa
from alembic import op

revision = "0083"
down_revision = "0082"
branch_labels = None
depends_on = None

_KINDS = "kind IN ('period', 'progressive', 'one_off', 'reversal', 'top_up'"


def upgrade() -> None:
    op.add_column(
        "contracts", sa.Column("prepaid_until", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_contracts_prepaid",
        "contracts",
        ["prepaid_until"],
        postgresql_where=sa.text("prepaid_until IS NOT NULL"),
    )
    op.create_table(
        "contract_instalments",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("contract_id", sa.Text(), nullable=False),
        sa.Column("term_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("of", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("term_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_contract_instalments_amount")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "contract_id"],
            ["contracts.tenant_id", "contracts.id"],
            name=op.f("fk_contract_instalments_contracts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "contract_id",
            "term_start",
            "number",
            name=op.f("pk_contract_instalments"),
        ),
    )
    op.create_index(
        "ix_contract_instalments_due",
        "contract_instalments",
        ["due_at"],
        postgresql_where=sa.text("invoice_id IS NULL"),
    )
    _check_kinds(f"{_KINDS}, 'instalment')")


def downgrade() -> None:
    # Invoices of instalments stay, as what an older Farebox knows beside a period's own
    op.execute("ALTER TABLE invoices DISABLE TRIGGER keep_invoice")
    op.execute("UPDATE invoices SET kind = 'one_off' WHERE kind = 'instalment'")
    op.execute("ALTER TABLE invoices ENABLE TRIGGER keep_invoice")
    _check_kinds(f"{_KINDS})")
    op.drop_table("contract_instalments")
    op.drop_index("ix_contracts_prepaid", table_name="contracts")
    op.drop_column("contracts", "prepaid_until")


def _check_kinds(kinds: str) -> None:
    op.drop_constraint(op.f("ck_invoices_kind"), "invoices")
    op.create_check_constraint(op.f("ck_invoices_kind"), "invoices", kinds)
