"""The seller's books: their terms, and when an invoice was written off"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_MAY_CHANGE = ("state", "paid", "credited", "paid_at", "voided_at", "void_reason", "replaced_by")

# What is final stays as it is; see the migration that makes the invoices
_KEEP_INVOICE = """
CREATE OR REPLACE FUNCTION keep_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  may_change text[] := ARRAY[
    {may_change}];
BEGIN
  IF OLD.state = 'draft' THEN
    IF TG_OP = 'DELETE' THEN
      RETURN OLD;
    END IF;
    IF NEW.state <> 'draft' AND NEW.subtotal IS DISTINCT FROM (
      SELECT sum(amount) FROM invoice_lines
      WHERE tenant_id = NEW.tenant_id AND invoice_id = NEW.id
    ) THEN
      RAISE EXCEPTION 'the lines of invoice % do not add up to %', NEW.number, NEW.subtotal
        USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' THEN
    RAISE EXCEPTION 'invoice % is final and can not be removed', OLD.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  IF to_jsonb(NEW) - may_change IS DISTINCT FROM to_jsonb(OLD) - may_change
    OR NEW.state = 'draft' OR (OLD.state = 'void' AND NEW.state <> 'void')
    OR (OLD.replaced_by IS NOT NULL AND NEW.replaced_by IS DISTINCT FROM OLD.replaced_by){more}
  THEN
    RAISE EXCEPTION 'invoice % is final and can not be changed', OLD.number
      USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
"""

# When it was is in the audit, if the operator did it by the API; else it was due by then
_WRITTEN_OFF = """
UPDATE invoices SET written_off_at = coalesce(
    (SELECT min(audit_entries.created_at) FROM audit_entries
     WHERE audit_entries.tenant_id = invoices.tenant_id
       AND audit_entries.action = 'invoice.write-off' AND audit_entries.target = invoices.id),
    due_at
)
WHERE state = 'uncollectible'
"""


def upgrade() -> None:
    op.create_table(
        "book_terms",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book_terms")),
        sa.CheckConstraint("id = 'seller'", name=op.f("ck_book_terms_one_row")),
    )
    op.add_column(
        "invoices", sa.Column("written_off_at", sa.DateTime(timezone=True), nullable=True)
    )
    _keep(
        (*_MAY_CHANGE, "written_off_at"),
        "\n    OR (OLD.written_off_at IS NOT NULL"
        " AND NEW.written_off_at IS DISTINCT FROM OLD.written_off_at)",
    )
    op.execute(_WRITTEN_OFF)
    op.create_check_constraint(
        op.f("ck_invoices_written_off"),
        "invoices",
        "state <> 'uncollectible' OR written_off_at IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_invoices_written_off"), "invoices")
    op.drop_column("invoices", "written_off_at")
    _keep(_MAY_CHANGE, "")
    op.drop_table("book_terms")


def _keep(may_change: tuple[str, ...], more: str) -> None:
    names = ", ".join(f"'{name}'" for name in may_change)
    op.execute(_KEEP_INVOICE.format(may_change=names, more=more))
