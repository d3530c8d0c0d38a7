"""Providers' exports compared with metered usage, for the operator."""

from __future__ import annotations

import tempfile
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, ServicesNow, needs
from backend.api.export_schema import PROVIDER_EXPORT
from backend.api.parameters import TableFormat, several
from backend.api.path_parameters import DiscrepancyId, ReconciliationId
from backend.errors import InvalidInput
from backend.metering.reconciliation.imports import import_export, rematch
from backend.metering.reconciliation.report import discrepancies_csv
from backend.metering.reconciliation.store import (
    change_discrepancy,
    find_reconciliation,
    list_discrepancies,
    list_reconciliations,
    remove_reconciliation,
)
from backend_client.types.common import Page
from backend_client.types.problems import FieldError
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyChange,
    DiscrepancyStatus,
    Reconciliation,
    ReconciliationOptions,
)

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_IN_MEMORY_BYTES = 1_048_576
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": PROVIDER_EXPORT},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}


def _options(
    options: Annotated[
        str,
        Query(
            description="How to read the file: `ReconciliationOptions`, written as JSON.",
            max_length=100_000,
            examples=['{"provider": "openai"}'],
        ),
    ],
) -> ReconciliationOptions:
    try:
        return ReconciliationOptions.model_validate_json(options)
    except ValidationError as error:
        errors = [
            FieldError(
                field=".".join(["options", *(str(part) for part in problem["loc"])]),
                detail=problem["msg"],
            )
            for problem in error.errors(include_url=False)
        ]
        raise InvalidInput(f"{errors[0].field}: {errors[0].detail}", errors=errors) from error


@router.post("/v1/reconciliations", status_code=201, openapi_extra=_BODY)
async def post_reconciliation(
    services: ServicesNow,
    caller: Biller,
    request: Request,
    response: Response,
    options: Annotated[ReconciliationOptions, Depends(_options)],
    name: Annotated[
        str,
        Query(
            max_length=200,
            description="The file's name, to show in lists. If left out, it has none.",
            examples=["march.csv"],
        ),
    ] = "",
) -> Reconciliation:
    """Import a provider's invoice or usage export, unchanged, and match it.

    The same file with the same options again answers 200 with the earlier import. A file that can't
    be read is refused as a whole, with the line and the field.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
        async for part in request.stream():
            file.write(part)
        file.seek(0)
        async with services.database.begin() as connection:
            reconciliation, new = await import_export(
                connection, services.settings, caller, file, name, options
            )
    if not new:
        response.status_code = 200
    return reconciliation


@router.get("/v1/reconciliations")
async def get_reconciliations(
    services: ServicesNow, caller: OperatorReader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[Reconciliation]:
    """List imports, newest first."""
    async with services.database.begin() as connection:
        return await list_reconciliations(connection, cursor=cursor, limit=limit)


@router.get("/v1/reconciliations/{reconciliation_id}")
async def get_reconciliation(
    services: ServicesNow, caller: OperatorReader, reconciliation_id: ReconciliationId
) -> Reconciliation:
    """Return one import."""
    async with services.database.begin() as connection:
        return await find_reconciliation(connection, reconciliation_id)


@router.delete("/v1/reconciliations/{reconciliation_id}", status_code=204)
async def delete_reconciliation(
    services: ServicesNow, caller: Biller, reconciliation_id: ReconciliationId
) -> None:
    """Remove an import with its discrepancies and notes: the file can be imported again.

    Usage and other imports stay as they are.
    """
    async with services.database.begin() as connection:
        await remove_reconciliation(connection, caller, reconciliation_id)


@router.post("/v1/reconciliations/{reconciliation_id}/match")
async def post_match(
    services: ServicesNow, caller: Biller, reconciliation_id: ReconciliationId
) -> Reconciliation:
    """Compare an import with what is metered now. Statuses and notes stay."""
    async with services.database.begin() as connection:
        matched = await rematch(connection, services.settings, reconciliation_id)
        await _record(connection, caller, "match", reconciliation_id, {})
        return matched


@router.get(
    "/v1/reconciliations/{reconciliation_id}/discrepancies",
    response_model=Page[Discrepancy],
    responses={200: {"content": {"text/csv": {}}}},
)
async def get_discrepancies(
    services: ServicesNow,
    caller: OperatorReader,
    reconciliation_id: ReconciliationId,
    status: Annotated[
        tuple[DiscrepancyStatus, ...], several("Only discrepancies of these statuses.")
    ] = (),
    answer_format: TableFormat = "json",
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Discrepancy] | Response:
    """List what differs, by day, model and meter. As CSV, all of it at once."""
    whole = answer_format == "csv"
    async with services.database.snapshot() as connection:
        page = await list_discrepancies(
            connection,
            reconciliation_id,
            statuses=status,
            cursor=None if whole else cursor,
            limit=None if whole else limit,
        )
    if whole:
        headers = {"content-disposition": 'attachment; filename="discrepancies.csv"'}
        return Response(discrepancies_csv(page.items), media_type="text/csv", headers=headers)
    return page


@router.patch("/v1/reconciliations/{reconciliation_id}/discrepancies/{discrepancy_id}")
async def patch_discrepancy(
    services: ServicesNow,
    caller: Biller,
    reconciliation_id: ReconciliationId,
    discrepancy_id: DiscrepancyId,
    change: DiscrepancyChange,
) -> Discrepancy:
    """Set a discrepancy's status (open, explained or accepted), with a note."""
    async with services.database.begin() as connection:
        changed = await change_discrepancy(
            connection, caller.id, reconciliation_id, discrepancy_id, change
        )
        detail = change.model_dump(mode="json") | {"discrepancy": discrepancy_id}
        await _record(connection, caller, "change_discrepancy", reconciliation_id, detail)
        return changed


async def _record(
    connection: AsyncConnection,
    caller: Principal,
    verb: str,
    reconciliation_id: str,
    detail: dict[str, object],
) -> None:
    action = f"reconciliation.{verb}"
    await record(connection, caller, action, reconciliation_id, tenant_id=NO_TENANT, detail=detail)
