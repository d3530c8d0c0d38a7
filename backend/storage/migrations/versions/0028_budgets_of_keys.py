"""API keys that are disabled for a while, and that have a budget"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("disabled_at", sa.DateTime(timezone=True)))
    op.add_column("api_keys", sa.Column("budget_amount", sa.Numeric()))
    op.add_column("api_keys", sa.Column("budget_period", sa.Text()))
    op.add_column("api_keys", sa.Column("budget_limit", sa.Text()))
    op.create_check_constraint(
        op.f("ck_api_keys_whole_budget"),
        "api_keys",
        "num_nulls(budget_amount, budget_period, budget_limit) IN (0, 3)",
    )
    # Not logged, as all holds: after a crash of PostgreSQL their calls are gone as well
    op.create_table(
        "key_budget_states",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("period_start", sa.DateTime(timezone=True)),
        sa.Column("taken_at", sa.DateTime(timezone=True)),
        sa.Column("used", sa.Numeric(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("tenant_id", "key_id", name="pk_key_budget_states"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], "fk_key_budget_states_tenants", ondelete="CASCADE"
        ),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "key_budget_holds",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name="pk_key_budget_holds"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], "fk_key_budget_holds_tenants", ondelete="CASCADE"
        ),
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_key_budget_holds_tenant_id", "key_budget_holds", ["tenant_id", "key_id"])


def downgrade() -> None:
    """The older schema knows no key that is disabled for a while, so such a key is revoked."""
    op.drop_table("key_budget_holds")
    op.drop_table("key_budget_states")
    op.execute(
        "UPDATE api_keys SET revoked_at = disabled_at "
        "WHERE disabled_at IS NOT NULL AND revoked_at IS NULL"
    )
    op.drop_constraint(op.f("ck_api_keys_whole_budget"), "api_keys")
    for column in ("budget_limit", "budget_period", "budget_amount", "disabled_at"):
        op.drop_column("api_keys", column)
