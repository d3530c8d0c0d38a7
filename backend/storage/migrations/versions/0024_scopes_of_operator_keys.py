"""Operator keys with scopes, an end and the time of their last use"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A key could do everything until now
    everything = sa.text("'{ingest,read,billing,admin}'")
    scopes: sa.Column[list[str]] = sa.Column(
        "scopes", postgresql.ARRAY(sa.Text()), nullable=False, server_default=everything
    )
    op.add_column("operator_keys", scopes)
    op.alter_column("operator_keys", "scopes", server_default=None)
    op.add_column("operator_keys", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.add_column("operator_keys", sa.Column("last_used_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    """The older schema knows no key with fewer scopes or an end, so these are revoked."""
    op.execute(
        """
        UPDATE operator_keys SET revoked_at = coalesce(last_used_at, created_at)
        WHERE revoked_at IS NULL
          AND (expires_at IS NOT NULL OR NOT scopes @> '{ingest,read,billing,admin}')
        """
    )
    for column in ("last_used_at", "expires_at", "scopes"):
        op.drop_column("operator_keys", column)
