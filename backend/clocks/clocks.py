"""A tenant's clock as it stands, and the wish to advance it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.clocks.errors import ClockAdvancing, ClockOnlyForward, ClockStepTooLong, NoTestClock
from backend.storage.tables import tenants, test_clocks
from backend_client.types.test_clocks import TestClock, TestClockState

FARTHEST_STEP: Final = timedelta(days=62)
"""Two billing periods whatever their months, so that no period is skipped without a look."""


async def read_clock(connection: AsyncConnection, tenant_id: str) -> TestClock:
    """Return a tenant's clock; raise ``NoTestClock`` if it lives in real time."""
    row = (await connection.execute(_query(tenant_id))).mappings().first()
    if row is None:
        raise NoTestClock()
    return TestClock.model_validate(dict(row))


async def ask_to_advance(
    connection: AsyncConnection, tenant_id: str, to: datetime, awaited: Mapping[str, int]
) -> tuple[TestClock, bool]:
    """Ask the worker to advance a clock; return it, and whether that was new.

    ``awaited`` is the last message in each stream of usage, which are counted first. Raises
    ``NoTestClock``; ``ClockAdvancing`` while it goes elsewhere; ``ClockOnlyForward`` for an
    instant before it, ``ClockStepTooLong`` for more than ``FARTHEST_STEP`` ahead.
    """
    locked = _query(tenant_id).with_for_update(of=test_clocks)
    row = (await connection.execute(locked)).mappings().first()
    if row is None:
        raise NoTestClock()
    clock = TestClock.model_validate(dict(row))
    if clock.state is TestClockState.ADVANCING:
        if clock.target != to:
            raise ClockAdvancing(f"It goes on to {clock.target:%Y-%m-%d %H:%M:%S} UTC until then.")
        return clock, False
    if to < clock.at:
        raise ClockOnlyForward.of_field("to", "is before the clock, which only goes forward")
    if to - clock.at > FARTHEST_STEP:
        raise ClockStepTooLong.of_field("to", f"is more than {FARTHEST_STEP.days} days ahead")
    advancing = {
        "state": TestClockState.ADVANCING.value,
        "target_at": to,
        "awaited": dict(awaited),
        "problem": None,
    }
    mine = test_clocks.c.tenant_id == tenant_id
    await connection.execute(update(test_clocks).where(mine).values(advancing))
    return await read_clock(connection, tenant_id), True


async def advancing(connection: AsyncConnection) -> Sequence[tuple[str, dict[str, int]]]:
    """Return the tenants whose clocks are to go on, with what is to be counted before."""
    query = (
        select(test_clocks.c.tenant_id, test_clocks.c.awaited)
        .join(tenants, tenants.c.id == test_clocks.c.tenant_id)
        .where(test_clocks.c.state == TestClockState.ADVANCING.value)
        .order_by(test_clocks.c.tenant_id)
    )
    return [(tenant_id, awaited) for tenant_id, awaited in await connection.execute(query)]


async def move_to(connection: AsyncConnection, tenant_id: str, at: datetime) -> None:
    """Set where a clock stands, on its way."""
    await connection.execute(update(tenants).where(tenants.c.id == tenant_id).values(clock_at=at))


async def stop_at(connection: AsyncConnection, tenant_id: str, problem: str | None) -> None:
    """End an advance: where it was to go, or where a problem keeps it from going on."""
    stopped: dict[str, object] = {"state": TestClockState.READY.value, "target_at": None}
    if problem is not None:
        stopped = {"state": TestClockState.FAILED.value, "problem": problem[:1000]}
    mine = test_clocks.c.tenant_id == tenant_id
    await connection.execute(update(test_clocks).where(mine).values(stopped))


def _query(tenant_id: str) -> Select[Any]:
    return (
        select(
            test_clocks.c.tenant_id,
            tenants.c.clock_at.label("at"),
            test_clocks.c.state,
            test_clocks.c.target_at.label("target"),
            test_clocks.c.problem,
        )
        .join(tenants, tenants.c.id == test_clocks.c.tenant_id)
        .where(tenants.c.id == tenant_id)
    )
