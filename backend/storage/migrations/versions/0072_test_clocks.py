"""Sample tenants whose time is set by a test clock"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tenants", sa.Column("clock_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_tenants_clocks_are_of_samples"), "tenants", "clock_at IS NULL OR is_sample"
    )
    # No customer's time is ever bent: a tenant has a clock from its first day on, or never
    op.execute(
        """
        CREATE FUNCTION keep_clock() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF (OLD.clock_at IS NULL) <> (NEW.clock_at IS NULL) OR NEW.clock_at < OLD.clock_at THEN
            RAISE EXCEPTION 'a test clock is made with its tenant, and only goes forward';
          END IF;
          RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER keep_clock BEFORE UPDATE OF clock_at ON tenants"
        " FOR EACH ROW EXECUTE FUNCTION keep_clock()"
    )
    op.create_table(
        "test_clocks",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'ready'")),
        sa.Column("target_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("awaited", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            nullable=False,
            server_default=sa.text("now()"),
        ),
        sa.CheckConstraint(
            "state IN ('ready', 'advancing', 'failed')", name=op.f("ck_test_clocks_state")
        ),
        sa.CheckConstraint(
            "(state = 'ready') = (target_at IS NULL)",
            name=op.f("ck_test_clocks_target_of_advance"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_test_clocks")),
    )


def downgrade() -> None:
    # A tenant on a clock stays as the sample that it is, from then on in real time
    op.drop_table("test_clocks")
    op.execute("DROP TRIGGER keep_clock ON tenants")
    op.execute("DROP FUNCTION keep_clock")
    op.drop_constraint(op.f("ck_tenants_clocks_are_of_samples"), "tenants")
    op.drop_column("tenants", "clock_at")
