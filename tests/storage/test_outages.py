"""Which errors say that PostgreSQL is away, and which that what it was asked is at fault."""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from backend.storage.outages import is_outage

pytestmark = pytest.mark.fast


def from_server(sqlstate: str) -> Exception:
    return asyncpg.PostgresError.new({"C": sqlstate, "M": "as PostgreSQL says it", "S": "ERROR"})


@pytest.mark.parametrize(
    "sqlstate",
    [
        "08006",
        "40001",
        "40P01",
        "53100",
        "53200",
        "53300",
        "55P03",
        "57014",
        "57P01",
        "57P03",
        "58030",
        "25006",
    ],
)
def test_an_outage_may_be_over_later(sqlstate: str) -> None:
    assert is_outage(from_server(sqlstate))
    wrapped = DBAPIError("SELECT", {}, from_server(sqlstate))
    assert is_outage(wrapped)


@pytest.mark.parametrize(
    "sqlstate",
    # An index row that is too long, a NUL, a number out of range, a duplicate, and what no version
    # of PostgreSQL has said yet
    ["54000", "22021", "22003", "23505", "42883", "XX000", "ZZ999"],
)
def test_what_is_at_fault_stays_so(sqlstate: str) -> None:
    assert not is_outage(from_server(sqlstate))


@pytest.mark.parametrize(
    ("error", "outage"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (PoolTimeout(), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (DBAPIError("SELECT", {}, OSError(), connection_invalidated=True), True),
        (ValueError("a surrogate can't be encoded"), False),
        (OverflowError(), False),
        (KeyError("a fault of our own"), False),
    ],
    ids=lambda value: value if isinstance(value, bool) else type(value).__name__,
)
def test_errors_of_the_driver_and_of_our_own(error: Exception, outage: bool) -> None:
    assert is_outage(error) is outage
