"""Dead letters, for the operator."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends

from backend.accounts.audit.writing import NO_TENANT, record
from backend.accounts.principal import Permission, Principal
from backend.api.dependencies import PageCursor, PageLimit, Services, ServicesNow, needs
from backend.api.errors import EventsRefused
from backend.api.path_parameters import Sequence
from backend.metering.ingest.dead_letters import DeadLetters
from backend.metering.ingest.parsing import read_document
from backend_client.types.common import Page
from backend_client.types.dead_letters import DeadLetter, DeadLetterContent, DeadLetterReplay
from backend_client.types.events import IngestResult
from backend_client.types.problems import FieldError

router = APIRouter(tags=["operator"])

OperatorReader = Annotated[Principal, Depends(needs(Permission.OPERATE_READ))]
Admin = Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))]


async def _letters(services: Services) -> DeadLetters:
    return DeadLetters(await services.stream.jetstream(), services.settings.stream_name)


@router.get("/v1/dead-letters")
async def get_dead_letters(
    services: ServicesNow, caller: OperatorReader, cursor: PageCursor = None, limit: PageLimit = 50
) -> Page[DeadLetter]:
    """List the messages that could not be counted, oldest first."""
    return await (await _letters(services)).page(cursor=cursor, limit=limit)


@router.get("/v1/dead-letters/{sequence}")
async def get_dead_letter(
    services: ServicesNow, caller: OperatorReader, sequence: Sequence
) -> DeadLetterContent:
    """Return a message that could not be counted, with its content."""
    return await (await _letters(services)).read(sequence)


@router.post("/v1/dead-letters/{sequence}/replay", status_code=202)
async def replay_dead_letter(
    services: ServicesNow, caller: Admin, sequence: Sequence, wanted: DeadLetterReplay
) -> IngestResult:
    """Count a letter: as it is, or with ``events`` in its place.

    These pass the checks of ingest. If one is refused nothing is sent, and the letter stays.
    """
    letters = await _letters(services)
    owners = await letters.tenants(sequence)
    if wanted.events is None:
        count = await letters.replay(sequence)
        result = IngestResult(received=count, accepted=count, duplicates=0, rejected=0)
    else:
        members = [read_document(event) for event in wanted.events]
        batch = await services.ingest.check(caller, members, datetime.now(UTC))
        if batch.rejected:
            raise EventsRefused(
                "Some of these events can't be used; nothing was sent.",
                errors=[
                    FieldError(
                        field=".".join(
                            ["events", str(rejected.index), *filter(None, [rejected.field])]
                        ),
                        detail=rejected.detail,
                    )
                    for rejected in batch.rejected
                ],
            )
        await services.stream.publish(batch.accepted)
        await letters.discard(sequence)
        owners |= {event.tenant_id for event in batch.accepted}
        result = batch.result()
    await _record(services, caller, "dead_letter.replay", sequence, owners)
    return result


@router.delete("/v1/dead-letters/{sequence}", status_code=204)
async def discard_dead_letter(services: ServicesNow, caller: Admin, sequence: Sequence) -> None:
    """Delete a letter. Its events are never counted."""
    letters = await _letters(services)
    owners = await letters.tenants(sequence)
    await letters.discard(sequence)
    await _record(services, caller, "dead_letter.discard", sequence, owners)


async def _record(
    services: Services, caller: Principal, action: str, sequence: int, owners: set[str]
) -> None:
    async with services.database.begin() as connection:
        for tenant_id in sorted(owners) or [NO_TENANT]:  # a letter may not say whose it is
            await record(connection, caller, action, str(sequence), tenant_id=tenant_id)
