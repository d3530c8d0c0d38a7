"""``farebox events archive``: old events into Parquet files."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from backend.commands.database import ready_database
from backend.engines.running import running_settings
from backend.metering.archive import archive_events, check_archive_time
from backend.settings import Settings
from backend.storage.tables import tenants


def archive(
    directory: Annotated[Path, typer.Argument(help="Where the files go, a folder a tenant.")],
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="Archive what is older (UTC).")
    ],
) -> None:
    """Move old events of all tenants into Parquet files. Usage and bills stay as they are.

    What is archived is no longer listed, corrected or looked at by a rebuild.
    """
    settings = running_settings()
    midnight = before.replace(tzinfo=UTC)
    check_archive_time(midnight, datetime.now(UTC), max_age_days=settings.event_max_age_days)
    count = asyncio.run(_archive(settings, directory.resolve(), midnight))
    typer.echo(f"{count:,} events archived.")


async def _archive(settings: Settings, directory: Path, before: datetime) -> int:
    count = 0
    async with ready_database(settings) as database, database.raw() as connection:
        async with database.begin() as reading:
            tenant_ids = (await reading.scalars(select(tenants.c.id).order_by(tenants.c.id))).all()
        for tenant_id in tenant_ids:
            async for day in archive_events(connection, tenant_id, before, directory):
                typer.echo(f"{day.file}: {day.event_count:,}")
                count += day.event_count
    return count
