"""How a customer is named and taxed on invoices: as a form, and as facts. Plain functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from backend_client.types.countries import COUNTRIES, COUNTRY_NAMES
from backend_client.types.invoices import BillingDetails, LegalDetails
from portal.kit.facts import FactRow
from portal.kit.form_problems import checked, text_of

LEGAL_FIELDS = tuple(LegalDetails.model_fields)
"""What only e-invoices need; the API has it together as ``legal``."""
FIELDS = (
    *("name", "address", "email", "country", "region", "business", "tax_id"),
    *LEGAL_FIELDS,
    "form",
)
NO_COUNTRY = "none"
"""What the list of countries has for none, where nothing can't stand."""
ADDRESS_LINES = 8
LINE_CHARACTERS = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_REGION = re.compile(r"[A-Z0-9]{1,3}")


@dataclass(frozen=True)
class FormValues:
    """What stands in the form before anything is written over; ``address`` has a line for each."""

    name: str = ""
    address: str = ""
    email: str = ""
    country: str = NO_COUNTRY
    region: str = ""
    business: bool = False
    tax_id: str = ""
    street: str = ""
    city: str = ""
    postal_code: str = ""
    registration_id: str = ""
    endpoint_scheme: str = ""
    endpoint: str = ""
    buyer_reference: str = ""
    order_reference: str = ""
    contact_name: str = ""
    contact_phone: str = ""


def as_written(details: BillingDetails) -> FormValues:
    """The details as the form begins with them."""
    return FormValues(
        name=details.name or "",
        address="\n".join(details.address),
        email=details.email or "",
        country=details.country or NO_COUNTRY,
        region=details.region or "",
        business=details.business,
        tax_id=details.tax_id or "",
        **{name: getattr(details.legal, name, None) or "" for name in LEGAL_FIELDS},
    )


def as_facts(details: BillingDetails, tenant: str) -> list[FactRow]:
    """The details for who may read them only; ``tenant`` is the name where none is given."""
    country = details.country or ""
    values = {
        "Name": details.name or tenant,
        "Address": ", ".join(details.address),
        "E-mail": details.email,
        "Country": f"{COUNTRY_NAMES[country]} ({country})" if country in COUNTRIES else country,
        "Region": details.region,
        "Buys as a business": "Yes" if details.business else "No",
        "Tax id": details.tax_id,
        "Electronic address": _electronic(details.legal),
        "Buyer reference": details.legal and details.legal.buyer_reference,
    }
    return [FactRow(name, value or "–") for name, value in values.items()]


def details_from(form: Mapping[str, Any]) -> BillingDetails:
    """What the form asks for. A region may have its country before it: ``CA-QC``.

    Raises:
        FormProblems: something in it can't be used.
    """
    problems: dict[str, str] = {}
    country = text_of(form, "country")
    country = "" if country == NO_COUNTRY else country
    region = text_of(form, "region").upper().removeprefix(f"{country}-")
    address = [line.strip() for line in text_of(form, "address").splitlines() if line.strip()]
    email = text_of(form, "email")
    if len(address) > ADDRESS_LINES:
        problems["address"] = f"There is room for {ADDRESS_LINES} lines."
    elif long := [at for at, line in enumerate(address, 1) if len(line) > LINE_CHARACTERS]:
        problems["address"] = f"Line {long[0]} is over {LINE_CHARACTERS} characters long."
    if email and not _EMAIL.fullmatch(email):
        problems["email"] = "Write an e-mail address, such as billing@example.com."
    if region and not _REGION.fullmatch(region):
        problems["region"] = "Write its code, such as QC: at most three letters or digits."
    elif region and not country:
        problems["region"] = "Choose the country that this is a region of."
    values = {
        "name": text_of(form, "name") or None,
        "address": address,
        "email": email or None,
        "country": country or None,
        "region": region or None,
        "business": bool(form.get("business")),
        "tax_id": text_of(form, "tax_id") or None,
        "legal": _legal(form),
    }
    return checked(BillingDetails, values, problems, by_field)


def by_field(problems: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The form's fields that problems are of; the API calls them the same, a line ``address.3``."""
    by_name: dict[str, str] = {}
    for path, why in problems:
        name = path.removeprefix("legal.").partition(".")[0]
        by_name.setdefault(name if name in FIELDS else "form", why)
    return by_name


def _legal(form: Mapping[str, Any]) -> dict[str, str] | None:
    """What e-invoices need, as the form has it; nothing if it has none."""
    given = {name: text for name in LEGAL_FIELDS if (text := text_of(form, name))}
    return given or None


def _electronic(legal: LegalDetails | None) -> str:
    if legal is None or legal.endpoint is None:
        return ""
    return f"{legal.endpoint_scheme or ''} {legal.endpoint}".strip()
