"""Double entry over a year of a hundred tenants: after any act, the books say who owes what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.catalog.published import apply_catalog
from backend.customers.profiles import set_details
from backend.errors import FareboxError
from backend.ids import new_id
from backend.invoices.corrections.credit_notes import credit
from backend.invoices.corrections.reversals import reverse_credit_note
from backend.invoices.corrections.voiding import void
from backend.invoices.drafts.billing_cursors import unbilled
from backend.invoices.issuing.instalments import instalments_due
from backend.invoices.issuing.one_off import issue_one_off
from backend.invoices.payments.applying import apply_by_hand, apply_to_open
from backend.invoices.payments.credit_sales import refund_credit, settle_top_up
from backend.invoices.payments.returning import refund_balance, refund_payment, return_payment
from backend.invoices.runs.finalizing import finalize
from backend.invoices.settling import record_payment, write_off
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import credit_grants, credit_notes, invoices, payments
from backend.subscriptions.changes import cancel
from backend.subscriptions.contracts import create_contract
from backend.wallets.grants import add_grant
from backend.wallets.prepayment import Prepayment
from backend.wallets.top_ups import ask_for_top_up
from backend_client.types.accounts import Tenant
from backend_client.types.contracts import ContractCreate
from backend_client.types.invoices import (
    ApplyToInvoice,
    BalanceRefund,
    BillingDetails,
    CreditNoteCreate,
    CreditNoteReversal,
    OneOffInvoiceCreate,
    PaymentRecord,
    PaymentRefund,
    PaymentReturn,
    VoidInvoice,
)
from backend_client.types.subscriptions import SubscriptionCancel
from backend_client.types.wallets import CreditGrantCreate, TopUpCreate, TopUpOutcome
from tests.clocks.world import advance_to, on_clock
from tests.spend.oracle import Dice
from tests.support.billing import catalog_with
from tests.support.double_entry import reconcile
from tests.support.invoices import count, subscribed, used

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

TENANTS = 100
MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 13)]
BOOKS = date(2026, 1, 1), date(2027, 12, 1)
CHECKED = 8
"""One act in so many is followed by a look into the tenant's books; all are looked into at last."""
COUNTRIES = ("DE", "FR", "US")
TAXES = [
    {"id": "de-vat", "name": "VAT", "country": "DE", "percent": "19"},
    {"id": "fr-vat", "name": "VAT", "country": "FR", "percent": "20", "inclusive": True},
]
INPUT = {"name": "Input", "kind": "per_unit", "meters": ["input_tokens"], "price": "0.59"}
PLANS = [
    {"id": "free", "name": "Free"},
    {
        "id": "paid",
        "name": "Paid",
        "charges": [
            {"id": "fee", "name": "Fee", "kind": "flat", "price": "31"},
            INPUT | {"id": "input"},
        ],
    },
    {"id": "calls", "name": "Calls", "prepaid": True, "charges": [INPUT | {"id": "input"}]},
]


Choice = TypeVar("Choice")


class Year:
    """A hundred customers, what is done to their invoices, and how often it was."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self.database, self.settings = database, settings
        self.dice = Dice("double entry")
        self.tenants: list[Tenant] = []
        self.on_calls: dict[str, bool] = {}
        self.on_clocks: set[str] = set()
        self.used: dict[str, tuple[datetime, int]] = {}
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.acts = 0

    def _one_of(self, *choices: Choice) -> Choice:
        return choices[self.dice.below(len(choices))]

    async def begin(self) -> None:
        async with self.database.begin() as connection:
            await apply_catalog(connection, catalog_with(plans=PLANS, taxes=TAXES))

    async def join(self, start: datetime) -> None:
        """Let a twelfth of the customers subscribe, for two months."""
        for number in range(start.month - 1, TENANTS, 12):
            plan = "calls" if number % 5 < 2 else "paid"
            clock = number % 25 == 4
            if clock:
                tenant = await on_clock(self.database, start, plan)
                self.on_clocks.add(tenant.id)
            else:
                tenant = await subscribed(self.database, plan, start, is_sample=False)
            async with self.database.begin() as connection:
                details = BillingDetails(country=COUNTRIES[number % 4 % 3])
                await set_details(connection, tenant.id, details)
            self.tenants.append(tenant)
            self.on_calls[tenant.id] = plan == "calls"
            if number % 3 == 1:
                await self._agree(tenant, start)

    async def _agree(self, tenant: Tenant, start: datetime) -> None:
        """Let a customer pay ahead for two months, in two instalments or all at the second."""
        schedule: dict[str, object] = self._one_of(
            {"every": "month"},
            {"every": "month", "grant": "instalment"},
            {"instalments": [{"period": 2, "amount": "60.01"}]},
        )
        rolls = {"rollover_percent": "50", "rollover_months": 1}
        terms = {"name": "Deal", "start": start, "periods": 2}
        wanted = terms | {"prepaid": {"amount": "60.01"} | schedule | rolls}
        async with self.database.begin() as connection:
            await create_contract(connection, tenant, ContractCreate.model_validate(wanted))

    async def month(self, start: datetime, end: datetime) -> None:
        """Let a month pass: usage, credit and calls, and the invoices after it."""
        at = start + timedelta(days=3)
        events = []
        for tenant in self.lately(2):
            units = 1 + self.dice.below(9_000_000)
            events.append(used(tenant, at, units))
            if self.on_calls[tenant.id]:
                await self._call(tenant, at, units)
            elif self.dice.below(2):
                await self._give(tenant, at)
            earlier = self.used.pop(tenant.id, None)
            if earlier is not None and self.dice.below(3) == 0:
                events.append(used(tenant, earlier[0], -earlier[1]))  # it was counted wrong
                self.done["correct"] += 1
            if not self.on_calls[tenant.id]:
                self.used[tenant.id] = at, units
        await count(self.database, events)
        for tenant in self.lately(2):
            await self._bill(tenant, end + timedelta(days=1))
        for tenant in self.lately(2)[: -len(self.lately(1)) or None]:
            async with self.database.begin() as connection:
                wanted = SubscriptionCancel(when="now")
                await cancel(connection, tenant.id, wanted, end + timedelta(days=1))

    async def _bill(self, tenant: Tenant, now: datetime) -> None:
        if tenant.id in self.on_clocks:
            clock = await advance_to(self.database, self.settings, tenant, now)
            assert (clock.at, clock.problem) == (now, None)
            self.done["advance"] += 1
            return
        async with self.database.begin() as connection:
            asked = await instalments_due(connection, self.settings, tenant, now)
            self.done["instalment"] += len(asked)
            coming = await unbilled(connection, tenant.id)
            assert coming is not None
            await finalize(connection, self.settings, tenant.id, coming.draft_id, now)

    def lately(self, months: int) -> list[Tenant]:
        """Return the tenants that joined in the last months."""
        return self.tenants[-months * TENANTS // 12 :]

    async def _call(self, tenant: Tenant, at: datetime, units: int) -> None:
        kind = self._one_of("paid", "paid", "promotional")
        wanted = {"name": kind, "kind": kind, "amount": str(1 + self.dice.below(9))}
        async with self.database.begin() as connection:
            await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(wanted), at)
        prepayment, name = Prepayment(self.database), new_id("req")
        most = {"input_tokens": Decimal(units)}
        try:
            await prepayment.reserve(tenant.id, name, "large", most, at)
        except FareboxError:
            return
        await prepayment.settle(tenant.id, name, "large", most, at, at)

    async def _give(self, tenant: Tenant, at: datetime) -> None:
        """Give a customer credit that pays an invoice, or a part of it; it may be over soon."""
        wanted: dict[str, object] = {"name": "Sorry", "kind": "promotional"}
        wanted["amount"] = self._one_of("1.23", "17.5", "60")
        wanted["expires_at"] = self._one_of(None, at + timedelta(days=31))
        async with self.database.begin() as connection:
            await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(wanted), at)

    async def act(self, tenant: Tenant, now: datetime) -> None:
        """Do something to one of a tenant's invoices, and look into its books now and then."""
        self.acts += 1
        acts = (
            *(self._pay, self._pay, self._pay, self._return, self._return, self._refund),
            *(self._credit, self._credit, self._reverse, self._void, self._void, self._write_off),
            *(
                self._top_up,
                self._one_off,
                self._pay_out,
                self._apply,
                self._apply_all,
                self._refund_credit,
            ),
        )
        act = acts[self.acts % len(acts)]
        name = act.__name__.removeprefix("_")
        try:
            async with self.database.begin() as connection:
                happened = await act(connection, tenant, now)
        except FareboxError:
            self.refused[name] += 1
        else:
            self.done[name] += bool(happened)
        if self.acts % CHECKED == 0:
            await self.check(tenant, now)

    async def check(self, tenant: Tenant, now: datetime) -> None:
        async with self.database.begin() as connection:
            differences = await reconcile(connection, tenant, *BOOKS, now)
        assert differences == {}, (tenant.id, now, self.done)

    async def _any(
        self, connection: AsyncConnection, table: Any, tenant: Tenant, *where: Any
    ) -> RowMapping | None:
        query = select(table).where(table.c.tenant_id == tenant.id, *where).order_by(table.c.id)
        rows: Sequence[RowMapping] = (await connection.execute(query)).mappings().all()
        return rows[self.dice.below(len(rows))] if rows else None

    async def _pay(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        row = await self._any(connection, invoices, tenant, invoices.c.total > 0)
        if row is None:
            return False
        total = row["total"]
        part = max((total / 2).quantize(Decimal("0.01")), Decimal("0.01"))
        amount = self._one_of(total, total, total - Decimal("0.01"), total + 7, part)
        paid = {"amount": str(amount), "method": "transfer", "reference": new_id("pay")}
        wanted = PaymentRecord.model_validate(paid | {"excess": "balance"})
        await record_payment(connection, tenant.id, row["id"], wanted, now)
        return True

    async def _received(
        self, connection: AsyncConnection, tenant: Tenant, now: datetime
    ) -> RowMapping | None:
        await self._pay(connection, tenant, now)
        came = payments.c.amount > 0, payments.c.method == "transfer"
        return await self._any(connection, payments, tenant, *came)

    async def _received_in_part(
        self, connection: AsyncConnection, tenant: Tenant, now: datetime
    ) -> RowMapping | None:
        unpaid = invoices.c.state == "finalized", invoices.c.paid == 0, invoices.c.total > 5
        row = await self._any(connection, invoices, tenant, *unpaid)
        if row is None:
            return None
        paid = {"amount": "3.50", "method": "transfer", "reference": new_id("pay")}
        wanted = PaymentRecord.model_validate(paid)
        await record_payment(connection, tenant.id, row["id"], wanted, now)
        return await self._any(
            connection, payments, tenant, payments.c.reference == paid["reference"]
        )

    async def _return(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        row = await self._received(connection, tenant, now)
        if row is None:
            return False
        fee = self._one_of(None, Decimal("2.50"))
        wanted = PaymentReturn(reference=f"back {row['id']}", fee=fee)
        await return_payment(connection, tenant, row["invoice_id"], row["id"], wanted, now)
        self.done["return with a fee"] += fee is not None
        return True

    async def _refund(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        received = self._one_of(self._received, self._received_in_part)
        row = await received(connection, tenant, now)
        if row is None:
            return False
        amount = self._one_of(None, "1.00", "9.99")
        wanted = PaymentRefund.model_validate({"amount": amount, "reference": new_id("pay")})
        of = self.settings, tenant, row["invoice_id"], row["id"]
        await refund_payment(connection, *of, wanted, now)
        invoice = await self._any(connection, invoices, tenant, invoices.c.id == row["invoice_id"])
        assert invoice is not None
        self.done["refund of a part-paid"] += row["amount"] < invoice["total"]
        return True

    async def _credit(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        row = await self._any(connection, invoices, tenant, invoices.c.total > 0)
        if row is None:
            return False
        what: dict[str, object] = self._one_of(
            {}, {"tax_only": True}, {"lines": [{"line": 1, "amount": "0.33"}]}
        )
        wanted = CreditNoteCreate.model_validate({"reason": "Wrong"} | what)
        await credit(connection, self.settings, tenant, row["id"], wanted, now)
        return True

    async def _reverse(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        if await self._any(connection, credit_notes, tenant) is None:
            await self._credit(connection, tenant, now)
        row = await self._any(connection, credit_notes, tenant)
        if row is None:
            return False
        wanted = CreditNoteReversal(reason="It was right")
        await reverse_credit_note(connection, self.settings, tenant, row["id"], wanted, now)
        return True

    async def _void(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        row = await self._any(connection, invoices, tenant, invoices.c.state == "finalized")
        if row is None:
            return False
        again: list[dict[str, object]] = [
            {},
            {"reissue": True},
            {"reissue": True, "tax": "again"},
            {"bill_again": True},
        ]
        wanted = VoidInvoice.model_validate({"reason": "Wrong"} | self._one_of(*again))
        await set_details(connection, tenant.id, BillingDetails(country=self._one_of(*COUNTRIES)))
        await void(connection, self.settings, tenant, row["id"], wanted, now)
        self.done["reissue"] += wanted.reissue
        return True

    async def _write_off(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        row = await self._any(connection, invoices, tenant, invoices.c.state == "finalized")
        if row is None:
            return False
        await write_off(connection, tenant.id, row["id"], now)
        return True

    async def _one_off(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        lines = [{"name": "Set-up", "unit_price": "12.345"}, {"name": "Less", "unit_price": "-1"}]
        wanted = OneOffInvoiceCreate.model_validate({"lines": lines})
        await issue_one_off(connection, self.settings, tenant, new_id("inv"), wanted, now)
        return True

    async def _fill(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> None:
        """Let a customer pay an invoice twice: the second time it goes onto the balance."""
        row = await self._any(connection, invoices, tenant, invoices.c.total > 0)
        if row is None:
            return
        for _ in range(2):
            paid = {"amount": str(row["total"]), "method": "transfer", "reference": new_id("pay")}
            wanted = PaymentRecord.model_validate(paid | {"excess": "balance"})
            await record_payment(connection, tenant.id, row["id"], wanted, now)

    async def _pay_out(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        await self._fill(connection, tenant, now)
        paid = {"amount": self._one_of(None, "0.50"), "method": "transfer"}
        wanted = BalanceRefund.model_validate(paid | {"reference": new_id("pay")})
        await refund_balance(connection, tenant, wanted, now)
        return True

    async def _apply(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        await self._one_off(connection, tenant, now)
        row = await self._any(connection, invoices, tenant, invoices.c.state == "finalized")
        if row is None:
            return False
        source = self._one_of("balance", "credit")
        if source == "credit":
            bought = {"name": "Bought", "kind": "paid", "amount": "3.456"}
            await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(bought), now)
        wanted = ApplyToInvoice.model_validate({"source": source})
        await apply_by_hand(connection, self.settings, tenant, row["id"], wanted, now)
        return True

    async def _apply_all(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        await self._one_off(connection, tenant, now)
        await self._fill(connection, tenant, now)  # after it, or the balance pays it as it comes
        return bool(
            await apply_to_open(connection, self.settings, tenant, now + timedelta(days=60))
        )

    async def _top_up(self, connection: AsyncConnection, tenant: Tenant, now: datetime) -> bool:
        """Sell credit with its tax or without, and take some of it back."""
        when = self._one_of("at_sale", "at_sale", "at_redemption")
        settings = self.settings.model_copy(update={"credit_taxed": when})
        wanted = TopUpCreate.model_validate({"amount": self._one_of("10", "7.77", "100.5")})
        top_up = await ask_for_top_up(connection, tenant.id, wanted, now)
        outcome = TopUpOutcome(state="paid", reference=top_up.id)
        await settle_top_up(connection, settings, tenant, top_up.id, outcome, now)
        if self.dice.below(2):
            await refund_credit(connection, settings, tenant, top_up.id, now)
        return True

    async def _refund_credit(
        self, connection: AsyncConnection, tenant: Tenant, now: datetime
    ) -> bool:
        bought = {"name": "Bought", "kind": "paid", "amount": "1.234567"}
        await add_grant(connection, tenant.id, CreditGrantCreate.model_validate(bought), now)
        left = credit_grants.c.kind == "paid", credit_grants.c.available > 0
        row = await self._any(connection, credit_grants, tenant, *left)
        if row is None:
            return False
        await refund_credit(connection, self.settings, tenant, row["id"], now)
        return True


async def test_the_books_of_a_hundred_tenants_come_to_nothing_at_any_instant(
    database: Database, settings: Settings
) -> None:
    year = Year(database, settings)
    await year.begin()
    for start, end in zip(MONTHS, [*MONTHS[1:], datetime(2027, 1, 1, tzinfo=UTC)], strict=True):
        await year.join(start)
        await year.month(start, end)
        for tenant in year.lately(2):
            await year.act(tenant, end + timedelta(days=2, minutes=year.acts))
    assert len(year.tenants) == TENANTS
    for tenant in year.tenants:
        await year.check(tenant, datetime(2027, 2, 28, tzinfo=UTC))
    assert len(year.done) == 19, year.done
    assert min(year.done.values()) > 1, year.done
