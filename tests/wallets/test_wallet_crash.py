"""Gateways that are killed at any instant neither lose credit nor spend it twice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select

from backend.storage.database import Database
from backend.storage.tables import credit_reservations
from backend.wallets.holds import LAPSE
from backend.wallets.lapses import end_lapsed
from backend_client.types.accounts import Tenant
from tests.support.waiting import until
from tests.wallets.test_wallets import balance, check_the_ledger, give

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]


def start(database: Database, tenant: Tenant, name: str) -> subprocess.Popen[bytes]:
    module = "tests.wallets.wallet_client"
    return subprocess.Popen([sys.executable, "-m", module, database.url, tenant.id, name], cwd=ROOT)


async def calls(database: Database, state: str) -> int:
    async with database.begin() as connection:
        query = select(func.count()).where(credit_reservations.c.state == state)
        return int(await connection.scalar(query) or 0)


async def test_killed_in_the_middle_of_calls(database: Database, tenant: Tenant) -> None:
    now = datetime.now(UTC)
    await give(database, tenant, "1000", now)
    for turn in range(3):
        before = await calls(database, "settled")
        clients = [start(database, tenant, f"{turn}-{number}") for number in range(2)]
        try:
            await until(partial(_more_than, database, before + 20), seconds=240)
        finally:
            for client in clients:
                client.kill()
            await asyncio.gather(*(asyncio.to_thread(client.wait) for client in clients))
        await check_the_ledger(database, tenant)
    settled = await calls(database, "settled")
    held = await balance(database, tenant, datetime.now(UTC))
    assert held.used == settled * Decimal("0.0123")
    # What the killed ones held comes back, and nothing else does
    later = datetime.now(UTC) + LAPSE
    assert await end_lapsed(database, later) == held.reserved / Decimal("0.05")
    after = await balance(database, tenant, later)
    assert (after.reserved, after.used) == (0, held.used)
    assert after.available == 1000 - held.used
    await check_the_ledger(database, tenant)


async def _more_than(database: Database, count: int) -> bool:
    return await calls(database, "settled") >= count
