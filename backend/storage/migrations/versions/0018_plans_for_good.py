"""A published plan version never changes, whatever program asks for it"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The function is that of payments and credit notes
    op.execute(
        """
        CREATE TRIGGER keep_plan_versions BEFORE UPDATE ON plan_versions
          FOR EACH ROW EXECUTE FUNCTION keep_for_good()
        """
    )


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_plan_versions ON plan_versions")
