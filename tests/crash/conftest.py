"""An installation of processes that can be killed, empty and ready for each test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from backend.storage.database import Database
from backend.storage.migrate import migrate
from tests.support.installation import CrashableInstallation


@pytest.fixture
def environment() -> dict[str, str]:
    """What a test sets beside what the installation needs."""
    return {}


@pytest.fixture
async def installation(environment: dict[str, str]) -> AsyncIterator[CrashableInstallation]:
    home = Path(tempfile.mkdtemp(prefix="fb-"))
    installation = CrashableInstallation(home, environment)
    installation.start_engines()
    try:
        database = Database(installation.database_url, pool_size=1)
        await migrate(database.engine)
        await database.close()
        await installation.start_roles()
        yield installation
    finally:
        installation.stop()
        shutil.rmtree(home, ignore_errors=True)
