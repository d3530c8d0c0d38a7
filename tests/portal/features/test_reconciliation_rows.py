"""How imports, discrepancies and drift read on the operator's page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from backend_client.types.drift import ModelDrift
from backend_client.types.reconciliation import (
    Discrepancy,
    DiscrepancyCause,
    DiscrepancyStatus,
    ExportFormat,
    MarginRow,
    Reconciliation,
    ReconciliationOptions,
)
from portal.features.reconciliation.rows import (
    CAUSES,
    COLORS,
    difference_row,
    drift_line,
    import_row,
    margin_line,
)

pytestmark = pytest.mark.fast

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def reconciliation(**changed: object) -> Reconciliation:
    values: dict[str, object] = {
        "id": "rec_1",
        "provider": "openai",
        "format": ExportFormat.OPENAI_COSTS_CSV,
        "file_name": "costs.csv",
        "content_hash": "x",
        "time_zone": "UTC",
        "first_day": date(2026, 2, 1),
        "last_day": date(2026, 2, 28),
        "currency": "USD",
        "entries": 90,
        "created_at": NOW,
        "created_by": "key_1",
        "matched_at": NOW,
        "matched": 1_234,
        "open": 2,
        "explained": 3,
        "accepted": 4,
        "billed": Decimal("1234.5"),
        "expected": Decimal("1200"),
        "totals": [],
        "options": ReconciliationOptions(provider="openai"),
    }
    return Reconciliation.model_validate({**values, **changed})


def discrepancy(**changed: object) -> Discrepancy:
    values: dict[str, object] = {
        "id": "dsc_1",
        "day": date(2026, 2, 3),
        "model": "sample-large",
        "meter": "input_tokens",
        "kind": "quantity",
        "currency": None,
        "provider": Decimal(12_000),
        "metered": Decimal(9_000),
        "difference": Decimal(3_000),
        "cause": DiscrepancyCause.MISSING_EVENTS,
        "explanation": "They never came.",
        "status": DiscrepancyStatus.OPEN,
        "notes": [],
    }
    return Discrepancy.model_validate({**values, **changed})


def test_an_import_in_a_line() -> None:
    row = import_row(reconciliation())
    assert (row.days, row.agree, row.decided) == ("1 – 28 Feb 2026", "1,234", "7")
    assert row.billed == "$1,234.50, expected $1,200.00"
    unknown = import_row(reconciliation(expected=None, last_day=date(2026, 2, 1), file_name=""))
    assert unknown.billed == "$1,234.50, rates unknown"
    assert (unknown.days, unknown.file_name) == ("1 Feb 2026", "openai-costs-csv")
    assert import_row(reconciliation(billed=None)).billed == ""
    assert import_row(reconciliation()).served == ""
    served = import_row(reconciliation(upstreams=["azure", "openai"])).served
    assert served == "Served by azure, openai"


def test_a_discrepancy_in_a_line() -> None:
    row = difference_row(discrepancy())
    assert (row.what, row.provider, row.metered) == (
        "sample-large, input tokens",
        "12,000",
        "9,000",
    )
    assert (row.difference, row.cause, row.color) == ("+3,000", "Missing events", "red")
    money = difference_row(
        discrepancy(
            kind="amount",
            currency="USD",
            model="*",
            meter="*",
            provider=Decimal("0.5"),
            metered=None,
            difference=Decimal("-0.25"),
            notes=[{"at": NOW, "actor": "a", "status": "accepted", "text": "Known."}],
        )
    )
    assert (money.what, money.metered, money.notes) == (
        "All models, cost",
        "not known",
        "1 Mar 2026: Known.",
    )
    assert (money.provider, money.difference) == ("$0.50", "−$0.25")


def test_every_cause_and_status_has_its_words() -> None:
    assert CAUSES.keys() == set(DiscrepancyCause)
    assert COLORS.keys() == {status.value for status in DiscrepancyStatus}


def test_margin_in_a_line() -> None:
    values = {
        "tenant": "acme",
        "model": "sample-large",
        "start": NOW,
        "end": NOW,
        "currency": "USD",
        "revenue": Decimal("12.5"),
        "cost": Decimal("15"),
        "margin": Decimal("-2.5"),
        "margin_ratio": Decimal("-0.2"),
    }
    line = margin_line(MarginRow.model_validate(values))
    assert (line.revenue, line.cost, line.margin) == ("$12.50", "$15.00", "−$2.50 (-20.0%)")
    assert line.loss
    unknown = dict.fromkeys(("cost", "margin", "margin_ratio"))
    fees = margin_line(MarginRow.model_validate({**values, **unknown, "model": "*"}))
    assert (fees.model, fees.margin, fees.loss) == ("Fees and discounts", "rates unknown", False)


def test_drift_is_a_signed_share() -> None:
    values = {
        "model": "m",
        "meter": "input_tokens",
        "reported": Decimal(1_050),
        "counted": Decimal(1_000),
        "events": 3,
        "ratio": Decimal("0.05"),
        "alert": True,
    }
    line = drift_line(ModelDrift.model_validate(values))
    assert (line.what, line.drift, line.alert) == ("m, input tokens", "+5.00%", True)
    nothing = drift_line(ModelDrift.model_validate(values | {"ratio": None}))
    assert nothing.drift == "nothing counted"
