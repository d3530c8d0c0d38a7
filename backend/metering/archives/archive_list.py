"""The recorded archives, and whether their files are unchanged."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.metering.archives.archive import digest_of
from backend.storage.tables import event_archives, tenants

FileState = Literal["as it was", "changed", "not there"]


@dataclass(frozen=True, slots=True)
class Archive:
    """A file with a day's events (UTC) of a tenant.

    ``restored_at`` is None until they are restored.
    """

    tenant: str
    start: datetime
    file: Path
    sha256: str
    event_count: int
    archived_at: datetime
    archived_by: str
    restored_at: datetime | None
    restored_by: str | None


async def list_archives(connection: AsyncConnection, tenant_id: str | None) -> list[Archive]:
    """Return the archives of a tenant, or of all; by tenant and day."""
    query = (
        select(event_archives, tenants.c.slug)
        .join(tenants, tenants.c.id == event_archives.c.tenant_id)
        .order_by(tenants.c.slug, event_archives.c.start_at, event_archives.c.created_at)
    )
    if tenant_id is not None:
        query = query.where(event_archives.c.tenant_id == tenant_id)
    return [
        Archive(
            tenant=row["slug"],
            start=row["start_at"],
            file=Path(row["file"]),
            sha256=row["sha256"],
            event_count=row["event_count"],
            archived_at=row["created_at"],
            archived_by=row["archived_by"],
            restored_at=row["restored_at"],
            restored_by=row["restored_by"],
        )
        for row in (await connection.execute(query)).mappings()
    ]


async def check_file(archive: Archive) -> FileState:
    """Read an archive's file, where it was written, and compare it with its SHA-256."""
    try:
        digest = await asyncio.to_thread(digest_of, archive.file)
    except OSError:
        return "not there"
    return "as it was" if digest == archive.sha256 else "changed"
