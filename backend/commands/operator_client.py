"""A client of the API for the operator's commands, with a key that is revoked afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from backend.accounts.keys.operator_keys import temporary_operator_key
from backend.commands.database import ready_database
from backend.engines.running import running_api_url, running_settings
from backend.errors import CommandError
from backend.settings import Settings
from backend_client import ApiError, AsyncFareboxClient, ClientError

Answer = TypeVar("Answer")


@asynccontextmanager
async def operator_client(settings: Settings, name: str) -> AsyncIterator[AsyncFareboxClient]:
    """Yield a client of the running API; its key has the name ``name``."""
    async with (
        ready_database(settings) as database,
        temporary_operator_key(database, name) as (_, secret),
        AsyncFareboxClient(running_api_url(settings), secret) as client,
    ):
        yield client


def ask_api(name: str, call: Callable[[AsyncFareboxClient], Awaitable[Answer]]) -> Answer:
    """Return ``call`` of a client of the running API; raise ``FareboxError``."""

    async def done() -> Answer:
        async with operator_client(running_settings(), name) as client:
            return await call(client)

    try:
        return asyncio.run(done())
    except ApiError as problem:
        lines = [str(problem), *(f"{error.field}: {error.detail}" for error in problem.errors)]
        raise CommandError("\n".join(lines)) from problem
    except ClientError as problem:
        raise CommandError(str(problem)) from problem
