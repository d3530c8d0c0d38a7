"""Whether customers' VAT ids exist, as the service says: asked, kept, and asked again.

Nothing waits for it: invoices are made by what the customer says, and the answer is evidence for
the seller, who decides what follows of an id that is not valid.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.customers.errors import TaxIdNotLookedUp
from backend.customers.profiles import profile_of
from backend.customers.vies import Answer, Vies, answers_for
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import tax_id_checks
from backend_client.types.taxes import TaxIdCheck, TaxIdOutcome

_BATCH: Final = 20
_AGAIN_AFTER: Final = timedelta(hours=1)
"""Until a service that was away is asked again."""
_FRESH: Final = timedelta(days=30)

_DUE = text(
    """
    SELECT profile.tenant_id, profile.tax_id FROM billing_profiles AS profile
    LEFT JOIN tax_id_checks AS earlier
        ON earlier.tenant_id = profile.tenant_id AND earlier.tax_id = profile.tax_id
    WHERE profile.business AND profile.tax_id IS NOT NULL AND profile.tax_id ~ '^[A-Za-z]{2}'
        AND (
            earlier.asked_at IS NULL
            OR (earlier.problem IS NOT NULL AND earlier.asked_at < :away)
            OR earlier.asked_at < :old
        )
    ORDER BY earlier.asked_at NULLS FIRST, profile.tenant_id
    LIMIT :batch
    """
)


async def look_up_due(
    database: Database, settings: Settings, now: datetime, stop: asyncio.Event
) -> int:
    """Ask about ids that are due, some of them; return how many were asked about."""
    values = {"away": now - _AGAIN_AFTER, "old": now - _FRESH, "batch": _BATCH}
    async with database.begin() as connection:
        due = (await connection.execute(_DUE, values)).all()
    asked = 0
    async with _service(settings) as service:
        for tenant_id, tax_id in due:
            if stop.is_set():
                break
            answer = await _answer(service, tax_id)
            async with database.begin() as connection:
                await _keep(connection, tenant_id, tax_id, answer, now)
            asked += 1
    return asked


async def look_up_now(
    database: Database, settings: Settings, tenant_id: str, now: datetime
) -> TaxIdCheck:
    """Ask about a tenant's id at once, and keep the answer.

    Raises ``Conflict`` if no service is set, or the tenant has no VAT id.
    """
    if settings.vies_url is None:
        raise TaxIdNotLookedUp("Set FAREBOX_VIES_URL: no service is asked about VAT ids.")
    async with database.begin() as connection:
        details = (await profile_of(connection, tenant_id)).details
    if details.tax_id is None:
        raise TaxIdNotLookedUp("The customer has no tax id.")
    async with _service(settings) as service:
        answer = await _answer(service, details.tax_id)
    async with database.begin() as connection:
        await _keep(connection, tenant_id, details.tax_id, answer, now)
        return await tax_id_check(connection, tenant_id)


async def tax_id_check(connection: AsyncConnection, tenant_id: str) -> TaxIdCheck:
    """Return what is known of a tenant's present tax id."""
    tax_id = (await profile_of(connection, tenant_id)).details.tax_id
    query = select(tax_id_checks).where(
        tax_id_checks.c.tenant_id == tenant_id, tax_id_checks.c.tax_id == tax_id
    )
    row = (await connection.execute(query)).mappings().first()
    if row is None:
        return TaxIdCheck(tax_id=tax_id, outcome=TaxIdOutcome.UNCHECKED)
    return TaxIdCheck.model_validate(dict(row))


@asynccontextmanager
async def _service(settings: Settings) -> AsyncIterator[Vies]:
    service = Vies(str(settings.vies_url), settings.seller_tax_id)
    try:
        yield service
    finally:
        await service.close()


async def _answer(service: Vies, tax_id: str) -> Answer:
    if not answers_for(tax_id):
        return Answer(None, "The service knows no ids of this country.")
    return await service.ask(tax_id)


async def _keep(
    connection: AsyncConnection, tenant_id: str, tax_id: str, answer: Answer, now: datetime
) -> None:
    """Keep an answer. While nobody knows, what was said before stays, with the problem."""
    asked: dict[str, object] = {"problem": answer.problem, "asked_at": now}
    if answer.valid is None:
        outcome = TaxIdOutcome.UNAVAILABLE.value
        row = {"tenant_id": tenant_id, "tax_id": tax_id, "outcome": outcome, **asked}
        changed = asked
    else:
        outcome = (TaxIdOutcome.VALID if answer.valid else TaxIdOutcome.INVALID).value
        changed = {
            **asked,
            "outcome": outcome,
            "name": answer.name,
            "address": answer.address,
            "consultation": answer.consultation,
            "answered_at": now,
        }
        row = {"tenant_id": tenant_id, "tax_id": tax_id, **changed}
    await connection.execute(
        insert(tax_id_checks)
        .values(row)
        .on_conflict_do_update(
            index_elements=[tax_id_checks.c.tenant_id, tax_id_checks.c.tax_id], set_=changed
        )
    )
