"""A grant may come to nothing, once its plan was left"""

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_constraint(op.f("ck_credit_grants_amount"), "credit_grants", type_="check")
    op.create_check_constraint(op.f("ck_credit_grants_amount"), "credit_grants", "amount >= 0")


def downgrade() -> None:
    op.drop_constraint(op.f("ck_credit_grants_amount"), "credit_grants", type_="check")
    op.create_check_constraint(
        op.f("ck_credit_grants_amount"), "credit_grants", "amount > 0", postgresql_not_valid=True
    )
    # Grants of nothing that are there stay: entries of the ledger refer to them
    op.execute(
        """
        DO $$ BEGIN
            ALTER TABLE credit_grants VALIDATE CONSTRAINT ck_credit_grants_amount;
        EXCEPTION WHEN check_violation THEN NULL;
        END $$
        """
    )
