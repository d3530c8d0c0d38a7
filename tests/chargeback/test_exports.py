"""Files of a month: FOCUS by its rules, journals by the programs' forms, statements."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pypdfium2
import pytest

from backend.accounting.errors import JournalNotExpressible
from backend.accounting.forms.journal_files import journal_file
from backend.accounting.rules.journals import Journal
from backend.chargeback.exports.focus import FOCUS_1_2, FocusMonth, focus_csv
from backend.chargeback.exports.statement_csv import statement_csv
from backend.chargeback.exports.statement_pdf import statement_pdf
from backend.chargeback.rules.allocation import Allocation
from backend.chargeback.rules.documents import CostDocument, Entry
from backend.chargeback.rules.journal import account_fields, journal
from backend.chargeback.rules.statements import Names, statement
from backend.chargeback.rules.timeline import Timeline
from backend.chargeback.rules.tree import faults
from backend.pricing.periods import BillingPeriod
from backend_client.types.chargeback import (
    ChargebackMode,
    JournalTerms,
    MonthState,
    MonthSummary,
    Policy,
)
from backend_client.types.journals import JournalFormat
from backend_client.types.spend import Period
from tests.chargeback.divided import (
    APRIL,
    JANUARY,
    MARCH,
    divided,
    invoice,
    line,
    policy_of,
    used_by,
)
from tests.chargeback.focus_rules import billed, broken

pytestmark = pytest.mark.fast

POLICY = policy_of(
    "eng/search",
    "eng/chat",
    shared=[{"costs": ["fee"], "split": "even"}],
    transfer={"price": "cost_plus", "percent": "10"},
)
USAGE = {"search": 70, "chat": 20, "other": 10}
INVOICE = invoice(
    line("input", "100.00", quantity=Decimal(100)),
    line("fee", "31.00", quantity=Decimal(1), number=2),
    line("early", "-8.00", kind="discount", number=3),
    line("wallet", "-50.00", kind="prepaid", number=4),
    line("ten", "-1.00", kind="coupon", number=5),
    taxes=[("VAT", Decimal("13.68"))],
)
CREDIT_NOTE = CostDocument(
    "crn_1",
    "CN-1",
    "inv_FB-1",
    MARCH,
    APRIL,
    [line("input", "-10.00")],
    [("Tax", Decimal("-1.90"))],
)
NAMES = Names.of([Timeline([(JANUARY, POLICY)], "UTC").at(MARCH)])
MONTH = FocusMonth(
    BillingPeriod(MARCH, APRIL, "UTC"), "USD", "ten_1", "Sample", "Sample seller", NAMES
)
TERMS = JournalTerms.model_validate(
    {
        "expense": "6815",
        "clearing": "1590",
        "margin": "4980",
        "datev": {"consultant": 29098, "client": 55003, "fiscal_year_month": 4},
    }
)


def entries() -> list[Entry]:
    return divided({JANUARY: POLICY}, USAGE, INVOICE, CREDIT_NOTE)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def booked() -> Journal:
    return journal(entries(), TERMS, date(2026, 3, 1), date(2026, 3, 31), "USD")


def test_focus_keeps_its_rules_and_adds_up_to_the_invoices() -> None:
    timeline = Timeline([(JANUARY, POLICY)], "UTC")
    closed = entries()
    # A later month too: late usage, usage that moved, an invoice that became void
    usage = {MARCH: used_by(timeline, {"search": 60, "chat": 50})}
    later = Allocation(APRIL, "USD", timeline, usage, closed)
    late = line("input", "9.99", quantity=Decimal(10))
    later.add(invoice(late, line("fee", "31.00", start=APRIL), month=APRIL, number="FB-2"))
    later.move_within({MARCH})
    later.take_back("crn_1")
    rows = rows_of(focus_csv(MONTH, closed))
    rows_later = rows_of(focus_csv(MONTH, later.entries))
    for row in [*rows, *rows_later]:
        assert broken(row) == [], row
    assert billed(rows, "InvoiceId") == {
        "FB-1": Decimal("85.68"),  # 100 + 31 - 8 - 50 - 1 + 13.68
        "CN-1": Decimal("-11.90"),
    }
    assert billed(rows_later, "InvoiceId") == {
        "FB-2": Decimal("40.99"),
        "": Decimal(0),  # what moved
        "CN-1": Decimal("11.90"),
    }
    assert {row["SubAccountName"] for row in rows} == {"Search", "Chat", ""}
    assert {row["x_DepartmentPath"] for row in rows} == {"Eng", ""}
    kinds = {
        row["ChargeDescription"]: row["ChargeCategory"]
        for row in rows
        if row["InvoiceId"] == "FB-1"
    }
    assert kinds == {
        "Input": "Usage",
        "Fee": "Purchase",
        "Early": "Adjustment",
        "Wallet": "Credit",
        "Ten": "Credit",
        "VAT": "Tax",
    }
    assert list(rows[0]) == [column.name for column in FOCUS_1_2]
    for row in rows_later:
        assert row["ChargeClass"] == ("" if row["ChargePeriodStart"] > "2026-04" else "Correction")


def test_a_journal_is_balanced() -> None:
    entry = booked()
    assert sum(line.amount for line in entry.lines) == 0
    assert [(line.account, line.cost_center) for line in entry.lines] == [
        ("6815", "chat"),
        ("6815", "search"),
        ("1590", None),
        ("4980", None),
    ]
    table = rows_of(str(journal_file([entry], TERMS, JournalFormat.CSV, account_fields(TERMS))))
    assert sum(Decimal(row["debit"] or 0) for row in table) == sum(
        Decimal(row["credit"] or 0) for row in table
    )
    assert {row["reference"] for row in table} == {"CB-2026-03-01"}
    own = JournalTerms.model_validate(
        {
            "columns": [
                {"heading": "=Konto", "field": "account"},
                {"heading": "Betrag", "field": "amount"},
            ]
        }
    )
    head = str(journal_file([entry], own, JournalFormat.CSV, account_fields(own))).splitlines()[0]
    assert head == "'=Konto,Betrag"


def test_quickbooks_and_xero() -> None:
    entry = booked()
    table = rows_of(
        str(journal_file([entry], TERMS, JournalFormat.QUICKBOOKS, account_fields(TERMS)))
    )
    debits = sum(Decimal(row["Debits"] or 0) for row in table)
    assert debits == sum(Decimal(row["Credits"] or 0) for row in table) > 0
    assert all(bool(row["Debits"]) != bool(row["Credits"]) for row in table)
    table = rows_of(str(journal_file([entry], TERMS, JournalFormat.XERO, account_fields(TERMS))))
    assert sum(Decimal(row["*Amount"]) for row in table) == 0
    assert {(row["*Narration"], row["*Date"]) for row in table} == {("CB-2026-03-01", "31/03/2026")}
    assert [row["TrackingOption1"] for row in table] == ["chat", "search", "", ""]
    long = replace(entry, lines=entry.lines * 100)
    with pytest.raises(JournalNotExpressible, match="300 lines"):
        journal_file([long], TERMS, JournalFormat.XERO, account_fields(TERMS))


def test_datev() -> None:
    """By the expressions that DATEV publishes for its fields."""
    content = journal_file([booked()], TERMS, JournalFormat.DATEV, account_fields(TERMS))
    assert isinstance(content, bytes)
    text = content.decode("cp1252")
    assert text.endswith("\r\n")
    head, names, *lines = text.removesuffix("\r\n").split("\r\n")
    fields = head.split(";")
    assert len(fields) == 31
    assert fields[:5] == ['"EXTF"', "700", "21", '"Buchungsstapel"', "13"]
    assert re.fullmatch(r"20\d{15}", fields[5])
    assert fields[10:16] == ["29098", "55003", "20250401", "4", "20260301", "20260331"]
    assert fields[21] == '"USD"'
    columns = names.split(";")
    assert (len(columns), len(set(columns))) == (125, 125)
    assert columns.index("KOST1 - Kostenstelle") == 36
    assert (columns[113], columns[-1]) == ("Festschreibung", "Abw. Skontokonto")
    saldo: dict[str, Decimal] = {}
    for row in lines:
        values = row.split(";")
        assert len(values) == 125
        assert re.fullmatch(r"\d{1,10},\d{2}", values[0])
        assert re.fullmatch(r'"[SH]"', values[1])
        assert re.fullmatch(r"\d{4}", values[6])
        assert re.fullmatch(r"\d{4}", values[7])
        assert values[9] == "3103"
        assert re.fullmatch(r'"[a-zA-Z0-9$&%*+\-/]{0,36}"', values[10])
        assert re.fullmatch(r'".{0,60}"', values[13])
        amount = Decimal(values[0].replace(",", ".")) * (1 if values[1] == '"S"' else -1)
        saldo[values[6]] = saldo.get(values[6], Decimal(0)) + amount
        saldo[values[7]] = saldo.get(values[7], Decimal(0)) - amount
    by_account: dict[str, Decimal] = {}
    for booked_line in booked().lines:
        before = by_account.get(booked_line.account, Decimal(0))
        by_account[booked_line.account] = before + booked_line.amount
    assert saldo == by_account
    for wrong in ({"datev": None}, {"expense": "Cloud"}):
        terms = TERMS.model_copy(update=wrong)
        entry = journal(entries(), terms, date(2026, 3, 1), date(2026, 3, 31), "USD")
        with pytest.raises(JournalNotExpressible):
            journal_file([entry], terms, JournalFormat.DATEV, account_fields(terms))


def test_statements_as_files() -> None:
    timeline = Timeline([(JANUARY, POLICY)], "UTC")
    summary = MonthSummary(
        month=date(2026, 3, 1),
        period=Period(start=MARCH, end=APRIL, time_zone="UTC"),
        state=MonthState.CLOSED,
        mode=ChargebackMode.CHARGEBACK,
        closed_at=datetime(2026, 4, 3, tzinfo=UTC),
        closed_by="usr_1",
    )
    shown = statement(summary, entries(), timeline.at(MARCH), NAMES, "USD")
    table = rows_of(statement_csv(shown, entries(), NAMES))
    assert sum(Decimal(row["cost"]) for row in table) == shown.cost.amount
    assert sum(Decimal(row["tax"]) for row in table) == shown.tax.amount
    assert {row["department"] for row in table} == {"Eng", ""}
    drawn = statement_pdf("Sample & Söhne", shown)
    assert drawn == statement_pdf("Sample & Söhne", shown)
    page = pypdfium2.PdfDocument(drawn)[0].get_textpage().get_text_range()
    for text in ("Sample & Söhne", "1 Mar 2026 – 31 Mar 2026", "The month is closed", "Search"):
        assert text in page
    assert "Unallocated" in page
    assert "Paid in advance from credit" in page


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"units": [{"code": "a", "name": "A"}, {"code": "a", "name": "B"}]}, {"units.0.code"}),
        ({"units": [{"code": "a", "name": "A", "parent": "b"}]}, {"units.0.parent"}),
        (
            {"units": [{"code": "a", "name": "A"}, {"code": "b", "name": "B", "parent": "a"}]},
            {"units.1.parent"},
        ),
        (
            {
                "units": [
                    {"code": "a", "name": "A", "kind": "department", "parent": "b"},
                    {"code": "b", "name": "B", "kind": "department", "parent": "a"},
                    {"code": "c", "name": "C", "parent": "b"},
                ]
            },
            {"units.0.parent", "units.1.parent"},
        ),
        (
            {"units": [{"code": "a", "name": "A", "kind": "department", "transfer": {}}]},
            {"units.0.transfer"},
        ),
        (
            {
                "units": [{"code": "a", "name": "A", "kind": "department"}],
                "rules": [{"key": "k", "to": "a"}, {"key": "k", "to": "b"}],
            },
            {"rules.0.to", "rules.1.to"},
        ),
        (
            {
                "units": [
                    {"code": "a", "name": "A"},
                    {"code": "d", "name": "D", "kind": "department"},
                ],
                "shared": [
                    {"split": "even", "among": ["x", "a"]},
                    {"split": "even", "among": ["d"]},
                    {"split": "fixed", "parts": [{"code": "d", "part": "1"}]},
                    {"split": "fixed", "parts": [{"code": "a", "part": "1"}] * 2},
                ],
            },
            {
                "shared.0.among.0",
                "shared.1.among",
                "shared.2.parts.0.code",
                "shared.3.parts.0.code",
            },
        ),
    ],
)
def test_what_a_policy_can_not_be(changes: dict[str, object], fields: set[str]) -> None:
    assert fields <= {fault.field for fault in faults(Policy.model_validate(changes))}


@pytest.mark.parametrize(
    "rule",
    [
        {"to": "a"},
        {"application": "x"},
        {"value": "v", "key": "k", "to": "a"},
        {"label": "team", "value": "v"},
    ],
)
def test_what_a_rule_can_not_be(rule: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"name an|needs the label|say the cost center"):
        Policy.model_validate({"rules": [rule]})
