"""``farebox invoices run`` as an operator runs it, and as a power cut ends it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from backend.settings import Settings
from backend.storage.database import Database
from tests.support.commands import run_farebox
from tests.support.invoices import APRIL, GRACE, MARCH, count, many_subscribed, subscribed, used
from tests.support.waiting import until

pytestmark = pytest.mark.engine

FAREBOX = Path(sys.executable).with_name("farebox")
TENANTS = 400


def farebox(
    database_url: str, home: Path, *arguments: str, **environment: str
) -> subprocess.Popen[str]:
    """The command, in a process group of its own, so that a kill takes its workers too."""
    own = {"DATABASE_URL": database_url, "FAREBOX_HOME": str(home)}
    return subprocess.Popen(
        [FAREBOX, "invoices", *arguments],
        env=os.environ | own | environment,
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


async def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = await asyncio.to_thread(process.communicate, timeout=240)
    return process.returncode, out, err


async def ended(
    database_url: str, home: Path, *arguments: str, **environment: str
) -> tuple[int, str, str]:
    """Run a command that nobody kills, to its end."""
    own = {"DATABASE_URL": database_url, "FAREBOX_HOME": str(home)}
    done = await asyncio.to_thread(
        run_farebox, "invoices", *arguments, environment=os.environ | own | environment, cwd=home
    )
    return done.returncode, done.stdout, done.stderr


async def issued(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM invoices")) or 0)


@pytest.mark.crash
@pytest.mark.timeout(900)
async def test_a_run_that_is_killed_and_run_again_makes_each_invoice_once(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    tenants = await many_subscribed(database, TENANTS)
    await count(database, [used(tenant, MARCH, 1_234_567) for tenant in tenants])
    command = ("run", "--as-of", f"{APRIL + GRACE:%Y-%m-%dT%H:%M:%S}", "--workers", "2")
    killed = 0
    while True:
        before = await issued(database)
        if before == TENANTS:
            break
        process = farebox(database_url, tmp_path, *command)

        async def went_on(before: int = before, process: subprocess.Popen[str] = process) -> bool:
            return await issued(database) > before or process.poll() is not None

        await until(went_on, seconds=240)
        if process.poll() is None and killed < 3:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        code, out, err = await finished(process)
        assert code in {0, -signal.SIGKILL}, out + err
    assert killed >= 1

    code, out, err = await ended(database_url, tmp_path, *command)
    assert code == 0, err
    assert out.startswith("0 invoiced, 0 with nothing to bill, 0 failed, 0 left")
    async with database.begin() as connection:
        sums = await connection.execute(
            text(
                "SELECT count(*), count(DISTINCT tenant_id), min(total), max(total),"
                " count(*) FILTER (WHERE number LIKE '%-000001') FROM invoices"
            )
        )
        assert [str(value) for value in sums.one()] == ["400", "400", "31.19", "31.19", "400"]
        lines = await connection.execute(
            text(
                "SELECT count(*) FROM invoices WHERE subtotal <> (SELECT sum(amount) FROM"
                " invoice_lines WHERE invoice_id = invoices.id)"
            )
        )
        assert lines.scalar_one() == 0
        runs = await connection.execute(
            text("SELECT count(*), sum(invoiced) FROM invoice_runs WHERE finished_at IS NOT NULL")
        )
        totals = runs.one()
        assert totals[1] == TENANTS  # what a killed batch had counted was rolled back with it


async def test_what_was_run_and_invoiced_is_listed(
    database: Database, database_url: str, settings: Settings, tmp_path: Path
) -> None:
    tenant = await subscribed(database, slug="sample-customer")
    command = ("run", "--as-of", f"{APRIL + timedelta(days=1):%Y-%m-%d}")
    code, out, err = await ended(database_url, tmp_path, *command)
    assert (code, err) == (0, "")
    assert out.startswith("1 invoiced")
    code, out, _ = await ended(database_url, tmp_path, "list", tenant.slug)
    assert code == 0
    assert "FB-sample-customer-000001  finalized  2026-03-01  31.00 USD  31.00" in out
    assert out.splitlines()[1].startswith("draft")
    code, out, _ = await ended(database_url, tmp_path, "runs")
    assert "finished" in out
    code, _, err = await ended(database_url, tmp_path, "run", "--as-of", "2999-01-01")
    assert (code, "future" in err) == (1, True)
