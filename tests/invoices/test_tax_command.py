"""``farebox invoices run`` with a tax service, killed while it asks and while it issues."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import text
from starlette.responses import Response

from backend.storage.database import Database
from tests.invoices.test_command import ended, farebox, finished, issued
from tests.support.invoices import APRIL, GRACE, MARCH, count, many_subscribed, subscribed, used
from tests.support.tax_server import Asked, TaxServer, honest
from tests.support.waiting import until

pytestmark = pytest.mark.engine

TENANTS = 240
COMMAND = ("run", "--as-of", f"{APRIL + GRACE:%Y-%m-%dT%H:%M:%S}", "--workers", "2")


@pytest.mark.crash
@pytest.mark.timeout(900)
async def test_killed_while_it_asks_and_run_again_each_invoice_is_issued_once_with_its_tax(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    tenants = await many_subscribed(database, TENANTS)
    await count(database, [used(tenant, MARCH, 1_234_567) for tenant in tenants])

    async def takes_its_time(asked: Asked) -> Response:
        await asyncio.sleep(0.02)
        return await honest(asked)

    async with TaxServer() as server:
        server.reply = takes_its_time
        settings = {
            "FAREBOX_TAX_SERVICE_URL": server.url,
            "FAREBOX_TAX_SERVICE_TIMEOUT_SECONDS": "30",
        }
        for kill_at in ("asking", "issuing"):
            asked, invoiced = len(server.asked), await issued(database)
            process = farebox(database_url, tmp_path, *COMMAND, **settings)

            async def reached(
                at: str = kill_at, asked: int = asked, invoiced: int = invoiced
            ) -> bool:
                if at == "asking":
                    return len(server.asked) > asked
                return await issued(database) > invoiced

            await until(reached, seconds=240)
            os.killpg(process.pid, signal.SIGKILL)
            code, out, err = await finished(process)
            assert code == -signal.SIGKILL, out + err
        assert await issued(database) < TENANTS
        code, out, err = await finished(farebox(database_url, tmp_path, *COMMAND, **settings))
        assert code == 0, out + err
        last = len(server.asked)
        code, out, _ = await ended(database_url, tmp_path, *COMMAND, **settings)
        assert out.startswith("0 invoiced, 0 with nothing to bill, 0 failed, 0 left")
        assert len(server.asked) == last
    async with database.begin() as connection:
        sums = await connection.execute(
            text(
                "SELECT count(*), count(DISTINCT tenant_id), min(total), max(total),"
                " count(*) FILTER (WHERE number LIKE '%-000001') FROM invoices"
            )
        )
        expected = [str(TENANTS), str(TENANTS), "33.61", "33.61", str(TENANTS)]
        assert [str(value) for value in sums.one()] == expected


async def test_who_was_left_out_is_listed_with_the_reason(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    tenant = await subscribed(database, slug="sample-customer")
    away = {"FAREBOX_TAX_SERVICE_URL": "http://127.0.0.1:1/tax"}
    code, out, err = await ended(database_url, tmp_path, *COMMAND, **away)
    assert (code, "1 failed" in out, "farebox invoices failed" in err) == (1, True, True)
    code, out, _ = await ended(database_url, tmp_path, "failed")
    assert code == 0
    reason = "The tax service can't be reached (ConnectError), 3 times in a row."
    assert f"{tenant.slug}  2026-03-01  {reason}" in out
    code, out, _ = await ended(database_url, tmp_path, "list", tenant.slug, **away)
    assert (code, "31.00 USD and tax" in out) == (0, True)
