"""A kind of charge is told everywhere that kinds are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from backend_client.types.charges import ChargeKind, FlatCharge, TieredCharge, UsageCharge

pytestmark = pytest.mark.fast

PRICING_PAGE = Path(__file__).parents[2] / "docs" / "pricing.md"


def test_lines_of_a_bill_can_be_of_every_kind() -> None:
    charges = (*get_args(UsageCharge), FlatCharge)
    kinds = [charge.model_fields["kind"].default for charge in charges]
    assert sorted(kinds) == sorted(get_args(ChargeKind))


def test_a_kind_is_priced_by_a_field_of_its_own() -> None:
    fields = {"price", "tiers", "percent"}
    for charge in (*get_args(UsageCharge), FlatCharge):
        assert fields & charge.model_fields.keys() == {charge.priced_by}, charge
        assert issubclass(charge, TieredCharge) == (charge.priced_by == "tiers"), charge


def test_the_documentation_tells_every_kind() -> None:
    section = PRICING_PAGE.read_text().partition("## Charges")[2].partition("\n## ")[0]
    kinds = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert sorted(kinds) == sorted(get_args(ChargeKind))
