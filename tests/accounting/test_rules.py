"""Laws of the books, for any documents: entries balance, revenue rolls forward, nothing is lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.accounting.rules.credit import rounded_months
from backend.accounting.rules.documents import (
    Account,
    BookedInvoice,
    BookedLine,
    BookedNote,
    BookedPayment,
    BookedTax,
    BookedWallet,
    CreditMonth,
    CreditMovement,
)
from backend.accounting.rules.entries import account_entries, account_fields, wallet_entries
from backend.accounting.rules.journals import Journal
from backend.accounting.rules.revenue import by_day, first_of, month_after, revenue_of
from backend.accounting.rules.schedule import months_from, schedule
from backend.pricing.money import ZERO, round_to_minor_unit
from backend_client.types.accounting import ChartOfAccounts, RevenueKind, RevenueMonth

pytestmark = pytest.mark.fast

CHART = ChartOfAccounts(
    revenue_by_plan={"pro": "Revenue, Pro"}, cash_by_method={"stripe": "Stripe"}
)
DAY = timedelta(days=1)
BEGIN, END = date(2025, 1, 1), date(2028, 12, 1)
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
DAYS = st.dates(date(2025, 6, 1), date(2026, 6, 30))


def units(currency: str, least: int = -50_000, most: int = 200_000) -> st.SearchStrategy[Decimal]:
    """Amounts in minor units."""
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    return st.integers(least, most).map(lambda number: Decimal(number).scaleb(-digits))


def moment(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


KINDS = ["charge", "charge", "discount", "true_up", "prepaid", "redeemed"]


@st.composite
def lines(draw: st.DrawFn, currency: str) -> BookedLine:
    start = draw(DAYS)
    return BookedLine(
        kind=draw(st.sampled_from(KINDS)),
        plan=draw(st.sampled_from(["pro", "other", None])),
        item="item",
        amount=draw(units(currency)),
        start=start,
        end=start + DAY * draw(st.integers(0, 400)),
        late=draw(st.booleans()),
    )


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    """An invoice with notes and payments, void or written off."""
    currency = draw(CURRENCIES)
    billed = draw(st.lists(lines(currency), min_size=1, max_size=4))
    within, on_top = draw(units(currency, 0, 900)), draw(units(currency, 0, 900))
    subtotal = sum((line.amount for line in billed), ZERO)
    taxed = sum((line.amount for line in billed if line.kind != "redeemed"), ZERO)
    within = within if taxed > within else ZERO
    issued = draw(DAYS)
    void, written_off = draw(st.sampled_from([(True, False), (False, True), (False, False)]))
    after = issued + DAY * draw(st.integers(0, 90))
    invoice = BookedInvoice(
        tenant="ten_1",
        id="inv_1",
        number="FB-1",
        currency=currency,
        issued_on=issued,
        lines=billed,
        taxes=[BookedTax("VAT", on_top, inclusive=False), BookedTax("In", within, inclusive=True)],
        total=subtotal + on_top,
        catches_up=draw(st.booleans()),
        voided_on=after if void else None,
        written_off_at=moment(after) if written_off else None,
        written_off_on=after if written_off else None,
    )
    if void:
        return Account(invoice)
    notes, paid = [], []
    for number, line in enumerate(billed, start=1):
        if line.amount > 0 and draw(st.booleans()):
            at = issued + DAY * draw(st.integers(0, 200))
            tax = draw(units(currency, 0, 90))
            note = BookedNote(
                f"crn_{number}",
                f"CN-{number}",
                moment(at),
                at,
                {number: line.amount},
                [BookedTax("VAT", tax, inclusive=False)],
                line.amount + tax,
            )
            notes.append(note)
    for place, method in enumerate(draw(st.lists(st.sampled_from(METHODS), max_size=4))):
        at = issued + DAY * draw(st.integers(0, 200))
        amount = draw(units(currency))
        given_away = draw(units(currency, 0, 100)) if method == "credit" else ZERO
        paid.append(
            BookedPayment(f"pay_{place}", method, "ref", amount, moment(at), at, given_away)
        )
    return Account(invoice, notes, paid)


METHODS = ["stripe", "transfer", "credit", "balance"]


@st.composite
def wallets(draw: st.DrawFn) -> BookedWallet:
    """A wallet whose credit is used and expires to the last digit, and some of it is left."""
    currency = draw(CURRENCIES)
    left, movements, months = ZERO, [], {}
    for month in months_from(date(2025, 6, 1), date(2026, 5, 1)):
        bought = draw(units(currency, 0, 90_000))
        if bought:
            movements.append(CreditMovement(f"top_{month}", "Top-up", bought, month))
            left += bought
        if left > 0:
            burnt = (left * draw(st.integers(0, 700)) / 1000).quantize(Decimal("1e-9"))
            expired = (left - burnt) if draw(st.booleans()) else ZERO
            months[month] = CreditMonth(burnt=burnt, expired=expired)
            left -= burnt + expired
    return BookedWallet("ten_1", "acme", currency, movements, months)


def balances(entries: Sequence[Journal], until: date = date.max) -> dict[str, Decimal]:
    """What is on each account at the end of a day."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for entry in entries:
        if entry.booked_on <= until:
            for line in entry.lines:
                sums[line.account] += line.amount
    return sums


def rows_of(account: Account, first: date = BEGIN, last: date = END) -> list[RevenueMonth]:
    return schedule(revenue_of(account, {}), [], months_from(first, last))


@given(account=accounts())
def test_entries_balance_and_say_what_is_owed(account: Account) -> None:
    entries = account_entries(account, {}, CHART)
    assert entries == account_entries(account, {}, CHART)
    assert len({entry.reference for entry in entries}) == len(entries)
    for entry in entries:
        assert sum(line.amount for line in entry.lines) == 0
        assert entry.document.startswith(("inv_", "crn_", "pay_"))
        assert all(line.amount for line in entry.lines)
    sums = balances(entries)
    invoice = account.invoice
    owed = invoice.total - sum(payment.amount for payment in account.payments)
    owed -= sum(note.total for note in account.notes)
    if invoice.voided_on is not None:
        owed = ZERO
    lost = invoice.written_off_at is not None
    assert sums[CHART.receivable] == (ZERO if lost else owed)
    assert sums[CHART.bad_debt] == (owed if lost else ZERO)
    assert sums[CHART.deferred_revenue] == sums[CHART.unbilled_revenue] == 0
    taxes = sum(tax.amount for tax in invoice.taxes)
    taxes -= sum(tax.amount for note in account.notes for tax in note.taxes)
    assert sums[CHART.tax] == (ZERO if invoice.voided_on is not None else -taxes)


@given(account=accounts())
def test_revenue_rolls_forward_and_adds_up_to_what_was_invoiced(account: Account) -> None:
    rows = rows_of(account)
    entries = account_entries(account, {}, CHART)
    for kind in (RevenueKind.DEFERRED, RevenueKind.UNBILLED):
        own = [row for row in rows if row.kind is kind]
        assert own[0].opening.amount == own[-1].closing.amount == 0
        for row, following in pairwise(own):
            assert following.opening == row.closing
            booked = balances(entries, month_after(row.month) - DAY)
            account_name = f"{kind.value}_revenue"
            assert row.closing.amount == -booked[getattr(CHART, account_name)]
    invoice = account.invoice
    net = invoice.total - sum(tax.amount for tax in invoice.taxes)
    net -= sum(note.total - sum(tax.amount for tax in note.taxes) for note in account.notes)
    earned = sum(row.recognized.amount for row in rows)
    assert earned == (ZERO if invoice.voided_on is not None else net)
    assert earned == sum(row.additions.amount for row in rows)


@given(account=accounts(), cut=st.integers(1, 20))
def test_a_schedule_does_not_depend_on_where_it_begins(account: Account, cut: int) -> None:
    first = date(2025, 6, 1)
    months = months_from(first, date(2027, 6, 1))
    whole = rows_of(account, months[0], months[-1])
    parts = rows_of(account, months[0], months[cut - 1]) + rows_of(account, months[cut], months[-1])
    in_order = sorted(parts, key=lambda row: (row.kind, row.month))
    assert sorted(whole, key=lambda row: (row.kind, row.month)) == in_order


@given(account=accounts())
def test_what_comes_later_changes_no_month_before_it(account: Account) -> None:
    bare = Account(replace(account.invoice, voided_on=None, written_off_at=None))
    later = [first_of(note.issued_on) for note in account.notes]
    if account.invoice.voided_on is not None:
        later.append(first_of(account.invoice.voided_on))
    if later and min(later) > BEGIN:
        before = min(later) - DAY
        assert rows_of(account, BEGIN, first_of(before)) == rows_of(bare, BEGIN, first_of(before))


@given(wallet=wallets())
def test_credit_that_is_gone_leaves_nothing_on_the_books(wallet: BookedWallet) -> None:
    entries = wallet_entries(wallet, CHART)
    for entry in entries:
        assert sum(line.amount for line in entry.lines) == 0
    left = sum((movement.amount for movement in wallet.movements), ZERO)
    left -= sum((month.burnt + month.expired for month in wallet.months.values()), ZERO)
    closing = round_to_minor_unit(left, wallet.currency)
    assert -balances(entries)[CHART.prepaid_credit] == closing
    rows = schedule([], [wallet], months_from(BEGIN, END))
    assert rows[-1].closing.amount == closing
    for row, following in pairwise(rows):
        assert following.opening == row.closing
    for month in rounded_months(wallet):
        exact = wallet.months.get(month.month, CreditMonth())
        assert abs(month.burnt - exact.burnt) <= Decimal(2).scaleb(closing.as_tuple().exponent)


@given(amount=units("EUR"), start=DAYS, days=st.integers(1, 800))
def test_days_are_equal(amount: Decimal, start: date, days: int) -> None:
    months = by_day(amount, start, start + DAY * days, "EUR")
    assert sum(months.values()) == amount
    for month, part in months.items():
        end = min(month_after(month), start + DAY * days)
        share = amount * (end - max(month, start)).days / days
        assert abs(part - share) <= Decimal("0.01")


def test_a_year_in_advance_is_earned_by_the_day() -> None:
    """365.00 for a year from 15 March, invoiced on 2 April with 10.00 of usage and a discount."""
    year = BookedLine(
        "charge", "pro", "fee", Decimal("365.00"), date(2026, 3, 15), date(2027, 3, 15)
    )
    usage = BookedLine(
        "charge", "pro", "input", Decimal("10.00"), date(2026, 3, 1), date(2026, 4, 1)
    )
    off = BookedLine("discount", "pro", "early", Decimal("-37.50"), usage.start, usage.end)
    invoice = BookedInvoice(
        *("ten_1", "inv_1", "FB-1", "EUR", date(2026, 4, 2), [year, usage, off]),
        [BookedTax("VAT", Decimal("64.13"), inclusive=False)],
        Decimal("401.63"),
    )
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    rows = {(row.month, row.kind): row for row in rows_of(Account(invoice))}
    # 17 days of the fee and all of the usage, a tenth of both off
    assert rows[march, RevenueKind.UNBILLED].recognized.amount == Decimal("24.30")
    assert rows[march, RevenueKind.UNBILLED].closing.amount == Decimal("-24.30")
    assert rows[april, RevenueKind.UNBILLED].additions.amount == Decimal("24.30")
    assert rows[april, RevenueKind.DEFERRED].additions.amount == Decimal("313.20")
    assert rows[april, RevenueKind.DEFERRED].recognized.amount == Decimal("27.00")
    assert rows[april, RevenueKind.DEFERRED].closing.amount == Decimal("286.20")
    assert rows[date(2027, 3, 1), RevenueKind.DEFERRED].closing.amount == 0
    [booked, *_] = account_entries(Account(invoice), {}, CHART)
    assert [(line.account, str(line.amount)) for line in booked.lines] == [
        ("Accounts receivable", "401.63"),
        ("Deferred revenue", "-313.20"),
        ("Tax payable", "-64.13"),
        ("Unbilled revenue", "-24.30"),
    ]


def test_a_progressive_invoice_is_taken_off_where_it_was_earned() -> None:
    fee = BookedLine("charge", "pro", "fee", Decimal("365.00"), date(2026, 3, 1), date(2027, 3, 1))
    first = BookedInvoice(
        *("ten_1", "inv_1", "FB-1", "EUR", date(2026, 3, 9), [fee], [], Decimal("365.00"))
    )
    before = BookedLine(
        *("invoiced_before", None, "FB-1", Decimal("-365.00"), date(2026, 3, 1), date(2026, 4, 1))
    )
    closing = replace(
        first,
        id="inv_2",
        number="FB-2",
        issued_on=date(2026, 4, 2),
        lines=[fee, before],
        total=ZERO,
    )
    entries = account_entries(Account(closing), {"FB-1": Account(first)}, CHART)
    sums = balances(entries, date(2026, 3, 31))
    assert sums["Revenue, Pro"] == sums["Revenue"] == 0


def test_errors_name_the_field_of_an_account() -> None:
    fields = account_fields(CHART)
    assert fields["Revenue, Pro"] == "accounts.revenue_by_plan.pro"
    assert fields["Bad debt"] == "accounts.bad_debt"
