"""Writes docs/fields.md from the types of the wire: ``python -m tests.docs.fields``."""

from __future__ import annotations

import inspect
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from backend.api.field_texts import describe_fields
from backend_client.types import (
    catalog,
    charges,
    contracts,
    corrections,
    events,
    invoices,
    limits,
    meters,
    plan_terms,
    plans,
    subscriptions,
    taxes,
    wallets,
)
from backend_client.types.common import Wire
from tests.docs.pages import DOCS
from tests.support.engineless import engineless_api

PAGE = DOCS / "fields.md"

_HEAD = """\
# Every field

What the catalog file and the bodies of requests can have, type by type: its fields, what each is
and may hold, and what it is if left out. Numbers of money and of units are exact: in the file they
are written as they are, in JSON as text, such as `"0.15"`. A field that is not listed is refused.
Times are RFC 3339 with an offset. What is done with a field is told on the pages of
[pricing](pricing.md), [invoices](invoices.md), [metering](metering.md) and [the API](api.md).

This page is written from the code by `python -m tests.docs.fields`, and the tests compare the two.

## Meters

Farebox's own meters. The gateway counts by them, and every token is in one of them, never in two:

{meters}

Any other name does as well, of small letters, digits and underscores, for what your own services
count: `pages`, `gpu_seconds`, `provider_dollars`. Nothing has to be declared. A charge prices a
meter that it names, and usage of a meter that no charge names is listed as unpriced. The catalog's
own `meters` are made of these: see [declared meters](metering.md#declared-meters).
"""

_SECTIONS: tuple[tuple[str, str, tuple[ModuleType, ...]], ...] = (
    (
        "The catalog",
        "`catalog.yaml`, and the same as JSON by `PUT /v1/catalog`.",
        (catalog, plans, charges, plan_terms, taxes, meters),
    ),
    ("Subscriptions", "What a tenant is on, and how that changes.", (subscriptions,)),
    ("Contracts and coupons", "What is agreed with a tenant beside its plan.", (contracts,)),
    ("Credit", "Grants, purchases and the rule of a wallet.", (wallets,)),
    ("Invoices", "Whom and how to bill, and what is done with an invoice.", (invoices,)),
    ("Usage", "The event that usage is sent as, and its corrections.", (events, corrections)),
)
_BESIDE = (limits.RateLimits, limits.ModelLimits)
"""Types of other modules that these have as parts."""

EXAMPLES: dict[str, dict[str, Any]] = {
    "SubscriptionChange": {
        "plan": "pay-as-you-go",
        "seats": 5,
        "prices": [{"id": "small-input", "price": "0.12"}],
    },
    "SubscriptionPause": {"at": "2026-07-01T00:00:00Z", "until": "2026-08-01T00:00:00Z"},
    "SubscriptionCancel": {"when": "period_end"},
    "BillingAnchor": {"day": 15},
    "ContractCreate": {
        "name": "Yearly commitment",
        "start": "2026-07-01T00:00:00Z",
        "commitment": {
            "ramps": [{"amount": "1000", "periods": 3}, {"amount": "2000", "periods": 9}],
            "true_up": "term",
            "overage_discount": "10",
        },
        "service_levels": [{"below": "99.9", "credit": "10"}],
        "net_days": 45,
    },
    "PrepaidTerms": {
        "amount": "1200",
        "instalments": [{"period": 1, "amount": "800"}, {"period": 7, "amount": "400"}],
        "rollover_percent": "50",
        "rollover_months": 3,
    },
    "AmendmentCreate": {
        "effective_at": "2026-09-15T00:00:00Z",
        "more": "500",
        "reason": "A second team",
    },
    "Coupon": {"id": "launch-20", "name": "Launch", "percent": "20", "periods": 3},
    "CouponRedeem": {"coupon": "launch-20"},
    "CreditGrantCreate": {
        "name": "Welcome",
        "kind": "promotional",
        "amount": "25",
        "expires_at": "2026-12-31T00:00:00Z",
    },
    "TopUpCreate": {"amount": "100"},
    "TopUpOutcome": {"state": "paid", "reference": "transfer-0042"},
    "WalletSettings": {
        "top_up": {"threshold": "10", "amount": "50", "daily_ceiling": "200"},
        "low_balance": "20",
    },
    "UsageEvent": {
        "specversion": "1.0",
        "id": "req-000001",
        "source": "inference",
        "type": "ai.usage",
        "subject": "acme",
        "time": "2026-07-01T12:00:00Z",
        "data": {
            "application": "app_01",
            "model": "sample-large",
            "quantities": {"requests": "1", "input_tokens": "812", "output_tokens": "164"},
            "labels": {"region": "eu"},
        },
    },
}
"""A body of each kind; the tests hold that the type takes it."""


def documented() -> dict[str, type[BaseModel]]:
    """Every type of the page, by its name, in its order."""
    return {kind.__name__: kind for _, _, modules in _SECTIONS for kind in _kinds(modules)}


def fields_page(app: FastAPI) -> str:
    """The whole page."""
    own = "\n".join(f"- `{meter}`" for meter in events.METERS)
    parts = [_HEAD.format(meters=own)]
    routes = _routes(app)
    for title, about, modules in _SECTIONS:
        parts.append(f"## {title}\n\n{about}\n")
        parts += [_part(kind, routes) for kind in _kinds(modules)]
    return "\n".join(parts)


def _kinds(modules: tuple[ModuleType, ...]) -> Iterator[type[BaseModel]]:
    for module in modules:
        for _, kind in inspect.getmembers(module, inspect.isclass):
            own = kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
            if own and issubclass(kind, Wire):
                yield kind
        if module is plan_terms:
            yield from _BESIDE


def _routes(app: FastAPI) -> Mapping[str, list[str]]:
    """Which routes take a type as their body, by the type's name."""
    routes: defaultdict[str, list[str]] = defaultdict(list)
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            schemas = json.dumps([media.get("schema", {}) for media in content.values()])
            for name in set(re.findall(r'"#/components/schemas/(\w+)"', schemas)):
                routes[name].append(f"`{method.upper()} {path}`")
    return routes


def _part(kind: type[BaseModel], routes: Mapping[str, list[str]]) -> str:
    about = (inspect.getdoc(kind) or "").replace("``", "`")
    lines = [f"### {kind.__name__}", "", about, ""]
    if kind.__name__ in routes:
        lines += [f"The body of {', '.join(sorted(routes[kind.__name__]))}.", ""]
    if kind.__name__ in EXAMPLES:
        example = json.dumps(EXAMPLES[kind.__name__], indent=2)
        lines += ["```json", example, "```", ""]
    schema = kind.model_json_schema(mode="validation")
    describe_fields({"components": {"schemas": {kind.__name__: schema}}})
    required = schema.get("required", [])
    lines += ["| field | what it is | what it may hold | if left out |", "|---|---|---|---|"]
    for name, of in schema.get("properties", {}).items():
        default = "needed" if name in required else _default(of.get("default"))
        about = of["description"].replace("|", "\\|")
        lines.append(f"| `{name}` | {about} | {_words(of, schema)} | {default} |")
    return "\n".join([*lines, ""])


def _default(value: object) -> str:
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, dict):
        return "as the type says"
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _words(of: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in of:
        return _named(of["$ref"].rsplit("/", 1)[1], whole)
    if "const" in of:
        return f"`{of['const']}`"
    if "enum" in of:
        return " or ".join(f"`{value}`" for value in of["enum"])
    for several in ("anyOf", "oneOf"):
        if several in of:
            return _any_of(of[several], whole)
    match of.get("type"):
        case "array":
            return f"a list of {_words(of.get('items', {}), whole)}"
        case "object":
            values = [*of.get("patternProperties", {}).values(), of.get("additionalProperties")]
            of_each = next((each for each in values if isinstance(each, dict)), {})
            return f"by name: {_words(of_each, whole)}"
        case "string" if of.get("format") == "date-time":
            return "a time"
        case "string":
            longest = of.get("maxLength")
            return f"text, to {longest} characters" if longest else "text"
        case "boolean":
            return "`true` or `false`"
        case "integer":
            return f"a whole number{_bounds(of)}"
        case "number":
            return f"a number{_bounds(of)}"
        case "null":
            return "`null`"
    return "anything"


def _any_of(choices: list[Mapping[str, Any]], whole: Mapping[str, Any]) -> str:
    # A decimal may be a number or text of digits: told once, as a number
    kinds = {choice.get("type") for choice in choices}
    if {"number", "string"} <= kinds:
        choices = [choice for choice in choices if choice.get("type") != "string"]
    return " or ".join(dict.fromkeys(_words(choice, whole) for choice in choices))


def _named(name: str, whole: Mapping[str, Any]) -> str:
    of = whole.get("$defs", {}).get(name, {})
    if "enum" in of:
        return " or ".join(f"`{value}`" for value in of["enum"])
    return f"[{name}](#{name.lower()})" if name in documented() else name


def _bounds(of: Mapping[str, Any]) -> str:
    said = [
        f"{word} {of[key]:g}"
        for key, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("exclusiveMaximum", "below"),
        )
        if key in of
    ]
    return f", {' '.join(said)}" if said else ""


if __name__ == "__main__":
    PAGE.write_text(fields_page(engineless_api()))
