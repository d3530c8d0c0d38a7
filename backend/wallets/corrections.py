"""Corrections of events, and what they give back of the credit that calls were paid from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.counting.corrections import CorrectionWanted, State, correct
from backend.metering.counting.deltas import RollupDeltas
from backend.metering.events import GATEWAY_SOURCE
from backend.storage.database import driver_connection
from backend.wallets.prepayment import correct_call


async def correct_events(
    connection: AsyncConnection,
    tenant_id: str,
    corrections: Sequence[CorrectionWanted],
    now: datetime,
) -> tuple[list[State], RollupDeltas]:
    """Apply corrections as ``metering.corrections.correct`` does, in the caller's transaction.

    A call of the gateway that was paid from the wallet then costs what it should have used, from
    now on: credit that it took too much goes back, what it took too little is taken.
    """
    driver = await driver_connection(connection)
    states, deltas = await correct(driver, tenant_id, corrections, now)
    for one, state in zip(corrections, states, strict=True):
        # One that is repeated may be an old one: the last correction rules
        if one.event_source == GATEWAY_SOURCE and state != "repeated":
            used: dict[str, Decimal] = {} if one.data is None else one.data.quantities
            model = "" if one.data is None else one.data.model
            await correct_call(connection, tenant_id, one.event_id, model, used, now)
    return states, deltas
