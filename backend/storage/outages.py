"""Whether an error is an outage of PostgreSQL, or a fault of the statement.

After an outage the same statement is tried again, while a faulty one always fails. Classes of
SQLSTATE are those of PostgreSQL's appendix A; a code in none of them counts as a fault, so that an
unexpected error delays nothing else.
"""

from __future__ import annotations

from typing import Final

import asyncpg
from sqlalchemy.exc import TimeoutError as PoolTimeout

DISK_FULL: Final = "53100"
_READ_ONLY: Final = "25006"
"""A standby, or a primary that was demoted: the right server takes the same statement."""
_OUTAGES: Final = frozenset({"08", "40", "53", "55", "57", "58"})
"""Connection, rollback, resources, object not in the state, operator intervention, system."""


def sqlstate_of(error: BaseException) -> str | None:
    """Return the five characters by which PostgreSQL names an error; None if it is none of its."""
    state = getattr(error, "sqlstate", None)
    if state is None and (original := getattr(error, "orig", None)) is not None:
        state = getattr(original, "sqlstate", None)
    return state if isinstance(state, str) else None


def is_outage(error: BaseException) -> bool:
    """Return whether the same may succeed later, since PostgreSQL was away or overstrained."""
    state = sqlstate_of(error)
    if state is not None:
        return state[:2] in _OUTAGES or state == _READ_ONLY
    if getattr(error, "connection_invalidated", False):
        return True
    if isinstance(error, ValueError):  # the driver can't even send it
        return False
    return isinstance(
        error,
        (
            OSError,
            TimeoutError,
            PoolTimeout,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,  # may be raised if a connection is lost in mid-call
        ),
    )
