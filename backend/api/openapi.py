"""The OpenAPI document, with what FastAPI does not derive."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from backend.api.causes import causes
from backend.api.document_models import read_models_by_annotation
from backend.api.examples import add_examples
from backend.api.field_texts import describe_fields
from backend.api.gateway_answers import describe_answers
from backend.api.problems import MEDIA_TYPE

TAGS = {
    "openai": ("Models", "OpenAI's protocol: its clients work as they are."),
    "anthropic": ("Messages", "Anthropic's protocol: its clients work as they are."),
    "tokens": ("Tokens", "What a request will count, before it is made."),
    "playground": ("Playground", "Conversations and prompts that people keep."),
    "keys": ("API keys", "Secrets of programs: made, limited, rotated and revoked."),
    "usage": ("Usage", "What was used, summed over time."),
    "events": ("Events", "Uses one by one: sent, listed, followed and put right."),
    "requests": ("Request log", "How each call went, and why it was refused."),
    "spend": ("Spend", "What usage costs: so far, to come, and on other plans."),
    "wallet": ("Credit", "Prepaid credit, what it was spent on, and how it is bought."),
    "invoices": ("Invoices", "What was billed, line by line."),
    "subscription": ("Plan", "The plan in force, and moving to another."),
    "coupons": ("Coupons", "Reductions that are redeemed once."),
    "payments": ("Payments", "Links to pay by, and to what is saved to pay with."),
    "chargeback": ("Chargeback", "What each department bears of the invoices."),
    "accounting": ("Accounting", "The seller's journal, and when revenue is recognized."),
    "accounts": ("Organization", "Members, invitations and applications."),
    "sessions": ("Sessions", "Signing in and out."),
    "webhooks": ("Webhooks", "Events that are sent to endpoints of your own, signed."),
    "audit": ("Audit", "Who did what, when and from where."),
    "catalog": ("Catalog", "Models and plans on sale."),
    "contracts": ("Contracts", "What was agreed with a customer."),
    "operator": ("Operator", "What the API's seller does."),
    "health": ("Health", "Whether the API is up."),
}
"""Groups of operations in the order in which they are read: their titles, and what they hold."""


def described(app: FastAPI) -> dict[str, Any]:
    """The document of an app, in which errors have their media type, and their codes are listed."""
    read_models_by_annotation()
    document = FastAPI.openapi(app)
    for item in document["paths"].values():
        for operation in item.values():
            _summarize(operation)
            _describe_problem(operation["responses"].get("default", {}))
    describe_answers(document)
    describe_fields(document)
    add_examples(document)
    document["tags"] = [
        {"name": name, "x-displayName": title, "description": description}
        for name, (title, description) in TAGS.items()
    ]
    # Not an ``enum``: a client that is older than a code should still read the problem
    code = document["components"]["schemas"]["Problem"]["properties"]["code"]
    code["x-extensible-enum"] = [cause.code for cause in causes()]
    return document


def _summarize(operation: dict[str, Any]) -> None:
    """Name an operation by the first sentence of its description, not by its function's name."""
    sentence, _, rest = operation["description"].partition("\n")
    # A heading, in which Markdown's marks would show
    operation["summary"] = sentence.partition(". ")[0].removesuffix(".").replace("`", "")
    if not rest and ". " not in sentence:
        # Nothing is left to say
        del operation["description"]


def _describe_problem(response: dict[str, Any]) -> None:
    # FastAPI puts a model's schema under application/json, and gives the other type none.
    content = response.get("content", {})
    if MEDIA_TYPE in content:
        content[MEDIA_TYPE] = content.pop("application/json")
