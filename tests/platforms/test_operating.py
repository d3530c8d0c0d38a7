"""Running it: dry runs, backfills, comparing both sides, limits, and the commands for these."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select
from typer.testing import CliRunner

from backend.commands import platform as commands
from backend.platforms.comparing.verifying import connection_rows, verify, verify_all
from backend.platforms.connections import backfill, connect, disconnect
from backend.platforms.queries import platform_statuses
from backend.platforms.stripe.adapter import Stripe
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import metadata, platform_dispatches
from backend_client.types.accounts import Tenant
from backend_client.types.platforms import PlatformConnect
from tests.platforms.conftest import (
    VAT,
    Clock,
    apply,
    dispatches,
    drift,
    issued,
    on_stripe,
    opened,
    send,
    stripe_settings,
)
from tests.support.billing import make_tenant
from tests.support.stripe.server import KEY, WEBHOOK_SECRET, StripeStandIn

pytestmark = pytest.mark.engine


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: Database) -> CliRunner:
    own = settings.model_copy(update={"database_url": database.url})
    monkeypatch.setattr(commands, "running_settings", lambda: own)
    return CliRunner()


async def invoked(run: CliRunner, *words: str) -> tuple[int, str]:
    """A command, in a thread: it has an event loop of its own."""
    result = await asyncio.to_thread(run.invoke, commands.platform, list(words))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


async def test_a_dry_run_says_each_request_and_sends_none(
    run: CliRunner,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    tenant: Tenant,
) -> None:
    await issued(database, settings, tenant, ["10.00", "5.00"], [VAT])
    code, said = await invoked(run, "push", tenant.id, "--dry-run")
    assert (code, stand_in.writes()) == (0, [])
    paths = re.findall(r"^  (?:POST|DELETE) (\S+)$", said, re.MULTILINE)
    assert paths == [
        "/v1/customers",
        "/v1/invoices",
        "/v1/invoices/new-2/add_lines",
        "/v1/invoices/new-2/finalize",
    ]
    assert "    lines%5B1%5D%5Bamount%5D=500" in said
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["attempts"]) == ("waiting", 0)

    code, said = await invoked(run, "push", tenant.id)
    assert (code, said.splitlines()[-1]) == (0, "1 tried")
    writes = [asked.path for asked in stand_in.writes()]
    remote = stand_in.books.all("invoice")[0]["id"]
    assert [path.replace(remote, "new-2") for path in writes] == paths


async def test_a_backfill_is_rehearsed_and_done_once(
    run: CliRunner,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
) -> None:
    tenant = await make_tenant(database)
    for month in (1, 2, 3):
        await issued(database, settings, tenant, ["10.00"], month=month)
    async with database.begin() as connection:
        wanted = PlatformConnect(platform="stripe")
        await connect(connection, tenant.id, wanted, stripe, datetime.now(UTC))
    since = f"{datetime.now(UTC) - timedelta(days=90):%Y-%m-%d}"
    words = ("backfill", tenant.id, "--since", since)
    assert await invoked(run, *words, "--dry-run") == (0, "3 would be queued\n")
    assert await dispatches(database, tenant) == []
    assert await invoked(run, *words) == (0, "3 are queued\n")
    assert await invoked(run, *words) == (0, "0 are queued\n")
    await send(database, stripe)
    assert len(stand_in.books.all("invoice")) == 3


async def test_both_sides_are_compared_and_lost_payments_are_brought_in(
    run: CliRunner,
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    tenant: Tenant,
) -> None:
    paid = await issued(database, settings, tenant, ["10.00"], month=1)
    gone = await issued(database, settings, tenant, ["20.00"], month=2)
    unsent = await issued(database, settings, tenant, ["30.00"], month=3)
    async with database.begin() as connection:
        await connection.execute(
            delete(platform_dispatches).where(platform_dispatches.c.subject == unsent)
        )
    await send(database, stripe)
    first, second = stand_in.books.all("invoice")
    stand_in.books.pay(first["id"], stand_in.now)
    del stand_in.books.objects[second["id"]]  # no webhook of any of this comes
    later = datetime.now(UTC) + timedelta(days=1, hours=1)
    stop = asyncio.Event()
    adapters = {"stripe": stripe}
    day = timedelta(days=1)
    compared = [await verify_all(database, adapters, later, day, stop) for _ in range(2)]
    assert compared == [1, 0]
    causes = {row["subject"]: row["cause"] for row in await drift(database)}
    assert causes == {gone: "gone_there", unsent: "not_sent"}
    code, said = await invoked(run, "verify", tenant.id)
    # What was issued within the hour may be on its way
    assert (code, re.findall(r": (\w+_\w+): ", said)) == (1, ["gone_there"])
    async with database.begin() as connection:
        [status, *others] = await platform_statuses(connection, adapters, later)
    assert not any(other.configured for other in others)
    assert (status.drift, status.configured, status.connections) == (1, True, 1)
    rows = await dispatches(database, tenant)
    assert [row["action"] for row in rows if row["subject"] == paid] == ["invoice", "settle"]


async def lag(database: Database, clock: Clock) -> float:
    async with database.begin() as connection:
        statuses = await platform_statuses(connection, {}, clock())
    return next(of.lag_seconds for of in statuses if of.platform == "stripe")


async def test_a_limit_is_waited_for_and_everything_arrives(
    database: Database, settings: Settings, stand_in: StripeStandIn
) -> None:
    """Two workers, a limit that they share, and refusals for a while: each invoice once."""
    slow = stripe_settings(stand_in, stripe_requests_per_second=40)
    async with opened(database, slow) as first, opened(database, slow) as second:
        tenants = [await on_stripe(database, first) for _ in range(5)]
        for tenant in tenants:
            for month in (1, 2, 3):
                await issued(database, settings, tenant, ["10.00"], month=month)
        stand_in.trouble.extend(["429"] * 8)
        clock = Clock()
        began = asyncio.get_running_loop().time()
        states: set[str] = set()
        lags = [await lag(database, clock)]
        while states != {"confirmed"}:
            await asyncio.gather(send(database, first, clock), send(database, second, clock))
            clock.pass_by(timedelta(seconds=5))
            lags.append(await lag(database, clock))
            rows = [row for tenant in tenants for row in await dispatches(database, tenant)]
            states = {row["state"] for row in rows}
        seconds = asyncio.get_running_loop().time() - began
    assert max(row["attempts"] for row in rows) == 1  # a limit is no failure
    assert lags[0] > 0  # what /metrics shows
    assert lags[-1] == 0
    assert len(stand_in.books.all("invoice")) == 15
    requests = len([asked for asked in stand_in.asked if asked.status != 429])
    assert requests / seconds <= 40 * 1.1 + 5


async def test_on_another_platform_nothing_is_sent_twice_or_not_at_all(
    database: Database, settings: Settings, stand_in: StripeStandIn, stripe: Stripe, tenant: Tenant
) -> None:
    """Connected, disconnected and connected again: each invoice by when it was issued."""
    before = await issued(database, settings, tenant, ["10.00"], month=1)
    async with database.begin() as connection:
        await disconnect(connection, tenant.id, datetime.now(UTC))
    await issued(database, settings, tenant, ["20.00"], month=2)
    async with database.begin() as connection:
        wanted = PlatformConnect(platform="stripe")
        await connect(connection, tenant.id, wanted, stripe, datetime.now(UTC))
    after = await issued(database, settings, tenant, ["30.00"], month=3)
    await send(database, stripe)
    assert [row["subject"] for row in await dispatches(database, tenant)] == [before, after]
    for row in await connection_rows(database, "stripe", tenant.id):
        await verify(database, stripe, row, datetime.now(UTC) + timedelta(hours=2))
    assert await drift(database) == []
    async with database.begin() as connection:
        assert await backfill(connection, tenant.id, datetime.now(UTC), datetime.now(UTC)) == 0


async def test_plans_are_judged_on_the_command_line(
    run: CliRunner, database: Database, stripe: Stripe, applied: object
) -> None:
    code, said = await invoked(run, "plan", "paid")
    assert code == 1
    assert "Charge 'input' adds up several meters or models" in said
    code, said = await invoked(run, "status")
    assert (code, said.startswith("stripe: configured, 0 tenants, 0 waiting (0 s)")) == (0, True)


async def test_a_tenant_goes_over_and_back_from_a_terminal(
    run: CliRunner, database: Database, settings: Settings, stripe: Stripe
) -> None:
    tenant = await make_tenant(database, currency="KWD")
    code, said = await invoked(run, "connect", tenant.slug)
    assert (code, said.startswith("stripe collects by invoices from ")) == (0, True)
    await issued(database, settings, tenant, ["1.234"])
    await send(database, stripe)
    code, said = await invoked(run, "refused", tenant.id)
    assert "invoice" in said
    assert "steps of 0.010" in said
    assert (await invoked(run, "skip", said.split()[0], "--reason", "Cash."))[0] == 0
    assert await invoked(run, "refused", tenant.id) == (0, "")
    code, said = await invoked(run, "disconnect", tenant.id)
    assert (code, said.startswith("No platform collects from ")) == (0, True)


async def test_no_credential_is_stored_or_logged(
    database: Database,
    settings: Settings,
    stand_in: StripeStandIn,
    stripe: Stripe,
    tenant: Tenant,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await issued(database, settings, tenant, ["10.00"], [VAT])
    wrong = stripe_settings(stand_in, stripe_secret_key="sk_test_that_is_wrong")
    async with opened(database, wrong) as adapter:
        await send(database, adapter)
    [row] = await dispatches(database, tenant)
    assert (row["state"], row["reason"]) == (
        "waiting",
        "Stripe answered 401: Invalid API Key provided",
    )
    clock = Clock()
    clock.pass_by(timedelta(hours=1))
    await send(database, stripe, clock)
    stand_in.books.pay(stand_in.books.all("invoice")[0]["id"], stand_in.now)
    await apply(database, settings, stripe, stand_in.books.events)
    written = capsys.readouterr()
    said = f"{written.out} {written.err} {settings!r}"
    async with database.begin() as connection:
        for table in metadata.tables.values():
            if table.name.startswith("platform_"):
                rows = (await connection.execute(select(table))).all()
                said += " ".join(map(repr, rows))
    assert tenant.id in said
    for secret in (KEY, WEBHOOK_SECRET, "sk_test_that_is_wrong"):
        assert secret not in said
