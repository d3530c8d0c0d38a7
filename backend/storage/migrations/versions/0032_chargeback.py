"""Chargeback: policies of departments, and closed months with the parts of their invoices"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

# What is closed stays as it is, whatever writes to it; it goes only with its tenant.
_KEEP = """
CREATE FUNCTION keep_chargeback() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM tenants WHERE id = OLD.tenant_id) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'a closed month of chargeback can not be changed'
    USING ERRCODE = 'restrict_violation';
END $$
"""
_TABLES = ("chargeback_months", "chargeback_entries")


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "chargeback_policies",
        _text("tenant_id"),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("policy", postgresql.JSONB(), nullable=False),
        _time("changed_at"),
        _text("changed_by"),
        sa.PrimaryKeyConstraint("tenant_id", "valid_from", name="pk_chargeback_policies"),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["tenants.id"],
            ondelete="CASCADE",
            name="fk_chargeback_policies_tenants",
        ),
    )
    op.create_table(
        "chargeback_months",
        _text("tenant_id"),
        _time("period_start"),
        _time("period_end"),
        _text("time_zone"),
        _text("mode"),
        sa.Column("usage_marks", postgresql.JSONB(), nullable=False),
        _time("closed_at"),
        _text("closed_by"),
        sa.PrimaryKeyConstraint("tenant_id", "period_start", name="pk_chargeback_months"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], ondelete="CASCADE", name="fk_chargeback_months_tenants"
        ),
        sa.CheckConstraint(
            "mode IN ('showback', 'chargeback')", name=op.f("ck_chargeback_months_mode")
        ),
    )
    op.create_table(
        "chargeback_entries",
        _text("tenant_id"),
        _time("period_start"),
        sa.Column("entry", sa.Integer(), nullable=False),
        _text("document"),
        _text("number", nullable=True),
        sa.Column("line", sa.Integer()),
        _text("kind"),
        _text("plan", nullable=True),
        sa.Column("plan_version", sa.Integer()),
        _text("item"),
        _text("name"),
        _time("usage_start"),
        _time("usage_end"),
        _time("cut_start", nullable=True),
        _time("cut_end", nullable=True),
        _text("series"),
        _text("shared", nullable=True),
        sa.Column(
            "path", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("charged", sa.Numeric(), nullable=False),
        sa.Column("quantity", sa.Numeric()),
        sa.Column("adjustment", sa.Boolean(), nullable=False),
        _text("unit", nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "period_start", "entry", name="pk_chargeback_entries"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "period_start"],
            ["chargeback_months.tenant_id", "chargeback_months.period_start"],
            ondelete="CASCADE",
            name="fk_chargeback_entries_chargeback_months",
        ),
        sa.CheckConstraint(
            "(cut_start IS NULL) = (cut_end IS NULL)", name=op.f("ck_chargeback_entries_whole_cut")
        ),
    )
    op.execute(_KEEP)
    for table in _TABLES:
        op.execute(
            f"CREATE TRIGGER keep_{table} BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION keep_chargeback()"
        )


def downgrade() -> None:
    for table in ("chargeback_entries", "chargeback_months", "chargeback_policies"):
        op.drop_table(table)
    op.execute("DROP FUNCTION keep_chargeback")
