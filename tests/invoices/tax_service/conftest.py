"""A tax service over HTTP that does as a test tells it, and a seller that asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from backend.settings import Settings
from tests.support.tax_server import TaxServer


@pytest.fixture
async def server() -> AsyncIterator[TaxServer]:
    async with TaxServer() as server:
        yield server


@pytest.fixture
def settings(server: TaxServer) -> Settings:
    return Settings(
        seller_country="US",
        tax_service_url=server.url,
        tax_service_token=SecretStr("a secret"),
        tax_service_timeout_seconds=20,
    )
