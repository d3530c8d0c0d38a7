"""The state of the metering pipeline, for the operator."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.metering.ingest.pipeline import pipeline_status
from backend.storage.task_health import worker_health
from backend_client.types.common import Page
from backend_client.types.pipeline import Pipeline, WorkerTask

router = APIRouter(tags=["operator"])


@router.get("/v1/pipeline")
async def get_pipeline(
    services: ServicesNow, caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
) -> Pipeline:
    """Return what waits to be counted, since when, and what was set aside."""
    js = await services.stream.jetstream()
    async with services.database.begin() as connection:
        return await pipeline_status(connection, js, services.settings.stream_name)


@router.get("/v1/worker-tasks")
async def get_worker_tasks(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
) -> Page[WorkerTask]:
    """List the worker's tasks, with when each last succeeded and failed."""
    async with services.database.begin() as connection:
        return Page(items=await worker_health(connection))
