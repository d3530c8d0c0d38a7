"""How credit, its ledger and what was bought read; and what the credit page's forms ask for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.pricing.credit.grants import Grant, GrantKind
from backend.pricing.credit.grants import burn_order as burn_order_of_rules
from backend_client.types.wallets import CreditGrant, LedgerEntry, TenantTopUp, TopUp, TopUpRule
from portal.features.credit.rows import (
    balance_note,
    burn_order,
    grant_rows,
    ledger_row,
    purpose,
    rule_note,
    top_up_row,
)
from portal.kit.form_problems import FormProblems
from portal.shared.credit.forms import (
    by_field,
    grant_from,
    outcome_from,
    settings_from,
    top_up_from,
)

pytestmark = pytest.mark.fast

NOW = datetime(2026, 11, 24, 11, 15, tzinfo=UTC)


def grant(name: str, **changes: object) -> CreditGrant:
    values: dict[str, object] = {
        "id": f"grt_{name}",
        "name": name,
        "kind": "paid",
        "origin": "operator",
        "priority": 100,
        "models": None,
        "starts_at": NOW - timedelta(days=1),
        "expires_at": None,
        "amount": "20",
        "available": "20",
        **dict.fromkeys(("reserved", "used", "expired", "refunded"), "0"),
        "created_at": NOW,
    }
    return CreditGrant.model_validate(values | changes)


GRANTS = [
    grant("bought"),
    grant("given", kind="promotional"),
    grant("first", priority=1),
    grant("older", starts_at=NOW - timedelta(days=9)),
    grant("ends", expires_at=NOW + timedelta(days=30)),
    grant("ends-soon", expires_at=NOW + timedelta(days=3)),
    grant("to-come", starts_at=NOW + timedelta(days=1), expires_at=NOW + timedelta(days=2)),
    grant("over", expires_at=NOW),
    grant("used-up", available="0", used="15", refunded="5"),
    grant("held", available="0", reserved="20", expires_at=NOW + timedelta(days=90)),
]


def test_grants_are_in_the_order_that_the_rules_burn_them() -> None:
    of_rules = burn_order_of_rules(
        Grant(
            grant.id,
            GrantKind(grant.kind.value),
            grant.amount,
            grant.starts_at,
            grant.expires_at,
            grant.priority,
        )
        for grant in reversed(GRANTS)
    )
    assert [grant.id for grant in burn_order(GRANTS)] == [grant.id for grant in of_rules]


def test_what_is_left_comes_in_order_and_what_is_over_apart() -> None:
    left, over = grant_rows(GRANTS, "USD", "UTC", NOW)
    assert [(row.place, row.name) for row in left] == [
        ("1", "ends-soon"),
        ("2", "ends"),
        ("3", "held"),
        ("4", "first"),
        ("5", "given"),
        ("6", "older"),
        ("7", "bought"),
        ("", "to-come"),
    ]
    assert [(row.place, row.name) for row in over] == [("", "over"), ("", "used-up")]
    rows = {row.name: row for row in (*left, *over)}
    assert (rows["ends-soon"].soon, rows["ends"].soon, rows["bought"].soon) == (True, False, False)
    assert (rows["ends-soon"].last_day, rows["bought"].last_day) == (
        "27 Nov 2026",
        "Never expires",
    )
    assert rows["first"].about == "priority 1"
    assert rows["to-come"].about == "from 25 Nov 2026"
    assert rows["used-up"].where == "$15.00 used, $5.00 refunded"
    assert rows["held"].where == "$20.00 reserved"
    assert (rows["bought"].refundable, rows["given"].refundable) == (True, False)
    assert not rows["held"].refundable


def test_a_grant_says_where_it_is_from_and_what_for() -> None:
    ((row,), _) = grant_rows(
        [grant("x", origin="plan", models=["a", "b"], available="0.000001")], "EUR", "UTC", NOW
    )
    assert (row.about, row.left, row.amount) == (
        "by the plan, for a, b only",
        "€0.000001",
        "€20.00",
    )
    midnight = grant("y", expires_at=datetime(2026, 12, 5, 23, tzinfo=UTC))
    ((row,), _) = grant_rows([midnight], "EUR", "Europe/Berlin", NOW)
    assert row.last_day == "5 Dec 2026"


def test_credit_in_arrears_is_there_until_its_time_was_billed() -> None:
    month = timedelta(days=30)
    last = grant("last", in_arrears=True, starts_at=NOW - month, expires_at=NOW)
    this = grant("this", in_arrears=True, starts_at=NOW, expires_at=NOW + month)
    billed = last.model_copy(update={"available": Decimal(0), "expired": Decimal(20)})
    left, over = grant_rows([this, last], "USD", "UTC", NOW)
    assert [(row.place, row.name, row.about) for row in left] == [
        ("1", "this", "pays the invoices of its time"),
        ("", "last", "waits for the invoice of its time"),
    ]
    assert over == []
    left, over = grant_rows([this, billed], "USD", "UTC", NOW)
    assert ([row.name for row in left], [row.name for row in over]) == (["this"], ["last"])


@pytest.mark.parametrize(
    ("source", "target", "what", "amount"),
    [
        ("granted", "available", "Granted", "+$1.25"),
        ("available", "reserved", "Reserved for a call", "−$1.25"),
        ("reserved", "used", "Used by a call", "$1.25"),
        ("reserved", "available", "Released after a call", "+$1.25"),
        ("available", "used", "Used", "−$1.25"),
        ("used", "available", "Returned", "+$1.25"),
        ("available", "expired", "Expired", "−$1.25"),
        ("available", "refunded", "Refunded", "−$1.25"),
        ("reserved", "expired", "Reserved to expired", "$1.25"),
    ],
)
def test_a_movement_of_credit(source: str, target: str, what: str, amount: str) -> None:
    entry = LedgerEntry.model_validate(
        {
            "number": 7,
            "at": NOW,
            "grant": "grt_1",
            "source": source,
            "target": target,
            "amount": "1.25",
            "cause": "inv_1",
        }
    )
    row = ledger_row(entry, {"grt_1": "Welcome"}, "USD", "UTC")
    assert (row.what, row.amount, row.grant, row.time) == (what, amount, "Welcome", "11:15:00")
    assert ledger_row(entry, {}, "USD", "UTC").grant == "grt_1"


def test_a_ledger_leads_to_the_invoice_that_moved_the_credit() -> None:
    values: dict[str, object] = {
        "number": 1,
        "at": NOW,
        "grant": "grt_1",
        "source": "available",
        "target": "used",
        "amount": "1",
        "cause": "inv_1",
    }
    of_invoice = ledger_row(LedgerEntry.model_validate(values), {}, "USD", "UTC")
    assert of_invoice.document == "/invoices?invoice=inv_1"
    of_call = ledger_row(LedgerEntry.model_validate(values | {"cause": "req_1"}), {}, "USD", "UTC")
    assert (of_call.document, of_call.cause) == ("", "req_1")


def test_a_top_up_in_a_line() -> None:
    values = {
        "id": "top_1",
        "state": "paid",
        "amount": "20",
        "automatic_on": None,
        "reference": "pi_1",
        "invoice_id": "inv_1",
        "asked_at": NOW,
        "done_at": NOW,
    }
    row = top_up_row(TopUp.model_validate(values), "USD", "UTC")
    assert (row.amount, row.state, row.how, row.done) == (
        "$20.00",
        "Paid",
        "Manual",
        "24 Nov 2026, pi_1",
    )
    assert row.document == "inv_1"
    waits = {"state": "pending", "reference": None, "done_at": None, "automatic_on": "2026-11-24"}
    whose = {"tenant_id": "ten_1", "tenant_name": "Acme", "currency": "USD"}
    waiting = top_up_row(TenantTopUp.model_validate(values | waits | whose), "USD", "UTC")
    assert (waiting.state, waiting.how, waiting.done) == ("Pending", "Automatic", "")
    assert (waiting.customer, waiting.tenant_id) == ("Acme", "ten_1")


def test_the_rule_and_the_purpose_in_a_sentence() -> None:
    rule = TopUpRule(threshold=Decimal(5), amount=Decimal(20), daily_ceiling=Decimal(100))
    note = rule_note(rule, "USD")
    assert note == "$20.00 is added when the balance falls below $5.00, at most $100.00 a day."
    assert rule_note(None, "USD") == "No automatic top-up."
    assert len({purpose(prepaid=prepaid) for prepaid in (True, False, None)}) == 3
    assert balance_note(Decimal("1.50"), "USD") == "Can be used now"
    assert balance_note(Decimal("1.499"), "USD") == "Exactly $1.499"


def test_forms_are_read() -> None:
    assert top_up_from({"amount": " 20.5 "}).amount == Decimal("20.5")
    rule = {"automatic": True, "threshold": "5", "rule_amount": "20", "daily_ceiling": "20"}
    kept = settings_from(rule)
    assert kept.top_up == TopUpRule(
        threshold=Decimal(5), amount=Decimal(20), daily_ceiling=Decimal(20)
    )
    assert kept.low_balance is None
    off = settings_from({**rule, "automatic": False, "low_balance": "3"})
    assert (off.top_up, off.low_balance) == (None, Decimal(3))
    outcome = outcome_from({"state": "failed", "reference": "card refused"})
    assert (outcome.state, outcome.reference) == ("failed", "card refused")
    given = grant_from(
        {"name": "W", "kind": "promotional", "amount": "1", "models": " a, ,b"}, "UTC"
    )
    assert (given.models, given.priority, given.expires_at) == (["a", "b"], 100, None)
    until = grant_from(
        {"name": "W", "kind": "paid", "amount": "1", "last_day": "2026-12-05"}, "Europe/Berlin"
    )
    assert until.expires_at == datetime(2026, 12, 5, 23, tzinfo=UTC)
    month = {"name": "W", "kind": "promotional", "amount": "1", "last_day": "2026-12-31"}
    assert grant_from({**month, "in_arrears": "on"}, "UTC").in_arrears
    assert not grant_from(month, "UTC").in_arrears


RULE = {"automatic": True, "threshold": "5", "rule_amount": "20", "daily_ceiling": "100"}
GIVEN = {"name": "W", "kind": "paid", "amount": "1"}


@pytest.mark.parametrize(
    ("read", "form", "fields"),
    [
        (top_up_from, {}, {"amount"}),
        (top_up_from, {"amount": "twenty"}, {"amount"}),
        (top_up_from, {"amount": "0"}, {"amount"}),
        (top_up_from, {"amount": "inf"}, {"amount"}),
        (top_up_from, {"amount": "0.0000001"}, {"amount"}),
        (settings_from, {"automatic": True}, {"threshold", "rule_amount", "daily_ceiling"}),
        (
            settings_from,
            {**RULE, "threshold": "-1", "low_balance": "x"},
            {"threshold", "low_balance"},
        ),
        (settings_from, {**RULE, "daily_ceiling": "10"}, {"daily_ceiling"}),
        (outcome_from, {"state": "paid"}, {"reference"}),
        (outcome_from, {"state": "lost", "reference": "x"}, {"form"}),
        (lambda form: grant_from(form, "UTC"), {**GIVEN, "name": " "}, {"name"}),
        (lambda form: grant_from(form, "UTC"), {**GIVEN, "in_arrears": "on"}, {"form"}),
        (lambda form: grant_from(form, "UTC"), {**GIVEN, "priority": "first"}, {"priority"}),
        (lambda form: grant_from(form, "UTC"), {**GIVEN, "last_day": "soon"}, {"last_day"}),
        (lambda form: grant_from(form, "UTC"), {**GIVEN, "models": "x" * 201}, {"models"}),
    ],
)
def test_what_can_not_be_used_is_told_at_its_field(
    read: object, form: dict[str, object], fields: set[str]
) -> None:
    assert callable(read)
    with pytest.raises(FormProblems) as raised:
        read(form)
    assert raised.value.by_field.keys() == fields
    assert all(raised.value.by_field.values())


def test_what_the_api_refuses_is_told_at_its_field() -> None:
    assert by_field([("expires_at", "is over already"), ("", "no"), ("tenant_id", "no")]) == {
        "last_day": "is over already",
        "form": "no",
    }
