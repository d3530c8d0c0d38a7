"""What the form of the billing details asks for, and how they read for who can't change them."""

from __future__ import annotations

import unicodedata

import pytest

from backend_client import InvalidInput, Unauthenticated, Unavailable
from backend_client.types.countries import COUNTRIES, COUNTRY_NAMES
from backend_client.types.invoices import BillingDetails, LegalDetails
from backend_client.types.problems import FieldError, Problem
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.shared.billing.details import (
    FIELDS,
    NO_COUNTRY,
    FormValues,
    as_facts,
    as_written,
    by_field,
    details_from,
)

pytestmark = pytest.mark.fast

FORM = {
    "name": " Sample Ltd ",
    "address": "1 Sample Street\r\n\r\n  12345 Sample Town  \r\n",
    "email": "bills@sample.example",
    "country": "CA",
    "region": "qc",
    "business": "on",
    "tax_id": "CA 123",
}
DETAILS = BillingDetails(
    name="Sample Ltd",
    address=["1 Sample Street", "12345 Sample Town"],
    email="bills@sample.example",
    country="CA",
    region="QC",
    business=True,
    tax_id="CA 123",
)


def test_the_form_is_read() -> None:
    assert details_from(FORM) == DETAILS
    assert details_from({**FORM, "region": "CA-QC"}) == DETAILS
    assert details_from({"country": NO_COUNTRY}) == BillingDetails()
    assert details_from({}) == BillingDetails()


def test_what_stands_in_the_form_means_what_it_was_made_of() -> None:
    for details in (DETAILS, BillingDetails()):
        assert details_from(vars(as_written(details))) == details
    assert as_written(BillingDetails()) == FormValues()


def test_the_form_keeps_all_that_the_api_knows() -> None:
    """Saving replaces all of it: what the form left out would be lost."""
    fields = {*BillingDetails.model_fields, *LegalDetails.model_fields} - {"legal"}
    assert set(FIELDS) == {*fields, "form"}
    legal = LegalDetails(city="Berlin", endpoint_scheme="9930", endpoint="DE1")
    details = DETAILS.model_copy(update={"legal": legal})
    assert details_from(vars(as_written(details))) == details


@pytest.mark.parametrize(
    ("written", "field", "said"),
    [
        ({"name": "x" * 201}, "name", "200"),
        ({"address": "\n".join("123456789")}, "address", "room for 8 lines"),
        ({"address": "a\n" + "x" * 201}, "address", "Line 2"),
        ({"email": "bills"}, "email", "e-mail address"),
        ({"email": "bills@sample.example, more@sample.example"}, "email", "e-mail address"),
        ({"country": "XX"}, "country", "ISO 3166-1"),
        ({"region": "Québec"}, "region", "at most three"),
        ({"country": NO_COUNTRY}, "region", "Choose the country"),
        ({"tax_id": "x" * 201}, "tax_id", "200"),
        ({"endpoint_scheme": "DE"}, "endpoint_scheme", "pattern"),
    ],
)
def test_what_can_not_be_used_is_told_at_its_field(
    written: dict[str, str], field: str, said: str
) -> None:
    with pytest.raises(FormProblems) as raised:
        details_from({**FORM, **written})
    assert raised.value.by_field.keys() == {field}
    assert said in raised.value.by_field[field]


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(FormProblems) as raised:
        details_from({**FORM, "email": "bills", "region": "Québec", "name": "x" * 201})
    assert raised.value.by_field.keys() == {"email", "region", "name"}


def test_what_the_api_refuses_is_told_at_its_field() -> None:
    problem = Problem(
        title="Invalid",
        status=422,
        errors=[
            FieldError(field="region", detail="is none of CA"),
            FieldError(field="address.1", detail="is too long"),
            FieldError(field="address.2", detail="is too long too"),
            FieldError(field="color", detail="is not known"),
        ],
    )
    assert problems_by_field(InvalidInput(problem), by_field) == {
        "region": "is none of CA",
        "address": "is too long",
        "form": "is not known",
    }
    assert problems_by_field(Unavailable("Try again later."), by_field) == {
        "form": "Try again later."
    }


def test_a_session_that_has_ended_is_no_fields_fault() -> None:
    with pytest.raises(Unauthenticated):
        problems_by_field(Unauthenticated(Problem(title="Unauthenticated", status=401)), by_field)


def test_the_details_for_who_can_not_change_them() -> None:
    assert {row.name: row.value for row in as_facts(DETAILS, "Sample")} == {
        "Name": "Sample Ltd",
        "Address": "1 Sample Street, 12345 Sample Town",
        "E-mail": "bills@sample.example",
        "Country": "Canada (CA)",
        "Region": "QC",
        "Buys as a business": "Yes",
        "Tax id": "CA 123",
        "Electronic address": "–",
        "Buyer reference": "–",
    }
    nothing = {row.name: row.value for row in as_facts(BillingDetails(), "Sample")}
    assert (nothing["Name"], nothing["Country"], nothing["Address"]) == ("Sample", "–", "–")


def test_countries_are_listed_by_their_names() -> None:
    def plain(name: str) -> str:
        letters = unicodedata.normalize("NFKD", name)
        return "".join(letter for letter in letters if not unicodedata.combining(letter)).casefold()

    names = list(COUNTRY_NAMES.values())
    assert names == sorted(names, key=plain)
    assert len(COUNTRIES) == len(set(names)) == 249
    assert (COUNTRY_NAMES["DE"], COUNTRY_NAMES["AX"]) == ("Germany", "Åland Islands")
    assert all(code.isalpha() and code.isupper() and len(code) == 2 for code in COUNTRIES)
