"""How the seller's books are kept."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from backend.storage.tables.common import metadata, time_column

book_terms = Table(
    "book_terms",
    metadata,
    # There is one seller, so that there is one row at most
    Column("id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("terms", JSONB, nullable=False),
    time_column("changed_at"),
    Column("changed_by", Text, nullable=False),
    CheckConstraint("id = 'seller'", name="one_row"),
)
