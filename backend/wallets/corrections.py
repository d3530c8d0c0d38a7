"""Corrections of events, and the credit that they return or take for the calls."""

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
    """Apply corrections as ``corrections.correct`` does, in the caller's transaction.

    A gateway call that was paid from the wallet then costs what it should have used, from now on:
    excess credit is returned, missing credit is taken.
    """
    driver = await driver_connection(connection)
    states, deltas = await correct(driver, tenant_id, corrections, now)
    for correction, state in zip(corrections, states, strict=True):
        # A repeated correction may be an old one: the last one applies
        of_gateway = correction.event_source == GATEWAY_SOURCE and correction.event_sender in (
            None,
            "gateway",
        )
        if of_gateway and state != "repeated":
            used: dict[str, Decimal] = {} if correction.data is None else correction.data.quantities
            model = "" if correction.data is None else correction.data.model
            labels = {} if correction.data is None else correction.data.labels
            await correct_call(connection, tenant_id, correction.event_id, model, used, now, labels)
    return states, deltas
