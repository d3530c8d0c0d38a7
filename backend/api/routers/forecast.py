"""Where spend is heading."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Response, status

from backend.accounts.principal import Permission, Principal
from backend.accounts.tenants import find_tenant
from backend.api.dependencies import ServicesNow, needs
from backend.errors import Unavailable
from backend.forecasting.asking import ask_for_forecast
from backend.forecasting.store import stored_forecast
from backend_client.types.spend import Forecast

router = APIRouter(tags=["spend"])

_log = structlog.get_logger(__name__)
_RETRY_SECONDS = "1"

Reader = Annotated[Principal, Depends(needs(Permission.SPEND_READ))]


@router.get(
    "/v1/forecast",
    response_model=Forecast,
    responses={202: {"description": "It is being computed; ask again after Retry-After seconds"}},
)
async def get_forecast(
    services: ServicesNow, caller: Reader, response: Response
) -> Forecast | Response:
    """Return where the current billing period's spend is heading.

    The answer may be some minutes behind: ``version`` and ``computed_at`` say which usage it knows.
    A newer one is computed meanwhile.
    """
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, caller.tenant_id)
        forecast, state = await stored_forecast(connection, tenant, datetime.now(UTC))
    if state != "fresh":
        try:
            await ask_for_forecast(services.stream, services.settings, tenant.id)
        except Unavailable as error:
            if forecast is None:
                raise
            _log.warning("forecast.not_asked", detail=error.detail)
    headers = {"cache-control": "private, no-cache"}
    if forecast is None:
        headers["retry-after"] = _RETRY_SECONDS
        return Response(status_code=status.HTTP_202_ACCEPTED, headers=headers)
    response.headers.update(headers)
    return forecast
