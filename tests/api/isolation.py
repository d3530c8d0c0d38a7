"""What the tests of tenant isolation know of each route: whose it is, and what it could leak.

The routes are those of the OpenAPI document, so a new one is called too. One that takes a
parameter or a body that is not known here fails the tests: plant something of tenant A's that it
would leak if it looked no further than the id, and say here how to ask for it.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import select

from backend.accounts.principal import OPERATOR_PERMISSIONS, Permission
from backend.api import routers
from backend.storage.database import Database
from backend.storage.tables import metadata

Headers = dict[str, str]

OPEN = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/v1/public/models"),
    ("post", "/v1/public/simulate"),
    ("post", "/v1/public/simulate.pdf"),
    ("get", "/v1/sign-in"),
    ("post", "/v1/sessions"),
    ("post", "/v1/sessions/local"),
    ("post", "/v1/platforms/{platform}/webhook"),  # the platform signs it
    ("post", "/v1/secret-scanning"),  # the scanner signs it
}
"""Routes without a credential; what they answer is the same for everybody."""

OFF_BY_DEFAULT = {"/v1/public/models"}
"""Of these, what answers strangers only where the seller has it so."""

NO_ID = {"cursor", "limit", "start", "end", "granularity", "format", "if-none-match", "at"}
NO_ID |= {"last-event-id", "preview", "actor_kind", "action", "day", "keys"}
NO_ID |= {"month", "valid_from"}  # a day that every tenant has
NO_ID |= {"hours", "search"}  # how much time is looked back on, and words in names of one's own
NO_ID |= {"kind", "state"}  # of a notice, and how far it came
NO_ID |= {"outcome", "status", "code", "min_duration_ms"}  # how a call went
NO_ID |= {"upstream"}  # only the operator may ask by it: `tests/metering/test_upstreams.py`
NO_ID |= {"time_zone", "cause", "status"}  # whose clocks, and words that are everybody's
"""Parameters that name nothing of anybody's."""

SAMPLES = {"amount": "100", "seconds": "0", "platform": "stripe"}
"""Parameters that name nothing either, but must be given."""


@dataclass(frozen=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> tuple[str, str]:
        return self.method, self.path

    @property
    def needs(self) -> Permission | None:
        """The permission that it needs; None if any credential will do, or none."""
        scopes = [scope for need in self.described.get("security", []) for scope in need["bearer"]]
        return Permission(scopes[0]) if scopes else None

    @property
    def for_operators(self) -> bool:
        return self.needs in OPERATOR_PERMISSIONS

    def parameters(self, place: str) -> set[str]:
        parameters = self.described.get("parameters", [])
        return {parameter["name"].lower() for parameter in parameters if parameter["in"] == place}


def operations(app: FastAPI) -> Iterator[Operation]:
    """Every operation; no router's route is kept out of the document."""
    document = app.openapi()
    routes = {
        (method.lower(), route.path.replace(":path}", "}"))
        for module in pkgutil.iter_modules(routers.__path__, f"{routers.__name__}.")
        for route in import_module(module.name).router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    described = {(m, path) for path, item in document["paths"].items() for m in item}
    assert routes == described
    for method, path in sorted(described):
        yield Operation(method, path, document["paths"][path][method])


@dataclass
class TenantOfTest:
    """A tenant with something of everything, and words that nobody else has said."""

    id: str
    headers: Headers
    ids: dict[str, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def body(self, operation: Operation) -> Any:
        """What another tenant might send to reach this one's things."""
        if operation.for_operators:
            return {}  # refused before it is read
        application, key = self.ids["application"], self.ids["key"]
        event = {
            "specversion": "1.0",
            "id": "from-b",
            "source": "isolation",
            "type": "ai.usage",
            "data": {"application": application, "key": key, "model": "m", "quantities": {"x": 1}},
        }
        events = [event, {**event, "id": "2", "subject": self.id}]
        messages = [{"role": "user", "content": "hello"}]
        samples: dict[tuple[str, str], Any] = {
            ("post", "/api/v1/events"): events,
            ("post", "/v1/applications"): {"name": "Application of B"},
            ("patch", "/v1/applications/{application_id}"): {"name": "Of B"},
            ("put", "/v1/billing-details"): {"name": "B"},
            ("put", "/v1/applications/{application_id}/body-logging"): {"enabled": False},
            ("post", "/v1/chargeback/preview"): {"policy": {}},
            ("put", "/v1/chargeback/policies/{valid_from}"): {"policy": {}},
            ("post", "/v1/audio/speech"): {"model": "sample-small", "input": "Hi"},
            # Which are forms: what is no form is refused
            ("post", "/v1/audio/transcriptions"): {"model": "sample-small"},
            ("post", "/v1/audio/translations"): {"model": "sample-small"},
            ("post", "/v1/chat/completions"): {"model": "sample-small", "messages": messages},
            ("post", "/v1/completions"): {"model": "sample-small", "prompt": "Hi"},
            ("post", "/v1/embeddings"): {"model": "sample-small", "input": "Hi"},
            ("post", "/v1/images/edits"): {"model": "sample-small", "prompt": "Hi"},
            ("post", "/v1/images/generations"): {"model": "sample-small", "prompt": "Hi"},
            ("post", "/v1/messages"): {
                "model": "sample-small",
                "messages": messages,
                "max_tokens": 9,
            },
            ("post", "/v1/messages/count_tokens"): {"model": "sample-small", "messages": messages},
            ("post", "/v1/moderations"): {"model": "sample-small", "input": "Hi"},
            ("post", "/v1/rerank"): {"model": "sample-small", "query": "Hi", "documents": ["Hi"]},
            ("post", "/v1/responses"): {"model": "sample-small", "input": "Hi"},
            ("post", "/v1/conversations"): {"title": "Of B", "content": {}},
            ("put", "/v1/conversations/{conversation_id}"): {"title": "Of B", "content": {}},
            ("post", "/v1/events"): events,
            ("post", "/v1/secret-scanning"): [{"token": "fb_live_of_b", "type": "key"}],
            ("post", "/v1/invitations"): {"role": "viewer"},
            ("post", "/v1/invitations/accept"): {"secret": self.ids["invitation_id"]},
            ("patch", "/v1/keys/{key_id}"): {"name": "Of B"},
            ("post", "/v1/label-budgets"): {
                "label": "squad",
                "value": "marker-squad",
                "budget": {"amount": "1", "period": "day"},
            },
            ("patch", "/v1/label-budgets/{budget_id}"): {
                "budget": {"amount": "1", "period": "day"}
            },
            ("post", "/v1/keys/{key_id}/rotate"): {"grace_seconds": 0},
            ("post", "/v1/keys"): {"name": "Key of B", "application_id": application},
            ("patch", "/v1/members/{user_id}"): {"role": "viewer"},
            ("post", "/v1/prompts"): {"name": "Of B", "content": {}},
            ("patch", "/v1/prompts/{prompt_id}"): {"name": "Of B"},
            ("post", "/v1/prompts/{prompt_id}/versions"): {"content": {}},
            ("patch", "/v1/sessions/current"): {"tenant_id": self.id},
            ("post", "/v1/sessions"): {"id_token": "none", "nonce": "none"},
            ("post", "/v1/sessions/local"): {"secret": "none"},
            ("post", "/v1/simulate"): {"past_periods": 1},
            ("post", "/v1/simulate.pdf"): {"past_periods": 1},
            ("post", "/v1/public/simulate"): {"past_periods": 1},
            ("post", "/v1/public/simulate.pdf"): {"past_periods": 1},
            ("patch", "/v1/tenant"): {"name": "B"},
            ("put", "/v1/subscription"): {"plan": "pay-as-you-go"},
            ("post", "/v1/subscription/cancel"): {},
            ("post", "/v1/subscription/coupons"): {"coupon": "marker"},
            ("post", "/v1/subscription/pause"): {},
            ("post", "/v1/subscription/preview"): {"plan": "pay-as-you-go"},
            ("post", "/v1/tokens/count"): {"model": "sample-small", "text": "hello"},
            ("post", "/v1/webhooks"): {"url": "https://hooks.example.com/b"},
            ("patch", "/v1/webhooks/{webhook_id}"): {"description": "Of B"},
            ("post", "/v1/webhooks/{webhook_id}/replay"): {"since": "2026-01-01T00:00:00Z"},
            ("post", "/v1/webhooks/{webhook_id}/rotate"): {"grace_seconds": 0},
            ("put", "/v1/wallet"): {"low_balance": "1"},
            ("post", "/v1/wallet/top-ups"): {"amount": "1"},
        }
        assert operation.name in samples, f"{operation.name}: say what of A's its body can name"
        return samples[operation.name]

    def request(self, operation: Operation) -> dict[str, Any]:
        """The arguments of a request that names this tenant's things wherever it can."""
        samples = {
            **SAMPLES,
            **self.ids,
            "tenant_id": self.id,
            "application_id": self.ids["application"],
            "key_id": self.ids["key"],
            "user_id": self.ids["user"],
            "actor": self.ids["user"],
            "created_by": self.ids["user"],
            "hand_over_to": self.ids["user"],
            "target": self.ids["key"],
            "group_by": "model",
        }
        if operation.for_operators:
            named = operation.parameters("path") | operation.parameters("query")
            samples |= dict.fromkeys(named - set(samples), "1")
        url = operation.path
        for name in operation.parameters("path"):
            assert name in samples, f"{operation.name}: say what of A's {name} names"
            url = url.replace("{" + name + "}", samples[name])
        query = operation.parameters("query") - NO_ID
        if operation.for_operators:
            query &= set(samples)
        assert query <= set(samples), (
            f"{operation.name}: say what of A's {query - set(samples)} name"
        )
        headers = operation.parameters("header") - NO_ID
        assert headers <= {"idempotency-key"}, f"{operation.name}: a sample of {headers}"
        arguments: dict[str, Any] = {
            "method": operation.method.upper(),
            "url": url,
            "params": {name: samples[name] for name in query},
            "headers": {"idempotency-key": f"once {operation.path}"} if headers else {},
        }
        if "requestBody" in operation.described:
            arguments["json"] = self.body(operation)
        return arguments

    def told(self, answer: httpx.Response, request: dict[str, Any]) -> list[str]:
        """Words of this tenant's that the answer holds and the request did not."""
        asked = json.dumps(request)
        answered = f"{answer.text} {answer.headers}"
        return [word for word in self.words if word in answered and word not in asked]

    async def kept(self, database: Database) -> dict[str, list[str]]:
        """Every row that any table keeps for this tenant."""
        rows_by_table: dict[str, list[str]] = {}
        async with database.begin() as connection:
            for name, table in metadata.tables.items():
                column = table.c.get("tenant_id", table.c.id if name == "tenants" else None)
                if column is not None:
                    rows = await connection.execute(select(table).where(column == self.id))
                    rows_by_table[name] = sorted(repr(row) for row in rows)
        return rows_by_table
