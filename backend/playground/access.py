"""Who may read and change what was kept: its author, and for reading those it is shared with."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, and_, or_

from backend.accounts.principal import Principal


def readable(table: Table, caller: Principal) -> ColumnElement[bool]:
    """The rows of the caller's tenant that are the caller's own, or shared."""
    return and_(
        table.c.tenant_id == caller.tenant_id,
        or_(table.c.user_id == caller.id, table.c.shared),
    )


def own(table: Table, caller: Principal, id_: str) -> ColumnElement[bool]:
    """The row with an id, if it is the caller's own."""
    return and_(
        table.c.tenant_id == caller.tenant_id, table.c.user_id == caller.id, table.c.id == id_
    )
