"""What contracts have prepaid: instalments, the credit that they ask for, and the books of both."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details
from backend.errors import Conflict, InvalidInput
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.voiding import void
from backend.invoices.issuing.instalments import ask_for_instalments, check_tax
from backend.invoices.queries import find_invoice
from backend.invoices.settling import record_payment
from backend.invoices.worker import keep_invoices_of
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.contracts import amend_contract, create_contract, find_contract
from backend.wallets.grants import refund_grant
from backend.wallets.queries import list_grants
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import AmendmentCreate, Contract, ContractCreate
from backend_client.types.invoices import (
    BillingDetails,
    CreditNoteCreate,
    PaymentRecord,
    VoidInvoice,
)
from backend_client.types.wallets import CreditGrant
from tests.support.billing import catalog_with
from tests.support.double_entry import reconcile
from tests.support.invoices import (
    GRACE,
    MARCH,
    count,
    invoices_of,
    lines_of_invoice,
    run_invoices,
    subscribed,
    used,
)

pytestmark = pytest.mark.engine

M = 1_000_000
DAY = timedelta(days=1)
INPUT = {"id": "input", "name": "Input", "kind": "per_unit", "meters": ["input_tokens"]}
PLANS = [
    {"id": "free", "name": "Free"},
    {"id": "bare", "name": "Bare", "charges": [INPUT | {"price": "1"}]},
]
TAXES = [{"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"}]
BOOKS = date(2026, 3, 1), date(2028, 12, 1)


def month(number: int) -> datetime:
    """The start of a month, counted from March 2026 as 0."""
    return datetime(2026 + (2 + number) // 12, (2 + number) % 12 + 1, 1, tzinfo=UTC)


class Deal:
    """A customer on a plan of a dollar a million tokens, with a contract from March on."""

    def __init__(self, database: Database, settings: Settings, tenant: Tenant) -> None:
        self.database, self.settings, self.tenant = database, settings, tenant
        self.contract_id = ""

    async def agree(self, prepaid: dict[str, object], **changes: object) -> Contract:
        wanted = {"name": "Deal", "start": MARCH, "periods": 12, "prepaid": prepaid}
        async with self.database.begin() as connection:
            terms = ContractCreate.model_validate(wanted | changes)
            contract = await create_contract(connection, self.tenant, terms)
        self.contract_id = contract.id
        return contract

    async def pass_month(self, number: int, dollars: int = 0) -> None:
        """Let the worker look as a month begins, use something, and bill the month."""
        await ask_for_instalments(self.database, self.settings, month(number) + DAY)
        if dollars:
            await count(self.database, [used(self.tenant, month(number) + 2 * DAY, dollars * M)])
        await ask_for_instalments(self.database, self.settings, month(number + 1) + GRACE)
        await run_invoices(self.database, self.settings, month(number + 1) + GRACE)

    async def contract(self) -> Contract:
        async with self.database.begin() as connection:
            return await find_contract(connection, self.tenant.id, self.contract_id)

    async def grants(self) -> list[CreditGrant]:
        async with self.database.begin() as connection:
            page = await list_grants(connection, self.tenant.id, cursor=None, limit=100)
        return sorted(page.items, key=lambda grant: (grant.starts_at, grant.id))

    async def asked(self, kind: str = "instalment") -> list[str]:
        """What invoices of a kind ask for, less what credit paid."""
        return [
            f"{row['total'] - row['paid']:.2f}"
            for row in await invoices_of(self.database, self.tenant)
            if row["kind"] == kind
        ]

    async def check_books(self) -> None:
        async with self.database.begin() as connection:
            differences = await reconcile(connection, self.tenant, *BOOKS, month(30))
        assert differences == {}


@pytest.fixture
async def deal(database: Database, settings: Settings) -> Deal:
    async with database.begin() as connection:
        await apply_catalog(connection, catalog_with(plans=PLANS, taxes=TAXES))
    return Deal(database, settings, await subscribed(database, "bare", is_sample=False))


async def test_a_years_commitment_is_asked_for_by_the_month(deal: Deal) -> None:
    """Zuora's example: 1,200 a year in monthly instalments is 100 each month, all of it billed.

    docs.zuora.com, prepaid-commitment/key-concepts/prepayment-frequency, read 2026-11.
    """
    await deal.agree({"amount": "1200", "every": "month"}, net_days=10)
    for number in range(12):
        # 150 in each of the first six months: usage is ahead of what was asked for
        await deal.pass_month(number, 150 if number < 6 else 60)
        if number in (0, 5):
            await deal.check_books()
    assert await deal.asked() == ["100.00"] * 12
    # 900 and five times 60 are 1,200; the last month's 60 is beyond, at the plan's price
    assert await deal.asked("period") == ["0.00"] * 11 + ["60.00"]
    [grant] = await deal.grants()
    assert (grant.amount, grant.used, grant.available) == (1200, 1200, 0)
    assert (grant.origin, grant.in_arrears) == ("contract", True)
    instalments = (await deal.contract()).instalments
    assert [part.due_at for part in instalments] == [month(number) for number in range(12)]
    by_id = {row["id"]: row for row in await invoices_of(deal.database, deal.tenant)}
    first = by_id[instalments[0].invoice_id]
    assert first["due_at"] - first["issued_at"] == timedelta(days=10)
    [line] = await lines_of_invoice(deal.database, deal.tenant, instalments[2].invoice_id)
    assert line["name"] == "Deal: prepaid, instalment 3 of 12"
    assert (line["period_start"], line["period_end"]) == (month(2), month(3))
    await deal.check_books()


async def test_a_part_of_what_is_left_rolls_over_and_a_renewal_repeats_the_schedule(
    deal: Deal,
) -> None:
    """Zuora's example 2, in money: of 1,000 a year 800 are used, and 200 stay for 5 months.

    docs.zuora.com, create-prepayment-charge-with-rollover---zuora-ui---example-2, read 2026-11.
    """
    prepaid = {"amount": "1000", "every": "quarter"}
    await deal.agree(
        prepaid | {"rollover_percent": "100", "rollover_months": 5}, periods=6, renews=True
    )
    await deal.pass_month(0, 800)
    for number in range(1, 6):
        await deal.pass_month(number)
    first, second = await deal.grants()
    assert (first.used, first.rolled_over, first.expires_at) == (800, 200, month(11))
    assert (second.amount, second.starts_at, second.expires_at) == (1000, month(6), month(12))
    assert await deal.asked() == ["500.00"] * 3  # the renewed term's first is due
    # What was carried on is used first: it ends sooner
    await deal.pass_month(6, 250)
    first, second = await deal.grants()
    assert (first.available, second.available) == (0, 950)
    async with deal.database.begin() as connection:
        ends = AmendmentCreate(effective_at=month(7), renews=False, reason="It ends")
        await amend_contract(connection, deal.tenant, deal.contract_id, ends)
    for number in range(7, 13):
        await deal.pass_month(number)
    assert await deal.asked() == ["500.00"] * 4
    assert len(await deal.grants()) == 2
    await deal.check_books()


async def test_each_instalment_is_asked_for_once_however_often_and_by_how_many(deal: Deal) -> None:
    await deal.agree({"amount": "100", "every": "month", "grant": "instalment"}, periods=3)
    at = month(1) + DAY
    many = (ask_for_instalments(deal.database, deal.settings, at) for _ in range(4))
    await asyncio.gather(*many)
    assert await ask_for_instalments(deal.database, deal.settings, at) == []
    assert await deal.asked() == ["33.33", "33.34"]
    assert [str(grant.amount) for grant in await deal.grants()] == ["33.33", "33.34"]
    await deal.pass_month(1, 70)
    await deal.pass_month(2)
    assert await deal.asked() == ["33.33", "33.34", "33.33"]
    # The third part pays from May on, and not what was used in April
    assert await deal.asked("period") == ["3.33"]
    await deal.check_books()


async def test_a_listed_schedule_may_begin_late_and_credit_comes_before_it(deal: Deal) -> None:
    listed = [{"period": 2, "amount": "400"}, {"period": 4, "amount": "600"}]
    await deal.agree({"amount": "1000", "instalments": listed}, periods=6)
    await deal.pass_month(0, 300)
    assert await deal.asked() == ["400.00"]
    assert await deal.asked("period") == ["0.00"]
    await deal.check_books()
    for number in range(1, 6):
        await deal.pass_month(number)
    assert await deal.asked() == ["400.00", "600.00"]
    [grant] = await deal.grants()
    assert (grant.used, grant.expired, grant.available) == (300, 700, 0)
    await deal.check_books()


async def test_tax_falls_once_on_what_is_drawn_down(deal: Deal) -> None:
    async with deal.database.begin() as connection:
        await set_details(connection, deal.tenant.id, BillingDetails(country="DE"))
    await deal.agree({"amount": "500", "every": "month"}, periods=1)
    await deal.pass_month(0, 100)
    [ahead, usage] = await invoices_of(deal.database, deal.tenant)
    assert (ahead["taxes"], ahead["total"]) == ([], 500)
    assert (usage["tax"], usage["total"], usage["paid"]) == (19, 119, 119)
    async with deal.database.begin() as connection:
        again = VoidInvoice.model_validate({"reason": "Wrong", "reissue": True, "tax": "again"})
        with pytest.raises(InvalidInput):
            await void(connection, deal.settings, deal.tenant, str(ahead["id"]), again, month(2))
    terms = (await deal.contract()).terms
    check_tax(deal.settings, terms)
    with pytest.raises(InvalidInput):
        check_tax(deal.settings.model_copy(update={"credit_taxed": "at_sale"}), terms)
    await deal.check_books()


async def test_waiving_an_instalment_lowers_revenue_and_leaves_the_credit(deal: Deal) -> None:
    await deal.agree({"amount": "300", "every": "month"}, periods=3)
    for number in range(3):
        await deal.pass_month(number, 100)
    first, second, third = (str(part.invoice_id) for part in (await deal.contract()).instalments)
    of = deal.settings, deal.tenant
    now = month(4)
    async with deal.database.begin() as connection:
        paid = PaymentRecord.model_validate(
            {"amount": "100", "method": "transfer", "reference": "t-1"}
        )
        await record_payment(connection, deal.tenant.id, first, paid, now)
        note = CreditNoteCreate.model_validate(
            {"reason": "Sorry", "lines": [{"line": 1, "amount": "40"}]}
        )
        await credit(connection, *of, second, note, now)
        await void(connection, *of, third, VoidInvoice(reason="Name", reissue=True), now)
    await deal.check_books()
    async with deal.database.begin() as connection:
        replaced = await find_invoice(connection, deal.settings, deal.tenant.id, third, now)
        again = str(replaced.replaced_by)
        await void(connection, *of, again, VoidInvoice(reason="Waived"), now)
        [grant] = await deal.grants()
        with pytest.raises(Conflict):
            await refund_grant(connection, deal.tenant.id, grant.id, now)
    assert grant.used == 300
    assert await ask_for_instalments(deal.database, deal.settings, month(5)) == []
    await deal.check_books()


async def test_a_test_clock_asks_for_instalments_as_it_advances(deal: Deal) -> None:
    """The same act by which a clock's tenant is kept; nothing is left to the worker."""
    await deal.agree({"amount": "1200", "every": "quarter"})
    await keep_invoices_of(deal.database, deal.settings, deal.tenant.id, month(3) + DAY)
    await keep_invoices_of(deal.database, deal.settings, deal.tenant.id, month(3) + DAY)
    assert await deal.asked() == ["300.00", "300.00"]


@pytest.mark.parametrize(
    ("prepaid", "changes"),
    [
        ({"amount": "10"}, {}),
        ({"amount": "10", "every": "month", "instalments": [{"period": 1, "amount": "10"}]}, {}),
        ({"amount": "10", "instalments": [{"period": 1, "amount": "9.99"}]}, {}),
        ({"amount": "10", "instalments": [{"period": 13, "amount": "10"}]}, {}),
        (
            {
                "amount": "10",
                "instalments": [{"period": 2, "amount": "5"}, {"period": 1, "amount": "5"}],
            },
            {},
        ),
        ({"amount": "10", "every": "year"}, {"periods": 6}),
        ({"amount": "10", "every": "month", "rollover_percent": "50"}, {}),
        (
            {"amount": "10", "every": "month"},
            {"periods": None, "commitment": {"ramps": [{"amount": "1", "periods": 2}]}},
        ),
    ],
)
def test_terms_that_do_not_add_up_are_refused(
    prepaid: dict[str, object], changes: dict[str, object]
) -> None:
    wanted = {"name": "Deal", "start": MARCH, "periods": 12, "prepaid": prepaid}
    with pytest.raises(ValidationError):
        ContractCreate.model_validate(wanted | changes)


@pytest.mark.parametrize("amount", ["10.001", "0.05"])
async def test_amounts_without_coins_are_refused(deal: Deal, amount: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await deal.agree({"amount": amount, "every": "month"})
    assert refused.value.errors[0].field == "prepaid.amount"


@hypothesis_settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    amount=st.integers(3, 50_000).map(lambda cents: Decimal(cents) / 100),
    every=st.sampled_from(["month", "quarter"]),
    grant=st.sampled_from(["term", "instalment"]),
    percent=st.sampled_from([None, "33.3", "100"]),
    usage=st.lists(st.integers(0, 200), min_size=3, max_size=3),
)
async def test_what_is_committed_is_asked_for_and_accounted_for(
    deal: Deal,
    amount: Decimal,
    every: str,
    grant: str,
    percent: str | None,
    usage: list[int],
) -> None:
    """Instalments come to the commitment; used, expired and left do too; the books agree."""
    tenant = await subscribed(deal.database, "bare", is_sample=False)
    own = Deal(deal.database, deal.settings, tenant)
    rollover = {} if percent is None else {"rollover_percent": percent, "rollover_months": 1}
    terms = {"amount": str(amount), "every": every, "grant": grant} | rollover
    await own.agree(terms, periods=3)
    for number, dollars in enumerate([*usage, 0]):
        await own.pass_month(number, dollars)
        await own.check_books()
        rows = await own.grants()
        for row in rows:
            assert row.used + row.expired + row.available == row.amount
    assert sum(map(Decimal, await own.asked()), Decimal(0)) == amount
    assert sum((row.amount for row in await own.grants()), Decimal(0)) == amount
    drawn = sum((row.used for row in await own.grants()), Decimal(0))
    beyond = sum(map(Decimal, await own.asked("period")), Decimal(0))
    assert drawn + beyond == sum(usage)
    if grant == "term":
        assert drawn == min(amount, sum(usage))
