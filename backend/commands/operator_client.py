"""The API as the operator reaches it from a command, with a key that lives as long as that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backend.accounts.operator_keys import lent_operator_key
from backend.commands.database import ready_database
from backend.engines.running import running_api_url
from backend.settings import Settings
from backend_client import AsyncFareboxClient


@asynccontextmanager
async def operator_client(settings: Settings, name: str) -> AsyncIterator[AsyncFareboxClient]:
    """Lend a client of the running API; ``name`` is what its key is listed under."""
    async with (
        ready_database(settings) as database,
        lent_operator_key(database, name) as (_, secret),
        AsyncFareboxClient(running_api_url(settings), secret) as client,
    ):
        yield client
