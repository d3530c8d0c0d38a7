"""Asks platforms that rate usage how things stand which no webhook tells of surely."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import RowMapping, or_, select

from backend.errors import FareboxError
from backend.invoices.taxing.answers import TaxAnswers, with_answers
from backend.invoices.taxing.service import tax_service
from backend.outbox.channels.channel import NotDelivered
from backend.platforms.adapter import Adapter, RemoteFact
from backend.platforms.comparing.invoices import INVOICES_OF
from backend.platforms.rates import take_turn
from backend.platforms.remote_facts.taking import take_fact
from backend.platforms.remote_ids import remote_customer
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import platform_connections
from backend_client.types.platforms import PlatformMode

_log = structlog.get_logger(__name__)

POLL_EVERY: Final = timedelta(minutes=15)


async def poll_due(
    database: Database,
    settings: Settings,
    adapters: Mapping[str, Adapter],
    now: datetime,
    stop: asyncio.Event,
) -> int:
    """Ask about every tenant whose platform was not asked for long; return how many facts came.

    Of several workers one takes the turn of a platform.
    """
    taken = 0
    for adapter in adapters.values():
        if not await take_turn(database, f"{adapter.name}.poll", POLL_EVERY):
            continue
        for row in await _rated(database, adapter.name, now):
            if stop.is_set():
                break
            try:
                taken += await poll(database, settings, adapter, row, now)
            except NotDelivered as failure:
                _log.warning("platforms.not_polled", platform=adapter.name, reason=failure.reason)
    return taken


async def poll(
    database: Database, settings: Settings, adapter: Adapter, row: RowMapping, now: datetime
) -> int:
    """Ask about one tenant's connection; return how many facts came. Raises ``NotDelivered``."""
    async with database.begin() as connection:
        customer = await remote_customer(connection, adapter.name, row["tenant_id"])
    if customer is None:
        return 0
    facts = await adapter.poll(row["tenant_id"], customer)
    async with tax_service(settings) as service:
        answers = TaxAnswers(service)
        for fact in facts:
            take = partial(_take, database, settings, adapter.name, fact, now, answers)
            try:
                await with_answers(answers, take)
            except FareboxError as error:  # what it is about is gone here: the others still count
                _log.warning("platforms.not_taken", platform=adapter.name, reason=error.detail)
    return len(facts)


async def _take(
    database: Database,
    settings: Settings,
    platform: str,
    fact: RemoteFact,
    now: datetime,
    answers: TaxAnswers,
) -> None:
    async with database.begin() as connection:
        await take_fact(connection, settings, platform, fact, now, answers)


async def _rated(database: Database, platform: str, now: datetime) -> list[RowMapping]:
    query = select(platform_connections).where(
        platform_connections.c.platform == platform,
        platform_connections.c.mode == PlatformMode.USAGE.value,
        platform_connections.c.starts_at <= now,
        or_(
            platform_connections.c.ends_at.is_(None),
            platform_connections.c.ends_at > now - INVOICES_OF,
        ),
    )
    async with database.begin() as connection:
        return list((await connection.execute(query)).mappings())
