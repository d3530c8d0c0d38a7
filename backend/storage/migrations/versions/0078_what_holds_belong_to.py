"""Holds belong to the row that is locked for them, not to the tenant

To check that a tenant exists locks its row. That is written to the log, so that each hold waited
for the disk, though nothing of it is to outlive a crash.
"""

from alembic import op

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None

_PARENTS = {
    "quota_holds": ("quota_states", ["tenant_id"], "SELECT DISTINCT tenant_id"),
    "key_calls": (
        "key_windows",
        ["tenant_id", "key_id"],
        "SELECT DISTINCT tenant_id, key_id, now(), now()",
    ),
    "key_budget_holds": (
        "key_budget_states",
        ["tenant_id", "key_id"],
        "SELECT DISTINCT tenant_id, key_id",
    ),
}
_ADDED = {
    "quota_states": "tenant_id",
    "key_windows": "tenant_id, key_id, requests_free_at, tokens_free_at",
    "key_budget_states": "tenant_id, key_id",
}


def upgrade() -> None:
    for table, (parent, columns, rows) in _PARENTS.items():
        op.execute(
            f"INSERT INTO {parent} ({_ADDED[parent]}) {rows} FROM {table} ON CONFLICT DO NOTHING"
        )
        op.drop_constraint(op.f(f"fk_{table}_tenants"), table, type_="foreignkey")
        op.create_foreign_key(
            op.f(f"fk_{table}_{parent}"), table, parent, columns, columns, ondelete="CASCADE"
        )


def downgrade() -> None:
    for table, (parent, _, _) in _PARENTS.items():
        op.drop_constraint(op.f(f"fk_{table}_{parent}"), table, type_="foreignkey")
        op.create_foreign_key(
            op.f(f"fk_{table}_tenants"),
            table,
            "tenants",
            ["tenant_id"],
            ["id"],
            ondelete="CASCADE",
        )
