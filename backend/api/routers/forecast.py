"""Forecasts of spend."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Query, Response, status

from backend.accounts.clocks import now_of
from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import Services, ServicesNow, needs
from backend.errors import Unavailable
from backend.forecasting.budgets import budget_outlook
from backend.forecasting.requests import ask_for_forecast
from backend.forecasting.store import Stored, stored_forecast
from backend_client.types.spend import BudgetOutlook, Forecast

router = APIRouter(tags=["spend"])

_log = structlog.get_logger(__name__)
_RETRY_SECONDS = "1"
_PRIVATE = {"cache-control": "private, no-cache"}

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]


_COMPUTING: dict[int | str, dict[str, object]] = {
    202: {"description": "It is being computed; ask again after Retry-After seconds"}
}


@router.get("/v1/forecast", response_model=Forecast, responses=_COMPUTING)
async def get_forecast(
    services: ServicesNow, caller: Reader, response: Response
) -> Forecast | Response:
    """Return the forecast of the current billing period's spend.

    It may be outdated: ``version`` and ``computed_at`` state the usage that it is based on. A newer
    one is computed meanwhile.
    """
    stored = await _stored(services, caller)
    if stored is None:
        return _computing()
    response.headers.update(_PRIVATE)
    return stored.forecast


@router.get("/v1/forecast/budget", response_model=BudgetOutlook, responses=_COMPUTING)
async def get_budget_outlook(
    services: ServicesNow,
    caller: Reader,
    response: Response,
    amount: Annotated[
        Decimal,
        Query(
            gt=0,
            max_digits=20,
            decimal_places=6,
            description="The budget of the billing period, in your currency.",
            examples=["250.00"],
        ),
    ],
) -> BudgetOutlook | Response:
    """Return the chance, and the likely day, of passing a budget within the billing period."""
    stored = await _stored(services, caller)
    if stored is None:
        return _computing()
    response.headers.update(_PRIVATE)
    return budget_outlook(stored, amount)


async def _stored(services: Services, caller: Principal) -> Stored | None:
    """Return the forecast to show, and request another unless it is fresh."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        stored = await stored_forecast(connection, tenant, now_of(tenant))
    if stored is None or not stored.fresh:
        try:
            await ask_for_forecast(services.stream, services.settings, tenant.id)
        except Unavailable as error:
            if stored is None:
                raise
            _log.warning("forecast.not_asked", detail=error.detail)
    return stored


def _computing() -> Response:
    headers = {**_PRIVATE, "retry-after": _RETRY_SECONDS}
    return Response(status_code=status.HTTP_202_ACCEPTED, headers=headers)
