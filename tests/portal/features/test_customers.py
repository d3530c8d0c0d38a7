"""What the operator's pages of customers ask for and show. Plain functions."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from backend_client.types.accounts import Invitation, Role, Scope
from backend_client.types.contracts import Contract
from backend_client.types.plan_terms import OwnPrice
from backend_client.types.plans import Plan, PlanDefinition
from portal.features.customer.forms import (
    change_from,
    invitation_from,
    key_from,
    prices_from,
    tiers_from,
)
from portal.features.customer.plan.rows import charge_rows, contract_row
from portal.features.customers.forms import slug_of, tenant_from
from portal.kit.form_problems import FormProblems
from portal.shared.invitations import invitation_row

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TIERS = [{"up_to": "1000000", "price": "1.2"}, {"up_to": None, "price": "1"}]
CHARGES = [
    {"id": "in", "name": "Input", "kind": "per_unit", "meters": ["input_tokens"], "price": "2"},
    {
        "id": "out",
        "name": "Output",
        "kind": "graduated",
        "meters": ["output_tokens"],
        "tiers": TIERS,
    },
    {"id": "cut", "name": "Cut", "kind": "percentage", "meters": ["cost"], "percent": "5"},
]
EURO = {
    "currency": "EUR",
    "charges": [{"id": "in", "price": "1.8"}, {"id": "out", "tiers": TIERS}],
}
LISTED = PlanDefinition.model_validate(
    {"id": "team", "name": "Team", "charges": CHARGES, "price_lists": [EURO]}
)


def test_a_customer_needs_a_name_and_gets_a_slug_of_it() -> None:
    assert slug_of("Äcme & Sons, Ltd.") == "cme-sons-ltd"
    tenant = tenant_from({"name": " Acme GmbH ", "owner": "ada@mail.example", "plan": "default"})
    assert (tenant.name, tenant.slug, tenant.owner) == (
        "Acme GmbH",
        "acme-gmbh",
        "ada@mail.example",
    )
    assert (tenant.plan, tenant.currency, tenant.time_zone) == (None, None, None)
    with pytest.raises(FormProblems) as refused:
        tenant_from({"name": "", "owner": "Ada", "slug": "No", "currency": "euro"})
    assert set(refused.value.by_field) == {"name", "owner", "slug", "currency"}


def test_prices_that_are_left_empty_are_the_plans() -> None:
    own = {"cut": OwnPrice(id="cut", percent=Decimal(3), included=Decimal(10))}
    form = {"price:in": "0.25", "tiers:out": "", "percent:cut": "", "at": "2026-04-01"}
    change = prices_from(form, "team", own, "Europe/Berlin")
    assert change.prices == [
        OwnPrice(id="in", price=Decimal("0.25")),
        # What was agreed besides the price stays
        OwnPrice(id="cut", included=Decimal(10)),
    ]
    assert change.at == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert prices_from({"price:in": ""}, "team", {}, "UTC").prices == []
    for wrong in ({"price:in": "much"}, {"price:in": "-1"}, {"tiers:out": "1000"}):
        with pytest.raises(FormProblems) as refused:
            prices_from(wrong, "team", {}, "UTC")
        assert list(refused.value.by_field) == ["prices"]


def test_tiers_are_a_limit_and_a_price_in_each_line() -> None:
    assert tiers_from("1,000,000 1.20\n\n rest 1\n") == [
        {"up_to": Decimal(1_000_000), "price": Decimal("1.20")},
        {"up_to": None, "price": Decimal(1)},
    ]


def test_charges_show_the_list_in_the_customers_currency_and_what_was_agreed() -> None:
    own = [OwnPrice(id="out", tiers=[{"up_to": None, "price": "0.5"}])]
    plan = Plan(definition=LISTED, version=2, published_at=NOW, own_prices=own, base_version=1)
    rows = charge_rows(LISTED, plan, "EUR")
    assert [(row.field, row.listed, row.own) for row in rows] == [
        ("price:in", "€1.80", ""),
        ("tiers:out", "€1.20 to 1M, €1.00 above", "€0.50 above"),
        ("percent:cut", "5%", ""),
    ]
    assert rows[1].written == "rest 0.5"
    # What is written again as it stands asks for the same
    form = {row.field: row.written for row in rows}
    assert prices_from(form, "team", {"out": own[0]}, "UTC").prices == own


def test_a_key_and_an_invitation_are_asked_for() -> None:
    form = {"name": "web", "application": "app_1", "expiry": "30", "scope:inference": True}
    key = key_from(form, NOW)
    assert (key.scopes, key.expires_at) == ([Scope.INFERENCE], datetime(2026, 4, 9, 12, tzinfo=UTC))
    with pytest.raises(FormProblems) as refused:
        key_from({"application": "app_1"}, NOW)
    assert {"name", "form"} <= set(refused.value.by_field)
    assert invitation_from({"role": "owner", "email": ""}).email is None
    with pytest.raises(FormProblems):
        invitation_from({"role": "owner", "email": "nobody"})
    assert change_from({"plan": "team", "seats": "3"}, "UTC").seats == 3


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "Open"),
        ({"accepted_at": NOW}, "Accepted"),
        ({"revoked_at": NOW}, "Revoked"),
        ({"expires_at": NOW}, "Expired"),
    ],
    ids=str,
)
def test_an_invitation_says_what_became_of_it(changes: dict[str, object], state: str) -> None:
    values = {
        "id": "ivt_1",
        "role": Role.OWNER,
        "note": "",
        "email": "ada@mail.example",
        "by_operator": True,
        "created_by": "usr_1",
        "created_at": NOW,
        "expires_at": datetime(2026, 4, 1, tzinfo=UTC),
        "accepted_at": None,
        "accepted_by": None,
        "revoked_at": None,
    }
    row = invitation_row(Invitation.model_validate(values | changes), "UTC", NOW)
    assert (row.state, row.open, row.whom) == (state, state == "Open", "ada@mail.example")


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ({"every": "quarter"}, "$1,200.00 prepaid by an invoice each quarter"),
        (
            {"instalments": [{"period": 1, "amount": "800"}, {"period": 7, "amount": "400"}]},
            "$1,200.00 prepaid by 2 instalments",
        ),
        (
            {"instalments": [{"period": 1, "amount": "1200"}]},
            "$1,200.00 prepaid by one instalment",
        ),
    ],
)
def test_what_a_contract_has_prepaid_is_said_in_words(
    schedule: dict[str, object], said: str
) -> None:
    rolls = {"rollover_percent": "50", "rollover_months": 3}
    start, end = "2026-03-01T00:00:00Z", "2027-03-01T00:00:00Z"
    asked = {"of": 2, "term_start": start, "due_at": start, "amount": "600"}
    contract = Contract.model_validate(
        {
            "id": "ctr_1",
            "terms": {
                "name": "Deal",
                "start": start,
                "periods": 12,
                "prepaid": {"amount": "1200"} | schedule | rolls,
                "renews": True,
            },
            "start": start,
            "end": end,
            "instalments": [
                asked | {"number": 1, "invoice_id": "inv_1"},
                asked | {"number": 2, "invoice_id": None},
            ],
        }
    )
    assert contract_row(contract, "USD", "UTC").what == (
        f"{said}, 1 of 2 asked for, 50% of what is left stays for 3 months, renews"
    )
