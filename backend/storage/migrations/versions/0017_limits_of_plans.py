"""Limits of all the calls of a tenant's plan, beside those of a key"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLES = ("key_windows", "key_calls")


def upgrade() -> None:
    for table in _TABLES:
        op.drop_constraint(op.f(f"fk_{table}_api_keys"), table, type_="foreignkey")
        op.create_foreign_key(
            op.f(f"fk_{table}_tenants"),
            table,
            "tenants",
            ["tenant_id"],
            ["id"],
            ondelete="CASCADE",
        )


def downgrade() -> None:
    """Lose the windows and the open calls of plans' own limits, which are true for a minute."""
    for table in _TABLES:
        key_id = sa.column("key_id", sa.Text())
        op.execute(sa.delete(sa.table(table, key_id)).where(key_id == ""))
        op.drop_constraint(op.f(f"fk_{table}_tenants"), table, type_="foreignkey")
        op.create_foreign_key(
            op.f(f"fk_{table}_api_keys"),
            table,
            "api_keys",
            ["tenant_id", "key_id"],
            ["tenant_id", "id"],
            ondelete="CASCADE",
        )
