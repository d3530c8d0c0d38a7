"""What is said of a change of plan before it is confirmed, and what its forms ask for."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend_client.types.common import Money
from backend_client.types.subscription_preview import SubscriptionPreview
from portal.features.spend.plan_change import (
    AddOnRow,
    PreviewRow,
    change_preview,
    coupon_from,
    preview_rows,
    quantities_from,
)
from portal.kit.form_problems import FormProblems

pytestmark = pytest.mark.fast

MARCH = {"start": "2026-03-01T00:00Z", "end": "2026-04-01T00:00Z", "time_zone": "UTC"}


def usd(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def line(name: str, amount: str, start: str, end: str, kind: str = "flat") -> dict[str, Any]:
    return {
        "charge_id": name.lower(),
        "name": name,
        "kind": kind,
        "plan": "p",
        "plan_version": 1,
        "start": start,
        "end": end,
        "quantity": "1",
        "included": "0",
        "billable": "1",
        "unit_size": 1,
        "price": "31",
        "exact": amount,
        "amount": usd(amount),
    }


def report(total: str, *lines: dict[str, Any]) -> dict[str, Any]:
    return {
        "period": MARCH,
        "as_of": MARCH["start"],
        "currency": "USD",
        "lines": list(lines),
        "exact_total": total,
        "total": usd(total),
        "version": 1,
    }


def preview(difference: str = "15.50") -> SubscriptionPreview:
    start, half, end = "2026-03-01T00:00Z", "2026-03-16T12:00Z", "2026-04-01T00:00Z"
    usage = line("Tokens", "2.00", start, end, "per_unit")
    fee = {"id": "fee", "name": "Large", "kind": "flat", "price": "62"}
    definition = {"id": "large", "name": "Large", "charges": [fee]}
    return SubscriptionPreview.model_validate(
        {
            "plan": {"definition": definition, "version": 1, "published_at": start},
            "starts_at": half,
            "before": report("33.00", line("Small", "31.00", start, end), usage),
            "after": report(
                "48.50",
                line("Small", "15.50", start, half),
                line("Large", "31.00", half, end),
                usage,
            ),
            "difference": usd(difference),
        }
    )


def test_each_fee_says_for_which_time_it_is() -> None:
    assert preview_rows(preview(), "UTC") == [
        PreviewRow("Small, 1 – 31 Mar 2026", "$31.00", "–"),
        PreviewRow("Small, 1 – 16 Mar 2026", "–", "$15.50"),
        PreviewRow("Large, 16 – 31 Mar 2026", "–", "$31.00"),
        PreviewRow("Usage so far", "$2.00", "$2.00"),
    ]


@pytest.mark.parametrize(
    ("difference", "text"),
    [("15.50", "$15.50 more"), ("-3.00", "$3.00 less"), ("0.00", "as much as now")],
)
def test_the_difference_is_said_in_words(difference: str, text: str) -> None:
    said = change_preview(preview(difference), "UTC")
    assert (said.plan, said.difference) == ("Large", text)
    assert (said.now, said.then, said.starts) == ("$33.00", "$48.50", "16 Mar 2026, 12:00")


def test_seats_and_add_ons_are_numbers() -> None:
    add_ons = [AddOnRow("support", "Support", "0")]
    at = datetime(2026, 3, 1, tzinfo=UTC)
    change = quantities_from({"seats": "3", "add-on:support": "2"}, "team", add_ons, at)
    assert (change.plan, change.seats, change.add_ons) == ("team", 3, {"support": 2})
    with pytest.raises(FormProblems) as raised:
        quantities_from({"seats": "many", "add-on:support": "-1"}, "team", add_ons, None)
    assert set(raised.value.by_field) == {"seats", "add_ons"}


def test_a_coupon_needs_a_code() -> None:
    assert coupon_from({"coupon": " HALF "}) == "HALF"
    with pytest.raises(FormProblems):
        coupon_from({"coupon": " "})


def test_money_of_the_difference_is_the_reports() -> None:
    assert preview().difference == Money(amount=Decimal("15.50"), currency="USD")
