"""Sessions in which an operator looks at a tenant's portal"""

import sqlalchemy as sa
from alembic import op

revision = "0075"
down_revision = "0074"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("viewing_tenant_id", sa.Text()))
    op.add_column("sessions", sa.Column("viewing_until", sa.DateTime(timezone=True)))
    op.create_foreign_key(
        op.f("fk_sessions_viewing_tenants"),
        "sessions",
        "tenants",
        ["viewing_tenant_id"],
        ["id"],
        ondelete="SET NULL",
    )
    op.create_check_constraint(
        op.f("ck_sessions_viewing_ends"),
        "sessions",
        "viewing_tenant_id IS NULL OR viewing_until IS NOT NULL",
    )


def downgrade() -> None:
    """Whoever looks at a tenant's portal is back in their own tenant."""
    op.drop_constraint(op.f("ck_sessions_viewing_ends"), "sessions")
    op.drop_constraint(op.f("fk_sessions_viewing_tenants"), "sessions")
    op.drop_column("sessions", "viewing_until")
    op.drop_column("sessions", "viewing_tenant_id")
