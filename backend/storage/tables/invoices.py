"""Invoices and what happens to them, and how far each tenant is billed.

Invoices outlive the tenant they are for: they are accounting records, and refer to it by its id
only. Triggers keep final rows unchanged; the migration that creates these tables has them.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from backend.storage.tables.common import created_column, metadata, time_column

_NOTHING = text("0")


def _of_invoice() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["tenant_id", "invoice_id"], ["invoices.tenant_id", "invoices.id"], ondelete="CASCADE"
    )


invoices = Table(
    "invoices",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("currency", Text, nullable=False),
    time_column("period_start"),
    time_column("period_end"),
    Column("time_zone", Text, nullable=False),
    time_column("issued_at"),
    time_column("due_at"),
    Column("subtotal", Numeric, nullable=False),
    Column("tax", Numeric, nullable=False),  # on top; a tax within the prices is only in "taxes"
    Column("total", Numeric, nullable=False),
    Column("taxes", JSONB, nullable=False),
    Column("tax_date", Date),
    Column("tax_notes", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("seller", JSONB, nullable=False),
    Column("customer", JSONB, nullable=False),
    Column("payment_note", Text, nullable=False),
    Column("replaces", Text),
    # The credit note that it takes back
    Column("reverses", Text),
    # The columns from here on may change once it is final
    Column("paid", Numeric, nullable=False, server_default=_NOTHING),
    Column("credited", Numeric, nullable=False, server_default=_NOTHING),
    time_column("paid_at", nullable=True),
    time_column("voided_at", nullable=True),
    Column("void_reason", Text),
    Column("replaced_by", Text),
    time_column("written_off_at", nullable=True),
    created_column(),
    UniqueConstraint("tenant_id", "number"),
    CheckConstraint("total = subtotal + tax", name="total"),
    CheckConstraint(
        "CASE WHEN total < 0 THEN credited = 0 AND paid IN (0, total)"
        " ELSE paid >= 0 AND credited >= 0 AND paid + credited <= total END",
        name="not_overpaid",
    ),
    CheckConstraint(
        "state IN ('draft', 'finalized', 'paid', 'void', 'uncollectible')", name="state"
    ),
    CheckConstraint(
        "kind IN ('period', 'progressive', 'one_off', 'reversal', 'top_up', 'instalment')",
        name="kind",
    ),
    CheckConstraint("state <> 'uncollectible' OR written_off_at IS NOT NULL", name="written_off"),
    Index("ix_invoices_period", "tenant_id", "period_start"),
    # A period is closed by one valid invoice
    Index(
        "uq_invoices_closing",
        "tenant_id",
        "period_start",
        unique=True,
        postgresql_where=text("kind = 'period' AND replaced_by IS NULL"),
    ),
    # A credit note is taken back once
    Index(
        "uq_invoices_reverses",
        "tenant_id",
        "reverses",
        unique=True,
        postgresql_where=text("reverses IS NOT NULL"),
    ),
    Index("ix_invoices_open", "due_at", postgresql_where=text("state = 'finalized'")),
)

invoice_lines = Table(
    "invoice_lines",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    # The subject of the line: the charge's id, the discount's, the plan's
    Column("plan", Text),
    Column("plan_version", Integer),
    Column("item", Text, nullable=False),
    Column("name", Text, nullable=False),
    time_column("period_start"),
    time_column("period_end"),
    Column("quantity", Numeric),
    Column("before", Numeric),
    Column("exact", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("charge", JSONB),
    _of_invoice(),
    Index("ix_invoice_lines_period", "tenant_id", "period_start"),
)

payments = Table(
    "payments",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("invoice_id", Text, nullable=False),
    Column("amount", Numeric, nullable=False),
    Column("currency", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("reference", Text, nullable=False),
    # The payment that the bank or the card's owner took back by this one
    Column("returns", Text),
    time_column("received_at"),
    created_column(),
    UniqueConstraint("tenant_id", "invoice_id", "method", "reference"),
    _of_invoice(),
    Index(
        "uq_payments_returns",
        "tenant_id",
        "returns",
        unique=True,
        postgresql_where=text("returns IS NOT NULL"),
    ),
    Index("ix_payments_balance", "tenant_id", postgresql_where=text("method = 'balance'")),
)

credit_notes = Table(
    "credit_notes",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False),
    Column("invoice_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("subtotal", Numeric, nullable=False),
    Column("tax", Numeric, nullable=False),
    Column("taxes", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("total", Numeric, nullable=False),
    Column("to_balance", Numeric, nullable=False),
    # What credit had paid of it that nobody had paid for
    Column("to_credit", Numeric, nullable=False, server_default=_NOTHING),
    time_column("issued_at"),
    created_column(),
    UniqueConstraint("tenant_id", "number"),
    CheckConstraint("total = subtotal + tax AND total > 0", name="total"),
    CheckConstraint("to_balance BETWEEN 0 AND total", name="to_balance"),
    CheckConstraint("to_credit >= 0 AND to_balance + to_credit <= total", name="to_credit"),
    _of_invoice(),
    Index("ix_credit_notes_invoice", "tenant_id", "invoice_id"),
)

invoice_items = Table(
    "invoice_items",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("quantity", Numeric),
    Column("unit_price", Numeric),
    Column("exact", Numeric, nullable=False),
    Column("amount", Numeric, nullable=False),
    # What no invoice has taken yet: of a credit it may be a part
    Column("left", Numeric, nullable=False),
    Column("tax_code", Text),
    time_column("period_start", nullable=True),
    time_column("period_end", nullable=True),
    # The last one that took of it
    Column("invoice_id", Text),
    created_column(),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    CheckConstraint(
        'CASE WHEN amount < 0 THEN "left" BETWEEN amount AND 0'
        ' ELSE "left" BETWEEN 0 AND amount END',
        name="left",
    ),
    Index("ix_invoice_items_pending", "tenant_id", postgresql_where=text('"left" <> 0')),
)

invoice_reminders = Table(
    "invoice_reminders",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    Column("step", Text, primary_key=True),
    time_column("at"),
    _of_invoice(),
)

dunning_holds = Table(
    "dunning_holds",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("invoice_id", Text, primary_key=True),
    # Why no reminder goes out while this row is here: one row a cause
    Column("cause", Text, primary_key=True),
    time_column("since"),
    _of_invoice(),
)

invoice_series = Table(
    "invoice_series",
    metadata,
    Column("series", Text, primary_key=True),
    Column("last_number", BigInteger, nullable=False),
)

billing_cursors = Table(
    "billing_cursors",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    # The first period without an invoice; its draft has this id
    Column("draft_id", Text, nullable=False),
    time_column("period_start"),
    time_column("period_end"),
    Column("time_zone", Text, nullable=False),
    # The run that could not bill the tenant, and why
    Column("failed_run", Text),
    Column("problem", Text),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
    Index("ix_billing_cursors_period_end", "period_end"),
)

billed_periods = Table(
    "billed_periods",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("period_start", DateTime(timezone=True), primary_key=True),
    time_column("period_end"),
    Column("time_zone", Text, nullable=False),
    # A digest of the rollups that were rated last
    Column("usage_mark", Text, nullable=False),
    ForeignKeyConstraint(["tenant_id"], ["tenants.id"], ondelete="CASCADE"),
)
invoice_runs = Table(
    "invoice_runs",
    metadata,
    Column("id", Text, primary_key=True),
    time_column("as_of"),
    time_column("started_at"),
    time_column("finished_at", nullable=True),
    Column("due", BigInteger, nullable=False),
    Column("invoiced", BigInteger, nullable=False, server_default=_NOTHING),
    Column("nothing_to_bill", BigInteger, nullable=False, server_default=_NOTHING),
    Column("failed", BigInteger, nullable=False, server_default=_NOTHING),
)
