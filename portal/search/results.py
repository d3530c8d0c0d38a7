"""How things that were found are shown: a title, a detail, where they are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlencode

from backend_client.types.accounts import ApiKey, Tenant
from backend_client.types.invoices import InvoiceSummary
from backend_client.types.models import ModelInfo
from portal import routes
from portal.kit.formatting import money

MOST: Final = 6
"""Results of a kind: who wants more types more."""


@dataclass(frozen=True, slots=True)
class Result:
    """Something that was found. ``outside`` is a page that is none of the app's own."""

    group: str
    title: str
    detail: str
    href: str
    outside: bool = False

    def as_json(self) -> dict[str, object]:
        """Return it as the palette reads it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DocEntry:
    """A section of a guide, or an operation of the API, with the text it is found by."""

    title: str
    of: str
    at: str
    text: str


def matches(text: str, *within: str) -> bool:
    """Tell whether each word of ``text`` is somewhere in ``within``, in either case."""
    everything = " ".join(within).lower()
    return all(word in everything for word in text.lower().split())


def model_results(text: str, models: Iterable[ModelInfo]) -> list[Result]:
    """Return the models that are called so."""
    return [
        Result("Models", model.name, model.id, routes.model(model.id))
        for model in models
        if matches(text, model.id, model.name)
    ][:MOST]


def key_results(keys: Iterable[ApiKey]) -> list[Result]:
    """Return keys, which the API has found; by no more of their secret than lists show."""
    return [
        Result(
            "Keys",
            key.name,
            f"…{key.last_four}" + (" · revoked" if key.revoked_at else ""),
            f"{routes.KEYS}?{urlencode({'search': key.id})}",
        )
        for key in keys
    ][:MOST]


def invoice_results(text: str, invoices: Iterable[InvoiceSummary]) -> list[Result]:
    """Return the invoices with the text in their number, month or state."""
    return [
        Result(
            "Invoices",
            invoice.number or "Draft",
            f"{invoice.period.start:%B %Y} · {money(invoice.total.amount, invoice.total.currency)}",
            routes.invoice(invoice.id),
        )
        for invoice in invoices
        if matches(text, invoice.number or "", f"{invoice.period.start:%B %Y}", str(invoice.state))
    ][:MOST]


def tenant_results(tenants: Iterable[Tenant]) -> list[Result]:
    """Return customers, which the API has found."""
    return [
        Result("Customers", tenant.name, tenant.slug, routes.customer(tenant.id))
        for tenant in tenants
    ][:MOST]


def doc_results(text: str, entries: Sequence[DocEntry]) -> list[Result]:
    """Return the parts of the documentation that have the text; those in whose title it is first.

    The order among equals is the documentation's own.
    """
    named = [entry for entry in entries if matches(text, entry.title, entry.of)]
    rest = [
        entry
        for entry in entries
        if entry not in named and matches(text, entry.title, entry.of, entry.text)
    ]
    return [
        Result("Docs", entry.title, entry.of, entry.at, outside=True) for entry in [*named, *rest]
    ][:MOST]
