"""What the operator's forms about an invoice ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend_client.types.invoices import InvoiceState
from portal.features.customer.invoices.forms import (
    EVERYTHING,
    acts_on,
    credit_note_from,
    payment_from,
    void_from,
)
from portal.kit.form_problems import FormProblems
from tests.portal.features.test_invoice_rows import invoice

pytestmark = pytest.mark.fast

PAID = {"amount": "12.50", "method": "bank transfer", "reference": "MT-7", "received": ""}


def test_a_payment_came_in_on_a_day_of_the_customers_zone() -> None:
    payment = payment_from({**PAID, "received": "2026-03-31"}, "Europe/Berlin")
    assert (payment.amount, payment.reference) == (Decimal("12.50"), "MT-7")
    assert payment.received_at == datetime(2026, 3, 30, 22, tzinfo=UTC)
    assert payment_from(PAID, "UTC").received_at is None


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"amount": "much"}, {"amount"}),
        ({"amount": "-1"}, {"amount"}),
        ({"method": "", "reference": ""}, {"method", "reference"}),
        ({"received": "yesterday"}, {"received"}),
    ],
)
def test_what_can_not_be_used_of_a_payment_is_said_at_its_field(
    changes: dict[str, str], fields: set[str]
) -> None:
    with pytest.raises(FormProblems) as raised:
        payment_from(PAID | changes, "UTC")
    assert set(raised.value.by_field) == fields


def test_all_or_part_of_a_line_is_credited() -> None:
    everything = credit_note_from({"line": EVERYTHING, "amount": "", "reason": "An outage"})
    assert (everything.reason, everything.lines) == ("An outage", [])
    part = credit_note_from({"line": "2", "amount": "3.10", "reason": "An outage"})
    assert [(line.line, line.amount) for line in part.lines] == [(2, Decimal("3.10"))]
    with pytest.raises(FormProblems) as raised:
        credit_note_from({"line": EVERYTHING, "amount": "3", "reason": ""})
    assert set(raised.value.by_field) == {"amount", "reason"}
    with pytest.raises(FormProblems) as raised:
        credit_note_from({"line": "1", "amount": "0", "reason": "x"})
    assert set(raised.value.by_field) == {"line"}


def test_an_invoice_is_void_for_a_reason() -> None:
    assert void_from({"reason": "Wrong name", "reissue": "on"}).reissue
    assert not void_from({"reason": "Wrong name"}).reissue
    with pytest.raises(FormProblems) as raised:
        void_from({"reason": " "})
    assert set(raised.value.by_field) == {"reason"}


def test_what_can_be_done_follows_from_the_state() -> None:
    acts = {state: acts_on(invoice(state=state)) for state in InvoiceState}
    assert acts[InvoiceState.DRAFT] == ("finalize",)
    assert "void" in acts[InvoiceState.FINALIZED]
    assert "void" not in acts[InvoiceState.PAID]
    assert acts[InvoiceState.VOID] == ()
