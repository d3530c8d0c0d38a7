"""A process that reserves and settles until it is killed: ``wallet_client URL TENANT NAME``."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal

from backend.pricing.credit.wallet import InsufficientCredit
from backend.storage.database import Database
from backend.wallets.holds import reserve, settle


async def spend(url: str, tenant: str, name: str) -> None:
    database = Database(url, pool_size=4)

    async def one(number: int) -> None:
        turn = 0
        while True:
            call = f"{name}-{number}-{turn}"
            turn += 1
            now = datetime.now(UTC)
            try:
                async with database.begin() as connection:
                    await reserve(connection, tenant, call, "large", Decimal("0.05"), now)
            except InsufficientCredit:
                return
            async with database.begin() as connection:
                await settle(connection, tenant, call, Decimal("0.0123"), now)

    await asyncio.gather(*(one(number) for number in range(4)))


if __name__ == "__main__":
    asyncio.run(spend(*sys.argv[1:]))
