"""VAT ids by their form: the examples that are published, and what a slip of the hand makes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.tax.vat_ids import VIES_PREFIXES, compact, fault_of, vat_prefix

pytestmark = pytest.mark.fast

GOOD = {
    "AT": ["ATU13585627"],
    "BE": ["BE0428759497"],
    "BG": ["BG175074752"],
    "CH": ["CHE100155212MWST", "CHE-100.155.212"],
    "CY": ["CY10259033P"],
    "CZ": ["CZ25123891", "CZ7103192745"],
    "DE": ["DE136695976", "DE 136 695 976"],
    "DK": ["DK13585628"],
    "EE": ["EE100931558"],
    "ES": ["ES54362315K", "ESX2482300W", "ESJ99216582", "ESB58378431"],
    "FI": ["FI20774740"],
    "FR": ["FR40303265045", "FRK7399859412"],
    "GB": ["GB980780684", "GBGD123", "XI980780684"],
    "GR": ["EL023456780"],
    "HR": ["HR33392005961"],
    "HU": ["HU12892312"],
    "IE": ["IE6433435F", "IE6433435OA", "IE8D79739I"],
    "IT": ["IT00743110157"],
    "LT": ["LT119511515", "LT100001919017"],
    "LU": ["LU15027442"],
    "LV": ["LV40003521600"],
    "MT": ["MT11679112"],
    "NL": ["NL004495445B01", "NL002455799B11"],
    "NO": ["NO995525828MVA"],
    "PL": ["PL8567346215"],
    "PT": ["PT501964843"],
    "RO": ["RO18547290"],
    "SE": ["SE123456789701"],
    "SI": ["SI50223054"],
    "SK": ["SK2022749619"],
}


def test_published_examples_are_good() -> None:
    for country, numbers in GOOD.items():
        for number in numbers:
            assert fault_of(number, country) is None, number
            assert fault_of(number.lower(), country) is None
    assert {vat_prefix(country) for country in GOOD} | {"XI"} == VIES_PREFIXES | {"CH", "GB", "NO"}


@pytest.mark.parametrize("country", sorted(set(GOOD) - {"GB"}))
def test_one_digit_that_is_wrong_is_noticed(country: str) -> None:
    """Of the last check digit any other is wrong; but the digits after a Dutch B check nothing."""
    number = compact(GOOD[country][0]).removesuffix("MWST").removesuffix("MVA")
    checked = number[:11] if country in {"NL", "SE"} else number
    place = max(at for at, letter in enumerate(checked) if letter.isdigit())
    others = [digit for digit in "0123456789" if digit != number[place]]
    faults = [fault_of(number[:place] + digit + number[place + 1 :], country) for digit in others]
    assert None not in faults


def test_what_is_wrong_is_said() -> None:
    assert fault_of("ATU13585627", "DE") == "is no VAT id of DE: it begins with DE"
    assert fault_of("DE1366959", "DE") == "has not the form of a VAT id of DE"
    assert fault_of("DE136695977", "DE") == "has wrong check digits"
    assert fault_of("94-3404302", "US") is None
    assert vat_prefix("US") is None


@given(st.text(max_size=20), st.sampled_from(sorted(GOOD)))
def test_any_text_has_an_answer(text: str, country: str) -> None:
    prefix = vat_prefix(country)
    assert fault_of(text, country) is not None or compact(text).startswith((f"{prefix}", "XI"))
    fault_of(f"{prefix}{text}", country)
