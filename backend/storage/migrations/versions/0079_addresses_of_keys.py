"""Networks that an API key is taken from, and keys that are an application's"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0079"
down_revision = "0078"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("addresses", postgresql.ARRAY(sa.Text())))
    op.add_column(
        "api_keys",
        sa.Column("service_account", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    """The older schema lets a key be used from anywhere, so one with a list is disabled."""
    op.execute(
        "UPDATE api_keys SET disabled_at = coalesce(disabled_at, created_at)"
        " WHERE addresses IS NOT NULL"
    )
    op.drop_column("api_keys", "service_account")
    op.drop_column("api_keys", "addresses")
