"""How far providers' reports are from our own counts, for the operator."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.api.errors import SpanTooLong
from backend.api.parameters import Models
from backend.metering.tokens.drift import drift_report
from backend_client.types.drift import DriftReport
from backend_client.types.problems import FieldError

router = APIRouter(tags=["operator"])

_LONGEST_DAYS = 400


@router.get("/v1/drift")
async def get_drift(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    start: Annotated[
        date | None,
        Query(description="The first day (YYYY-MM-DD, UTC). If left out, 30 days before `end`."),
    ] = None,
    end: Annotated[
        date | None,
        Query(description="The day (YYYY-MM-DD, UTC) before which it ends. If left out, tomorrow."),
    ] = None,
    model: Models = (),
) -> DriftReport:
    """Compare what providers reported with what was counted here, by model and day."""
    until = end or datetime.now(UTC).date() + timedelta(days=1)
    since = start or until - min(timedelta(days=30), until - date.min)
    if not timedelta(0) < until - since <= timedelta(days=_LONGEST_DAYS):
        raise SpanTooLong(
            f"A question spans one day to {_LONGEST_DAYS}.",
            errors=[FieldError(field="end", detail=f"1 to {_LONGEST_DAYS} days after start")],
        )
    async with services.database.begin() as connection:
        return await drift_report(
            connection, services.settings, start=since, end=until, models=model
        )
