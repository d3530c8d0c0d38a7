"""Revenue, cost and margin by tenant and model, for the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.parameters import TableFormat
from backend.spend.margin import margin_csv, margin_report
from backend_client.types.common import Instant
from backend_client.types.reconciliation import MarginReport

router = APIRouter(tags=["operator"])


@router.get(
    "/v1/margin",
    response_model=MarginReport,
    responses={200: {"content": {"text/csv": {}}}},
)
async def get_margin(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    at: Annotated[
        Instant | None,
        Query(
            description="An instant in the billing periods to show: RFC 3339 with an offset. If "
            "left out, now.",
            examples=["2026-03-01T09:00:00Z"],
        ),
    ] = None,
    answer_format: TableFormat = "json",
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> MarginReport | Response:
    """Return the margin by tenant and model, a page of tenants at a time."""
    async with services.database.snapshot() as connection:
        report = await margin_report(
            connection,
            services.settings,
            (at or datetime.now(UTC)).astimezone(UTC),
            cursor=cursor,
            limit=limit,
        )
    if answer_format == "csv":
        headers = {"content-disposition": 'attachment; filename="margin.csv"'}
        return Response(margin_csv(report.rows), media_type="text/csv", headers=headers)
    return report
