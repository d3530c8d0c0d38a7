"""How the books are kept: the chart of accounts, the clocks, and the forms of files."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounting.errors import BookTermsChanged
from backend.accounts.audit.writing import record
from backend.accounts.principal import Principal
from backend.storage.tables import book_terms
from backend_client.types.accounting import BookTerms, BookTermsPut, BookTermsVersion
from backend_client.types.texts import AS_STORED

_SELLER = "seller"


async def read_terms(connection: AsyncConnection) -> BookTermsVersion:
    """Return the terms; those that hold by default before the first change."""
    row = (await connection.execute(select(book_terms))).mappings().first()
    if row is None:
        return BookTermsVersion(revision=0, terms=BookTerms())
    return BookTermsVersion(
        revision=row["revision"],
        terms=BookTerms.model_validate(row["terms"], context=AS_STORED),
        changed_at=row["changed_at"],
        changed_by=row["changed_by"],
    )


async def put_terms(
    connection: AsyncConnection, caller: Principal, wanted: BookTermsPut, now: datetime
) -> BookTermsVersion:
    """Keep other terms; the same as they are change nothing.

    Raises ``Conflict`` if they were changed since the revision that was read.
    """
    held = await read_terms(connection)
    if held.terms == wanted.terms and held.revision:
        return held
    values = {
        "revision": wanted.revision + 1,
        "terms": wanted.terms.model_dump(mode="json"),
        "changed_at": now,
        "changed_by": caller.id,
    }
    kept = await connection.execute(
        insert(book_terms)
        .values(id=_SELLER, **values)
        .on_conflict_do_update(
            index_elements=[book_terms.c.id],
            set_=values,
            where=book_terms.c.revision == wanted.revision,
        )
        .returning(book_terms.c.revision)
    )
    if kept.first() is None or (wanted.revision and not held.revision):
        raise BookTermsChanged(f"They are at revision {held.revision} now.")
    detail: dict[str, object] = {"revision": wanted.revision + 1}
    await record(connection, caller, "accounting.terms", _SELLER, detail=detail)
    return await read_terms(connection)
