"""Numbers of invoices and credit notes: one series a tenant, without gaps.

A number is taken in the transaction that issues the document, from a row that stays locked until
it commits: a rollback returns the number, and a second transaction waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

_DIGITS = 6

# In order, so that two transactions that take several numbers wait for each other and never
# deadlock. The series outlives the tenant: one that takes its slug continues it, and no number
# comes twice.
_TAKE = text(
    """
    INSERT INTO invoice_series (series, last_number)
    SELECT series, 1 FROM unnest(:series) AS wanted (series) ORDER BY series
    ON CONFLICT (series) DO UPDATE SET last_number = invoice_series.last_number + 1
    RETURNING series, last_number
    """
).bindparams(bindparam("series", type_=ARRAY(Text)))


def invoice_series(prefix: str, slug: str) -> str:
    """Return the name of a tenant's series of invoices, such as ``FB-acme``."""
    return f"{prefix}-{slug}"


def credit_note_series(prefix: str, slug: str) -> str:
    """Return the name of a tenant's series of credit notes: no slug has a capital letter."""
    return f"{prefix}-{slug}-CN"


def receipt_series(prefix: str, slug: str) -> str:
    """Return the name of a tenant's series of receipts for credit, which are no invoices."""
    return f"{prefix}-{slug}-R"


def number_of(series: str, count: int) -> str:
    """Return a number such as ``FB-acme-000001``."""
    return f"{series}-{count:0{_DIGITS}d}"


async def take_numbers(connection: AsyncConnection, series: Iterable[str]) -> dict[str, str]:
    """Take the next number of each series, in the caller's transaction."""
    wanted: Sequence[str] = sorted(set(series))
    if not wanted:
        return {}
    rows = await connection.execute(_TAKE, {"series": wanted})
    return {name: number_of(name, count) for name, count in rows}
