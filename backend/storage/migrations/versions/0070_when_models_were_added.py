"""When a model was first on sale; those from before say when the schema was changed"""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "models",
        sa.Column(
            "added_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_column("models", "added_at")
