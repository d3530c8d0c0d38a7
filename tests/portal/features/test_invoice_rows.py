"""What the invoices page says of an invoice, its lines and what became of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend_client.types.common import Money
from backend_client.types.invoices import CreditNote, Invoice, InvoiceState, LineEvent
from portal.features.invoices.rows import (
    SumRow,
    archived_note,
    credit_note_row,
    invoice_note,
    line_event_row,
    line_rows,
    sum_rows,
)
from portal.shared.invoices import invoice_row

pytestmark = pytest.mark.fast

MARCH = {"start": "2026-03-01T00:00Z", "end": "2026-04-01T00:00Z", "time_zone": "UTC"}


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def invoice(**changes: Any) -> Invoice:
    charge = {
        "charge_id": "input",
        "name": "Input",
        "kind": "per_unit",
        "plan": "paid",
        "plan_version": 2,
        "start": MARCH["start"],
        "end": MARCH["end"],
        "meters": ["input_tokens"],
        "models": ["large"],
        "quantity": "1234567",
        "included": "1000",
        "billable": "1233567",
        "unit_size": 1_000_000,
        "price": "0.15",
        "exact": "0.18503505",
        "amount": usd("0.19"),
    }
    line = {
        "line": 1,
        "kind": "charge",
        "name": "Input",
        "period": MARCH,
        "plan": "paid",
        "plan_version": 2,
        "quantity": "1234567",
        "charge": charge,
        "exact": "0.18503505",
        "amount": usd("0.19"),
    }
    values: dict[str, Any] = {
        "id": "inv_1",
        "number": "FB-sample-000001",
        "kind": "period",
        "state": "finalized",
        "period": MARCH,
        "issued_at": datetime(2026, 4, 2, tzinfo=UTC),
        "due_at": datetime(2026, 5, 2, tzinfo=UTC),
        "total": usd("0.23"),
        "due": usd("0.23"),
        "seller": {"name": "Seller"},
        "customer": {"name": "Sample"},
        "lines": [line],
        "subtotal": usd("0.19"),
        "taxes": [
            {
                "name": "VAT",
                "percent": "19",
                "inclusive": False,
                "taxable": usd("0.19"),
                "amount": usd("0.04"),
            }
        ],
        "paid": usd("0.00"),
        "credited": usd("0.00"),
    }
    return Invoice.model_validate(values | changes)


def test_the_list_says_what_is_to_pay_and_when() -> None:
    row = invoice_row(invoice())
    assert (row.name, row.period) == ("FB-sample-000001", "1 – 31 Mar 2026")
    assert (row.state, row.issued, row.due_on) == ("To pay", "2 Apr 2026", "2 May 2026")
    assert (row.total, row.to_pay) == ("$0.23", "$0.23")
    assert invoice_row(invoice(overdue=True)).state == "Overdue"
    paid = invoice_row(invoice(state="paid", due=usd("0.00"), overdue=False))
    assert (paid.state, paid.to_pay) == ("Paid", "")
    draft = invoice_row(invoice(state="draft", number=None, issued_at=None, due_at=None))
    assert (draft.name, draft.state, draft.issued) == ("Next invoice", "Draft", "")


def test_a_line_says_how_it_came_to_its_amount() -> None:
    [row] = line_rows(invoice())
    assert (row.quantity, row.price, row.amount) == ("1,234,567", "$0.15 per 1M", "$0.19")
    assert row.plan == "paid v2"
    assert row.steps == ["1,000 of 1,234,567 included", "Exactly $0.18503505"]
    late = (
        invoice()
        .lines[0]
        .model_copy(update={"late": True, "before": invoice().subtotal, "quantity": Decimal(5)})
    )
    [row] = line_rows(invoice().model_copy(update={"lines": [late]}))
    assert row.detail == "Late usage of 1 – 31 Mar 2026"
    assert row.steps[-1] == "$0.38 with all usage, less $0.19 invoiced before"


def test_what_was_paid_and_credited_stands_below_the_total() -> None:
    assert sum_rows(invoice()) == [
        SumRow("Subtotal", "$0.19"),
        SumRow("VAT 19% on $0.19", "$0.04"),
        SumRow("Total", "$0.23"),
    ]
    note = "Reverse charge: the customer accounts for VAT in DE."
    shifted = invoice(taxes=[], tax_notes=[note], total=usd("0.19"))
    assert sum_rows(shifted)[1:] == [SumRow(note, ""), SumRow("Total", "$0.19")]
    payment = {
        "id": "pay_1",
        "amount": usd("0.20"),
        "method": "transfer",
        "reference": "r1",
        "received_at": MARCH["end"],
    }
    assert sum_rows(invoice(payments=[payment], due=usd("0.03")))[3:] == [
        SumRow("Paid by transfer", "−$0.20"),
        SumRow("To pay", "$0.03"),
    ]


def test_money_that_went_back_is_told_from_money_that_came() -> None:
    came = {
        "id": "pay_1",
        "amount": usd("0.23"),
        "method": "transfer",
        "reference": "r1",
        "received_at": MARCH["end"],
    }
    back = came | {"id": "pay_2", "amount": usd("-0.23"), "reference": "b1", "returns": "pay_1"}
    assert sum_rows(invoice(payments=[came, back]))[3:5] == [
        SumRow("Paid by transfer", "−$0.23"),
        SumRow("Paid back by transfer", "$0.23"),
    ]


def test_what_credit_paid_after_tax_stands_below_the_tax() -> None:
    usage = invoice().lines[0]
    paid = usage.model_copy(
        update={
            "line": 2,
            "kind": "redeemed",
            "name": "Paid from credit as it was used",
            "charge": None,
            "amount": Money(amount=Decimal("-0.19"), currency="USD"),
        }
    )
    with_credit = invoice(subtotal=usd("0.00"), total=usd("0.04")).model_copy(
        update={"lines": [usage, paid]}
    )
    assert [row.name for row in line_rows(with_credit)] == ["Input"]
    assert sum_rows(with_credit) == [
        SumRow("Subtotal", "$0.19"),
        SumRow("VAT 19% on $0.19", "$0.04"),
        SumRow("Paid from credit as it was used", "−$0.19"),
        SumRow("Total", "$0.04"),
    ]


def test_a_credit_note_says_what_it_is_of_and_what_was_kept() -> None:
    note = CreditNote.model_validate(
        {
            "id": "crn_1",
            "number": "FB-sample-CN-000001",
            "invoice_id": "inv_1",
            "invoice_number": "FB-sample-000001",
            "reason": "An hour without service",
            "lines": [{"line": 1, "amount": usd("0.19")}],
            "subtotal": usd("0.19"),
            "tax": usd("0.04"),
            "total": usd("0.23"),
            "to_balance": usd("0.23"),
            "issued_at": "2026-04-02T23:00Z",
        }
    )
    row = credit_note_row(note, "Europe/Berlin")
    assert (row.name, row.of, row.issued) == (
        "FB-sample-CN-000001",
        "of FB-sample-000001",
        "3 Apr 2026",
    )
    assert (row.total, row.kept) == ("$0.23", "$0.23")
    nothing = note.model_copy(update={"to_balance": Money(amount=Decimal(0), currency="USD")})
    assert credit_note_row(nothing, "UTC").kept == ""


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({}, "$0.23 is due on 2 May 2026."),
        ({"overdue": True}, "$0.23 was due on 2 May 2026."),
        ({"state": "paid"}, "Nothing is left to pay."),
        ({"state": "void"}, "Void: it is not to be paid."),
        (
            {"state": "void", "replaced_by": "inv_2"},
            "Void: it is not to be paid. Another was issued in its place.",
        ),
        ({"state": "uncollectible"}, "Written off."),
        (
            {"state": "draft", "finalizes_at": "2026-04-02T00:00Z"},
            "Follows usage until the period is over; it is issued after 2 Apr 2026.",
        ),
    ],
)
def test_every_state_is_told_in_a_sentence(changes: dict[str, Any], note: str) -> None:
    assert invoice_note(invoice(**changes)) == note


def test_every_state_has_a_word() -> None:
    for state in InvoiceState:
        assert invoice_row(invoice(state=state)).state


def test_a_line_that_usage_made_has_events_and_a_fee_has_none() -> None:
    sample = invoice()
    fee = sample.lines[0].model_copy(
        update={"charge": sample.lines[0].charge.model_copy(update={"kind": "flat"})}
    )
    rows = line_rows(sample.model_copy(update={"lines": [*sample.lines, fee]}))
    assert [row.has_events for row in rows] == [True, False]


def test_an_event_behind_a_line() -> None:
    event = LineEvent(
        id="call-1",
        sender="gateway",
        source="gateway",
        time=datetime(2026, 3, 2, 23, 30, 5, tzinfo=UTC),
        received_at=datetime(2026, 3, 2, 23, 30, 6, tzinfo=UTC),
        application="app_1",
        key=None,
        model="large",
        quantities={"output_tokens": Decimal(1200), "requests": Decimal(1)},
        labels={},
    )
    row = line_event_row(event, "Europe/Berlin")
    assert (row.day, row.time) == ("3 Mar 2026", "00:30:05")
    assert row.quantities == "1 request · 1,200 output tokens"


@pytest.mark.parametrize(
    ("days", "note"),
    [
        ([], ""),
        ([3], "The events of 2026-03-03 are in archives: they count here, and are not listed."),
        (
            [3, 4, 9],
            "The events of 3 days, 2026-03-03 to 2026-03-09 (UTC), are in archives: they count "
            "here, and are not listed.",
        ),
    ],
)
def test_what_is_said_of_archived_events(days: list[int], note: str) -> None:
    assert archived_note([date(2026, 3, day) for day in days]) == note
