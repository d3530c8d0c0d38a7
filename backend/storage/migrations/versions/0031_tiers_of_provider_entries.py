"""Amounts of a provider's export by their tier of prices"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

_KEY = "reconciliation_id, day, model, meter"


def upgrade() -> None:
    op.add_column(
        "provider_entries", sa.Column("tier", sa.Text(), nullable=False, server_default="")
    )
    _identify(f"{_KEY}, tier")


def downgrade() -> None:
    """Lose the tiers: their amounts are added up."""
    op.execute(
        """
        CREATE TEMPORARY TABLE added_up ON COMMIT DROP AS
        SELECT reconciliation_id, day, model, meter, sum(quantity) AS quantity,
               sum(amount) AS amount
        FROM provider_entries GROUP BY 1, 2, 3, 4
        """
    )
    op.execute("TRUNCATE provider_entries")
    op.execute("ALTER TABLE provider_entries DROP CONSTRAINT pk_provider_entries")
    op.drop_column("provider_entries", "tier")
    op.execute(
        """
        INSERT INTO provider_entries (reconciliation_id, day, model, meter, quantity, amount)
        SELECT reconciliation_id, day, model, meter, quantity, amount FROM added_up
        """
    )
    op.execute(
        f"ALTER TABLE provider_entries ADD CONSTRAINT pk_provider_entries PRIMARY KEY ({_KEY})"
    )
    op.execute("DROP TABLE added_up")


def _identify(key: str) -> None:
    op.execute("ALTER TABLE provider_entries DROP CONSTRAINT pk_provider_entries")
    op.execute(
        f"ALTER TABLE provider_entries ADD CONSTRAINT pk_provider_entries PRIMARY KEY ({key})"
    )
