"""Addresses of pages that other rooms link to. Every other page has its address to itself."""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

CLOCK = "/test-clock"
COMPARE = "/compare"
CORRECTIONS = "/corrections"
CREDIT = "/credit"
CUSTOMER = "/customer"
CUSTOMERS = "/customers"
INVITATION = "/invitation"
INVOICES = "/invoices"
KEYS = "/keys"
MODEL = "/model"
MODELS = "/models"
OVERVIEW = "/"
PLAYGROUND = "/playground"
REQUESTS = "/requests"
SIGN_IN = "/sign-in"
USAGE = "/usage"
WEBHOOKS = "/webhooks"


def sign_in(path: str, query: str = "") -> str:
    """Return where to sign in, to come back to the page at ``path`` and what it showed."""
    back = f"{path}?{query}" if query else path
    return f"{SIGN_IN}?{urlencode({'next': back})}"


def customer(tenant: str) -> str:
    """Return where the operator sees a customer, by its id or slug."""
    return f"{CUSTOMER}/?{urlencode({'tenant': tenant})}"


def clock(tenant: str) -> str:
    """Return where the operator sees a customer's test clock, by its id or slug."""
    return f"{CLOCK}/?{urlencode({'tenant': tenant})}"


def invoice(invoice: str) -> str:
    """Return where an invoice is shown, by its id."""
    return f"{INVOICES}?{urlencode({'invoice': invoice})}"


def model(model: str) -> str:
    """Return where a model is described."""
    return f"{MODEL}/?{urlencode({'model': model})}"


def playground(*models: str) -> str:
    """Return where models are asked, the same at once if they are several."""
    return f"{PLAYGROUND}/?{urlencode({'model': ','.join(models)}, safe=',')}"


def safe_path(path: str | None) -> str:
    """A path of this portal to go on to; the start page for anything else."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")):
        return OVERVIEW
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or not path.isprintable() or "\\" in path:
        return OVERVIEW
    return path
