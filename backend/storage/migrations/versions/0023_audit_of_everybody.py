"""Audit entries of every actor: with address and request, and of no tenant too"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit_entries", sa.Column("actor_kind", sa.Text()))
    op.add_column("audit_entries", sa.Column("address", sa.Text()))
    op.add_column("audit_entries", sa.Column("request_id", sa.Text()))
    # Who acts with an operator's key, or on the operator's machine, has no user
    op.execute(
        """
        UPDATE audit_entries SET actor_kind = CASE
            WHEN actor IN (SELECT id FROM users) THEN 'user'
            WHEN actor IN (SELECT id FROM operator_keys) THEN 'operator'
            WHEN actor LIKE 'key\\_%' THEN 'key'
            WHEN actor LIKE 'usr\\_%' THEN 'user'
            ELSE 'operator'
        END
        """
    )
    op.alter_column("audit_entries", "actor_kind", nullable=False)
    # What the operator did outlives the tenant that it was done to
    op.drop_constraint("fk_audit_entries_tenants", "audit_entries", type_="foreignkey")
    op.create_index("ix_audit_entries_id", "audit_entries", ["id"])


def downgrade() -> None:
    """Entries of no tenant, or of one that is gone, have no place in the older schema."""
    op.drop_index("ix_audit_entries_id", table_name="audit_entries")
    op.execute("DELETE FROM audit_entries WHERE tenant_id NOT IN (SELECT id FROM tenants)")
    op.create_foreign_key(
        "fk_audit_entries_tenants",
        "audit_entries",
        "tenants",
        ["tenant_id"],
        ["id"],
        ondelete="CASCADE",
    )
    for column in ("request_id", "address", "actor_kind"):
        op.drop_column("audit_entries", column)
