"""Test clocks of sample tenants, for the operator."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import ServicesNow, needs
from backend.api.path_parameters import TenantId
from backend.api.tenant_scope import customer
from backend.clocks.clocks import ask_to_advance, read_clock
from backend.metering.ingest.counted import last_accepted
from backend_client.types.test_clocks import TestClock, TestClockAdvance

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Biller = Annotated[Principal, Depends(needs(Permission.OPERATE_BILLING))]

_CLOCK = "/v1/tenants/{tenant_id}/test-clock"


@router.get(_CLOCK)
async def get_test_clock(
    services: ServicesNow, caller: OperatorReader, tenant_id: TenantId
) -> TestClock:
    """Return where a tenant's test clock stands, and whether it is on its way.

    A clock is made with its tenant, by ``clock_at``; a tenant in real time never gets one.
    """
    async with services.database.begin() as connection:
        _, tenant = await customer(connection, caller, tenant_id)
        return await read_clock(connection, tenant.id)


@router.post(_CLOCK + "/advance", status_code=202)
async def post_advance(
    services: ServicesNow, caller: Biller, tenant_id: TenantId, wanted: TestClockAdvance
) -> TestClock:
    """Advance a tenant's test clock, by 62 days at most. It goes on meanwhile: look at its state.

    What was accepted of its usage is counted first. Then all that is due happens at its own
    instant, in order: credit comes and expires, periods are invoiced, reminders are due. It is
    ``failed`` where the tenant can't be billed; advance it again once that is mended.
    """
    awaited = await last_accepted(await services.stream.jetstream(), services.stream.name)
    async with services.database.begin() as connection:
        operator, tenant = await customer(connection, caller, tenant_id)
        clock, new = await ask_to_advance(connection, tenant.id, wanted.to, awaited)
        if new:
            detail: dict[str, object] = {"to": wanted.to.isoformat()}
            await record(connection, operator, "test-clock.advance", tenant.id, detail=detail)
        return clock
