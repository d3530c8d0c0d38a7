"""Months from events to statements: at any time they add up to the invoices, to the cent."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner, Result

from backend.accounts.principal import COMMAND_LINE
from backend.catalog.published import apply_catalog
from backend.chargeback.closing import close_month
from backend.chargeback.entries import entries_about
from backend.chargeback.errors import (
    ChargebackMonthRunning,
    ChargebackMonthsInOrder,
    ChargebackNotBooked,
    ChargebackWithoutPolicy,
    PolicyChanged,
    PolicyLocked,
    PolicyNotValid,
)
from backend.chargeback.policies import put_policy
from backend.chargeback.queries import MonthBook, list_months, month_book, preview
from backend.chargeback.worker import DepartmentBudgetsWorker
from backend.commands.chargeback import chargeback
from backend.customers.profiles import set_terms
from backend.errors import CommandError
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.runs.finalizing import bill_progress
from backend.metering.counting.corrections import Amended, CorrectionWanted, correct
from backend.metering.events import AcceptedEvent
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import chargeback_entries, credit_notes, invoices, notifications
from backend.wallets.grants import add_grant
from backend.wallets.prepayment import Prepayment
from backend_client.types.accounts import Tenant
from backend_client.types.chargeback import MonthState, Policy, PolicyPut, StatementPreview
from backend_client.types.invoices import (
    BillingTerms,
    CreditNoteCreate,
    CreditWanted,
    VoidInvoice,
)
from backend_client.types.wallets import CreditGrantCreate, CreditKind
from tests.chargeback.divided import policy_of
from tests.support.billing import catalog_with
from tests.support.invoices import (
    APRIL,
    GRACE,
    MARCH,
    MAY,
    count,
    invoices_of,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

DAY = timedelta(days=1)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
SETTINGS = Settings(seller_name="Sample seller")
VAT = BillingTerms(tax_name="VAT", tax_percent=Decimal(19))
FEES_AND_MINIMA = [{"costs": ["fee", "minimum"], "split": "even"}]
COMPANY = policy_of(
    "eng/search",
    "eng/chat",
    "ops/support",
    shared=FEES_AND_MINIMA,
    mode="chargeback",
    transfer={"price": "cost_plus", "percent": "5"},
)


@pytest.fixture
async def tenant(database: Database) -> Tenant:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with())
    return await subscribed(database)


def by(application: str, event: AcceptedEvent) -> AcceptedEvent:
    return replace(event, application_id=application)


async def keep(
    database: Database,
    tenant: Tenant,
    policy: Policy = COMPANY,
    day: date = date(2026, 3, 1),
    revision: int | None = None,
) -> None:
    async with database.begin() as connection:
        wanted = PolicyPut(policy=policy, revision=revision)
        await put_policy(connection, COMMAND_LINE, tenant, day, wanted, MARCH)


async def book(database: Database, tenant: Tenant, month: datetime, now: datetime) -> MonthBook:
    async with database.begin() as connection:
        return await month_book(connection, SETTINGS, tenant, month.date(), now)


async def close(database: Database, tenant: Tenant, month: datetime, now: datetime) -> None:
    async with database.begin() as connection:
        await close_month(connection, SETTINGS, COMMAND_LINE, tenant, month.date(), now)


async def costs(
    database: Database, tenant: Tenant, month: datetime, now: datetime
) -> dict[str, str]:
    """What each place bears, by the path of its codes."""
    statement = (await book(database, tenant, month, now)).statement()
    return {"/".join(row.path): str(row.cost.amount) for row in statement.rows if row.cost.amount}


async def invoiced(database: Database, tenant: Tenant) -> tuple[Decimal, Decimal]:
    """What all valid invoices ask for, less credit notes: before tax, and the tax."""
    async with database.begin() as connection:
        asked = select(func.sum(invoices.c.subtotal), func.sum(invoices.c.tax)).where(
            invoices.c.tenant_id == tenant.id,
            invoices.c.voided_at.is_(None),
            invoices.c.replaced_by.is_(None),
        )
        subtotal, tax = (await connection.execute(asked)).one()
        back = select(func.sum(credit_notes.c.subtotal), func.sum(credit_notes.c.tax)).where(
            credit_notes.c.tenant_id == tenant.id
        )
        credited, tax_back = (await connection.execute(back)).one()
    nothing = Decimal(0)
    return subtotal - (credited or nothing), tax - (tax_back or nothing)


async def add_up(database: Database, tenant: Tenant, months: list[datetime], now: datetime) -> None:
    """Hold all months against all invoices."""
    statements = [(await book(database, tenant, month, now)).statement() for month in months]
    cost, tax = await invoiced(database, tenant)
    assert sum(statement.cost.amount for statement in statements) == cost
    assert sum(statement.tax.amount for statement in statements) == tax
    for statement in statements:
        top = [row for row in statement.rows if len(row.path) <= 1]
        assert sum(row.cost.amount for row in top) == statement.cost.amount


async def test_a_closed_month_stays_and_the_next_bears_what_came_late(
    database: Database, tenant: Tenant
) -> None:
    """A year's story in three months: late usage, usage that moved, a credit note, a void."""
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, VAT)
    await keep(database, tenant)
    wrong = by("chat", used(tenant, MARCH + DAY, 20_000_000))  # 3.00
    await count(
        database,
        [
            by("search", used(tenant, MARCH + DAY, 10_000_000)),  # 1.50
            by("other", used(tenant, MARCH + DAY, 1_000_000)),  # 0.15
            wrong,
        ],
    )
    # The draft that runs: fees are shared, and what no rule takes is shown
    assert await costs(database, tenant, MARCH, MARCH + 2 * DAY) == {
        "eng": "25.17",
        "eng/chat": "13.34",
        "eng/search": "11.83",
        "ops": "10.33",
        "ops/support": "10.33",
        "": "0.15",
    }
    with pytest.raises(ChargebackMonthRunning):
        await close(database, tenant, MARCH, MARCH + 2 * DAY)
    await run_invoices(database, SETTINGS, APRIL + GRACE)
    await close(database, tenant, MARCH, APRIL + 2 * DAY)
    closed = await costs(database, tenant, MARCH, APRIL + 2 * DAY)
    assert closed["eng/search"] == "11.83"
    await add_up(database, tenant, [MARCH], APRIL + 2 * DAY)

    # Late usage of search, and the event of chat was support's in truth
    await count(database, [by("search", used(tenant, MARCH + 3 * DAY, 100_000_000))])  # 15.00
    quantities = {"input_tokens": Decimal(20_000_000)}
    moved = Amended(application_id="support", model="large", quantities=quantities)
    mistake = CorrectionWanted(
        id="c1",
        event_source=wrong.source,
        event_id=wrong.id,
        data=moved,
        reason="of another application",
        actor="operator",
    )
    async with database.raw() as raw, raw.transaction():
        await correct(raw, tenant.id, [mistake], APRIL + 3 * DAY)
    await run_invoices(database, SETTINGS, MAY + GRACE)
    assert await costs(database, tenant, MARCH, MAY + 2 * DAY) == closed
    april = (await book(database, tenant, APRIL, MAY + 2 * DAY)).statement()
    by_path = {"/".join(row.path): str(row.adjustments.amount) for row in april.rows}
    assert by_path == {
        "eng": "12.00",
        "eng/chat": "-3.00",
        "eng/search": "15.00",
        "ops": "3.00",
        "ops/support": "3.00",
        "": "0.00",
    }
    await close(database, tenant, APRIL, MAY + 2 * DAY)
    await add_up(database, tenant, [MARCH, APRIL], MAY + 2 * DAY)

    # In May the invoice of April is credited in part, and that of March is void and issued again
    first, second = await invoices_of(database, tenant)
    async with database.begin() as connection:
        wanted = CreditNoteCreate(
            reason="a kindness", lines=[CreditWanted(line=1, amount=Decimal(10))]
        )
        await credit(connection, SETTINGS, tenant, str(second["id"]), wanted, MAY + 3 * DAY)
        again = VoidInvoice(reason="a wrong address", reissue=True)
        await void(connection, SETTINGS, tenant, str(first["id"]), again, MAY + 3 * DAY)
    await run_invoices(database, SETTINGS, JUNE + GRACE)
    may = (await book(database, tenant, MAY, JUNE + 2 * DAY)).statement()
    assert may.adjustments.amount == -10
    assert may.cost.amount == 31 - 10
    await add_up(database, tenant, [MARCH, APRIL, MAY], JUNE + 2 * DAY)
    await close(database, tenant, MAY, JUNE + 2 * DAY)
    async with database.begin() as connection:
        months = await list_months(connection, tenant, JUNE + 2 * DAY)
    assert [(month.month.month, month.state) for month in months] == [
        (6, MonthState.RUNNING),
        (5, MonthState.CLOSED),
        (4, MonthState.CLOSED),
        (3, MonthState.CLOSED),
    ]
    # June has nothing to adjust: what was taken back is not taken back again
    june = (await book(database, tenant, JUNE, JUNE + 2 * DAY)).statement()
    assert (june.adjustments.amount, june.cost.amount) == (0, 31)


async def test_calls_that_credit_paid_are_borne_by_who_made_them_without_an_invoice(
    database: Database,
) -> None:
    """The month adds up to nothing and has no invoice, until late usage is invoiced after all."""
    charge = {"id": "input", "name": "Input", "kind": "per_unit", "price": "0.15"}
    charge |= {"meters": ["input_tokens"]}
    plans = [
        {"id": "free", "name": "Free"},
        {"id": "prepaid", "name": "Prepaid", "prepaid": True, "charges": [charge]},
    ]
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=plans))
    tenant = await subscribed(database, "prepaid")
    await keep(database, tenant)
    async with database.begin() as connection:
        credit_bought = CreditGrantCreate(name="Bought", kind=CreditKind.PAID, amount=Decimal(10))
        await add_grant(connection, tenant.id, credit_bought, MARCH)
    prepayment, at = Prepayment(database), MARCH + DAY
    quantities = {"input_tokens": Decimal(20_000_000)}  # 3.00
    await prepayment.reserve(tenant.id, "call", "large", quantities, at)
    await prepayment.settle(tenant.id, "call", "large", quantities, at, at)
    await count(database, [by("search", used(tenant, at, 20_000_000))])
    running = await costs(database, tenant, MARCH, MARCH + 2 * DAY)
    assert running == {"eng": "3.00", "eng/search": "3.00", "": "-3.00"}
    await run_invoices(database, SETTINGS, APRIL + GRACE)
    assert await invoices_of(database, tenant) == []
    assert await costs(database, tenant, MARCH, APRIL + DAY) == running
    await close(database, tenant, MARCH, APRIL + 2 * DAY)
    march = (await book(database, tenant, MARCH, APRIL + 2 * DAY)).statement()
    assert (march.cost.amount, march.prepaid.amount) == (0, -3)

    # Usage that nothing paid is in the invoice of April, with all lines of March
    await count(database, [by("chat", used(tenant, MARCH + 3 * DAY, 10_000_000))])  # 1.50
    await run_invoices(database, SETTINGS, MAY + GRACE)
    assert await costs(database, tenant, APRIL, MAY + DAY) == {"eng": "1.50", "eng/chat": "1.50"}
    await close(database, tenant, APRIL, MAY + 2 * DAY)
    await add_up(database, tenant, [MARCH, APRIL], MAY + 2 * DAY)
    assert await costs(database, tenant, MARCH, MAY + 2 * DAY) == running
    may = (await book(database, tenant, MAY, MAY + 3 * DAY)).statement()
    assert (may.adjustments.amount, may.cost.amount) == (0, 0)


async def test_what_is_closed_can_not_be_changed(database: Database, tenant: Tenant) -> None:
    await keep(database, tenant)
    await run_invoices(database, SETTINGS, APRIL + GRACE)
    await run_invoices(database, SETTINGS, MAY + GRACE)
    now = MAY + 2 * DAY
    with pytest.raises(ChargebackNotBooked):
        (await book(database, tenant, MARCH, now)).journal()
    # At once, and again: it is closed once
    await asyncio.gather(*(close(database, tenant, MARCH, now) for _ in range(3)))
    await close(database, tenant, MARCH, now)
    async with database.begin() as connection:
        entries = await connection.scalar(select(func.count()).select_from(chargeback_entries))
    assert entries == 3
    for statement in (
        "UPDATE chargeback_entries SET amount = 0",
        "DELETE FROM chargeback_entries",
        "UPDATE chargeback_months SET mode = 'showback'",
        "DELETE FROM chargeback_months",
    ):
        with pytest.raises(IntegrityError, match="can not be changed"):
            async with database.begin() as connection:
                await connection.execute(text(statement))
    with pytest.raises(PolicyLocked):
        await keep(database, tenant, policy_of("a"), revision=1)
    with pytest.raises(PolicyLocked):
        await keep(database, tenant, policy_of("a"), date(2026, 3, 31))
    await keep(database, tenant, policy_of("a"), date(2026, 4, 1))
    with pytest.raises(PolicyChanged):
        await keep(database, tenant, policy_of("b"), date(2026, 4, 1))
    await keep(database, tenant, policy_of("b"), date(2026, 4, 1), revision=1)
    journal, _ = (await book(database, tenant, MARCH, now)).journal()
    assert journal.reference == "CB-2026-03-01"
    assert [(line.account, line.cost_center, str(line.amount)) for line in journal.lines] == [
        ("expense", "chat", "10.86"),  # 10.34 and 5 %
        ("expense", "search", "10.85"),
        ("expense", "support", "10.85"),
        ("clearing", None, "-31.00"),
        ("internal margin", None, "-1.56"),
    ]
    # A tenant that is removed takes all of it along
    async with database.begin() as connection:
        await connection.execute(text("DELETE FROM tenants"))
        entries = await connection.scalar(select(func.count()).select_from(chargeback_entries))
    assert entries == 0


async def test_months_are_closed_in_order_and_under_a_policy(
    database: Database, tenant: Tenant
) -> None:
    for month in (APRIL, MAY, JUNE):
        await run_invoices(database, SETTINGS, month + GRACE)
    now = JUNE + 2 * DAY
    with pytest.raises(ChargebackWithoutPolicy):
        await close(database, tenant, MARCH, now)
    await keep(database, tenant)
    await close(database, tenant, MARCH, now)
    with pytest.raises(ChargebackMonthsInOrder, match="2026-04-01"):
        await close(database, tenant, MAY, now)
    await close(database, tenant, APRIL, now)
    await close(database, tenant, MAY, now)


async def test_a_policy_is_tried_on_the_last_month(database: Database, tenant: Tenant) -> None:
    await count(database, [by("search", used(tenant, MARCH + DAY, 10_000_000))])
    await run_invoices(database, SETTINGS, APRIL + GRACE)
    async with database.begin() as connection:
        wanted = StatementPreview(policy=COMPANY)
        shown = await preview(connection, SETTINGS, tenant, wanted, APRIL + 2 * DAY)
        assert (shown.month, str(shown.cost.amount)) == (date(2026, 3, 1), "32.50")
        assert str(shown.unallocated.amount) == "0.00"
        circle = Policy.model_validate(
            {
                "units": [
                    {"code": "a", "name": "A", "kind": "department", "parent": "b"},
                    {"code": "b", "name": "B", "kind": "department", "parent": "a"},
                ]
            }
        )
        with pytest.raises(PolicyNotValid, match="below itself"):
            await preview(
                connection, SETTINGS, tenant, StatementPreview(policy=circle), APRIL + 2 * DAY
            )
        unlabeled = policy_of("a", rules=[{"label": "team"}])
        with pytest.raises(PolicyNotValid, match="not a declared label"):
            await preview(
                connection, SETTINGS, tenant, StatementPreview(policy=unlabeled), APRIL + 2 * DAY
            )


async def test_a_part_that_was_billed_in_the_running_month_is_taken_off_where_it_was_given(
    database: Database, tenant: Tenant
) -> None:
    async with database.begin() as connection:
        await set_terms(connection, tenant.id, BillingTerms(progressive_threshold=Decimal(35)))
    await keep(database, tenant)
    await count(database, [by("search", used(tenant, MARCH + DAY, 100_000_000))])  # 15.00
    async with database.begin() as connection:
        assert await bill_progress(connection, SETTINGS, tenant.id, MARCH + 20 * DAY)
    assert (await costs(database, tenant, MARCH, MARCH + 21 * DAY))["eng/search"] == "25.33"
    await count(database, [by("chat", used(tenant, MARCH + 22 * DAY, 50_000_000))])  # 7.50
    await run_invoices(database, SETTINGS, APRIL + GRACE)
    assert await costs(database, tenant, MARCH, APRIL + 2 * DAY) == {
        "eng": "43.17",
        "eng/chat": "17.84",
        "eng/search": "25.33",
        "ops": "10.33",
        "ops/support": "10.33",
    }
    await add_up(database, tenant, [MARCH], APRIL + 2 * DAY)


async def test_the_command_keeps_closes_and_exports(
    database: Database,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    await run_invoices(database, SETTINGS, APRIL + GRACE)
    await run_invoices(database, SETTINGS, MAY + GRACE)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "policy.yaml"
    file.write_text(COMPANY.model_dump_json())

    async def farebox(*arguments: str) -> Result:
        # In a thread of its own: the command runs a loop
        return await asyncio.to_thread(CliRunner().invoke, chargeback, list(arguments))

    for _ in range(2):
        kept = await farebox("apply", tenant.slug, "2026-03-01", str(file))
        assert "revision 1" in kept.output, kept.output
    closed = await farebox("close", tenant.slug)
    assert closed.output.splitlines() == [
        "2026-03-01: 31.00 USD, 0.00 of it unallocated, 0.00 for earlier months",
        "2026-04-01: 31.00 USD, 0.00 of it unallocated, 0.00 for earlier months",
    ]
    assert isinstance((await farebox("close", tenant.slug)).exception, CommandError)
    assert (await farebox("close", tenant.slug, "2026-03-01")).exit_code == 0
    for form in ("pdf", "csv", "focus", "journal", "quickbooks", "xero"):
        output = tmp_path / f"month.{form}"
        options = ("--form", form, "--output", str(output))
        written = await farebox("export", tenant.slug, "2026-04-01", *options)
        assert written.exit_code == 0, written.output
        assert len(output.read_bytes()) > 100
    file.write_text("units: [{code: '!'}]")
    refused = await farebox("apply", tenant.slug, "2026-05-01", str(file))
    assert "units.0.name" in str(refused.exception)


async def test_a_budget_that_is_spent_is_told_once_a_threshold(
    database: Database, tenant: Tenant
) -> None:
    """Eighty percent, and then all of it; a look without new usage looks at nothing."""
    units = [
        {"code": "eng", "name": "Engineering", "kind": "department", "budget": "10"},
        {"code": "search", "name": "Search", "parent": "eng", "budget": "1000"},
    ]
    rules = [{"application": "search", "to": "search"}]
    await keep(database, tenant, Policy.model_validate({"units": units, "rules": rules}))
    worker = DepartmentBudgetsWorker(database, SETTINGS)

    async def told() -> list[tuple[int, str]]:
        async with database.begin() as connection:
            rows = await connection.scalars(
                select(notifications.c.data)
                .where(notifications.c.kind == "department.budget_reached")
                .order_by(notifications.c.id)
            )
            return [(row["percent"], row["spent"]["amount"]) for row in rows]

    await count(database, [by("search", used(tenant, MARCH + DAY, 50_000_000))])  # 7.50
    assert await worker.look(MARCH + 2 * DAY) == 1
    assert await told() == []
    await count(database, [by("search", used(tenant, MARCH + 2 * DAY, 10_000_000))])  # 9.00
    for _ in range(2):
        await DepartmentBudgetsWorker(database, SETTINGS).look(MARCH + 3 * DAY)
    assert await worker.look(MARCH + 3 * DAY) == 1
    assert await worker.look(MARCH + 3 * DAY) == 0
    assert await told() == [(80, "9.00")]
    await count(database, [by("search", used(tenant, MARCH + 3 * DAY, 10_000_000))])  # 10.50
    await worker.look(MARCH + 4 * DAY)
    assert await told() == [(80, "9.00"), (100, "10.50")]


async def test_a_budget_that_is_spent_in_a_months_last_minutes_is_told_after_it(
    database: Database, tenant: Tenant
) -> None:
    units = [
        {"code": "eng", "name": "Engineering", "kind": "department", "budget": "10"},
        {"code": "search", "name": "Search", "parent": "eng"},
    ]
    rules = [{"application": "search", "to": "search"}]
    await keep(database, tenant, Policy.model_validate({"units": units, "rules": rules}))
    worker = DepartmentBudgetsWorker(database, SETTINGS)
    await worker.look(APRIL - timedelta(minutes=10))
    await count(database, [by("search", used(tenant, APRIL - timedelta(seconds=1), 70_000_000))])
    for minutes in (5, 59):
        await worker.look(APRIL + timedelta(minutes=minutes))
        await DepartmentBudgetsWorker(database, SETTINGS).look(APRIL + timedelta(minutes=minutes))
    query = select(notifications.c.data).where(notifications.c.kind == "department.budget_reached")
    async with database.begin() as connection:
        rows = (await connection.scalars(query)).all()
    assert [(row["month"], row["percent"]) for row in rows] == [("2026-03-01", 100)]


async def test_a_month_reads_no_more_of_the_past_than_it_bears(
    database: Database, tenant: Tenant
) -> None:
    """However many months are closed, those that nothing changed in are left alone."""
    await keep(database, tenant)
    await count(database, [by("search", used(tenant, MARCH + DAY, 10_000_000))])
    for month in (MARCH, APRIL):
        following = APRIL if month == MARCH else MAY
        await run_invoices(database, SETTINGS, following + GRACE)
        await close(database, tenant, month, following + 2 * DAY)
    now = MAY + 10 * DAY
    async with database.begin() as connection:
        assert await entries_about(connection, tenant.id, [], []) == []
        march = await entries_about(connection, tenant.id, [MARCH], [])
        assert {entry.key.start for entry in march} == {MARCH}
        again = await entries_about(connection, tenant.id, [], [march[0].document])
        assert again == march
    statement = (await book(database, tenant, MAY, now)).statement()
    assert (statement.cost.amount, statement.adjustments.amount) == (31, 0)
    # What ingest takes no more can't have changed a month: it is not asked about
    old = Settings(seller_name="Sample seller", event_max_age_days=1)
    await count(database, [by("chat", used(tenant, MARCH + DAY, 10_000_000))])
    async with database.begin() as connection:
        shown = (await month_book(connection, old, tenant, MAY.date(), now)).statement()
    assert shown.adjustments.amount == 0
