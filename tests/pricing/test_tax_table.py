"""Which rates hold for a customer on a day, and what the invoice says where none is charged."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.pricing.tax.rate_choice import Buyer, choose_rates
from backend_client.types.taxes import CatalogTax

pytestmark = pytest.mark.fast

DAY = date(2026, 3, 31)


def tax(tax_id: str, country: str, percent: str = "10", **changes: object) -> CatalogTax:
    fields = {"id": tax_id, "name": tax_id, "country": country, "percent": percent}
    return CatalogTax.model_validate(fields | changes)


TABLE = [
    tax("de-vat-2020", "DE", "16", valid_from="2020-07-01", valid_until="2020-12-31", name="VAT"),
    tax("de-vat", "DE", "19", valid_from="2021-01-01", reverse_charge=True, name="VAT"),
    tax("fr-vat", "FR", "20", reverse_charge=True, name="VAT"),
    tax("ca-gst", "CA", "5", except_regions=["ON"]),
    tax("ca-qst", "CA", "9.975", region="QC"),
    tax("ca-hst", "CA", "13", region="ON"),
    tax("us-tax", "US", "6.25", region="TX"),
]


def chosen(buyer: Buyer, seller: str | None = "DE", day: date = DAY) -> tuple[list[str], list[str]]:
    choice = choose_rates(TABLE, buyer, seller, day)
    return [rate.id for rate in choice.rates], list(choice.notes)


@pytest.mark.parametrize(
    ("buyer", "rates"),
    [
        (Buyer("DE"), ["de-vat"]),
        (Buyer("DE", "BE"), ["de-vat"]),
        (Buyer("DE", business=True), ["de-vat"]),  # at home nothing is shifted
        (Buyer("FR"), ["fr-vat"]),
        (Buyer("CA"), ["ca-gst"]),
        (Buyer("CA", "AB"), ["ca-gst"]),
        (Buyer("CA", "QC"), ["ca-gst", "ca-qst"]),
        (Buyer("CA", "QC", business=True), ["ca-gst", "ca-qst"]),
        (Buyer("CA", "ON"), ["ca-hst"]),
        (Buyer("US", "TX"), ["us-tax"]),
    ],
)
def test_rates_by_place(buyer: Buyer, rates: list[str]) -> None:
    assert chosen(buyer) == (rates, [])


@pytest.mark.parametrize(
    ("day", "rates"),
    [
        (date(2020, 6, 30), []),
        (date(2020, 7, 1), ["de-vat-2020"]),
        (date(2020, 12, 31), ["de-vat-2020"]),
        (date(2021, 1, 1), ["de-vat"]),
    ],
)
def test_rates_by_day_both_ends_included(day: date, rates: list[str]) -> None:
    assert chosen(Buyer("DE"), day=day)[0] == rates


def test_a_place_without_a_rate_is_not_taxed_and_says_so() -> None:
    none = "No tax is charged: no rate is set for customers in {}."
    assert chosen(Buyer("JP")) == ([], [none.format("JP")])
    assert chosen(Buyer("US")) == ([], [none.format("US")])
    assert chosen(Buyer("DE"), day=date(2020, 1, 1)) == ([], [none.format("DE")])


def test_no_country_on_record_is_the_sellers() -> None:
    note = "Taxed as in DE: the customer's country is not on record."
    assert chosen(Buyer(None)) == (["de-vat"], [note])
    assert chosen(Buyer(None, "ON"), seller="CA")[0] == ["ca-gst"]
    unknown = "No tax is charged: the customer's country is not on record."
    assert chosen(Buyer(None), seller=None) == ([], [unknown])


def test_a_business_abroad_accounts_for_tax_itself_where_the_row_says_so() -> None:
    notes = ["Reverse charge: the customer accounts for VAT in FR."]
    assert chosen(Buyer("FR", business=True)) == ([], notes)
    assert chosen(Buyer("FR", business=True), seller="FR") == (["fr-vat"], [])
    # Where the seller is was not set, so nobody knows that the customer is abroad
    assert chosen(Buyer("FR", business=True), seller=None) == (["fr-vat"], [])


def test_only_what_is_shifted_is_left_out() -> None:
    table = [tax("a", "FR", reverse_charge=True), tax("b", "FR"), tax("c", "FR", region="IDF")]
    choice = choose_rates(table, Buyer("FR", "IDF", business=True), "DE", DAY)
    assert [rate.id for rate in choice.rates] == ["b", "c"]
    assert choice.notes == ("Reverse charge: the customer accounts for a in FR.",)


def test_no_table_is_silent() -> None:
    choice = choose_rates([], Buyer(None), None, DAY)
    assert (choice.rates, choice.notes) == ((), ())


buyers = st.builds(
    Buyer,
    st.sampled_from([None, "CA", "DE", "FR", "JP", "US"]),
    st.sampled_from([None, "ON", "QC", "TX"]),
    st.booleans(),
)


@given(buyers, st.sampled_from([None, "DE", "CA"]), st.dates(date(2019, 1, 1), date(2030, 1, 1)))
def test_who_pays_nothing_is_told_why(buyer: Buyer, seller: str | None, day: date) -> None:
    choice = choose_rates(TABLE, buyer, seller, day)
    assert choice.rates or choice.notes
    by_id = {row.id: row for row in TABLE}
    for rate in choice.rates:
        row = by_id[rate.id]
        assert (rate.name, rate.percent, rate.inclusive) == (row.name, row.percent, row.inclusive)
        assert row.country == (buyer.country or seller)
        assert row.holds_on(day)
