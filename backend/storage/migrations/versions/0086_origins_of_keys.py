"""Web pages that an API key is taken from"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0086"
down_revision = "0083"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("origins", postgresql.ARRAY(sa.Text())))


def downgrade() -> None:
    """The lists are lost; the older program lets no page of another origin call it."""
    op.drop_column("api_keys", "origins")
