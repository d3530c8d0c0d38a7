"""Requests made from the OpenAPI document: whatever is sent, the answer is as it describes."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = pytest.mark.engine

EXAMPLES = 5
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = {"/v1/events/tail"}
"""Streams that go on until the caller has enough."""


async def test_every_operation_answers_as_described(app: FastAPI, url: str) -> None:
    """As the person at this machine, who is an operator too: every route is open to them."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    failures: list[str] = []
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in ENDLESS:
            tried += 1
            failures += await asyncio.to_thread(explore, operation, url)
    assert not failures, "\n\n".join(failures)
    assert tried > 40


def explore(operation: schemathesis.APIOperation, url: str) -> list[str]:
    """Send requests of all kinds to an operation; return what was wrong with the answers."""
    secret = {"secret": "a secret of this machine"}
    session = httpx.post(f"{url}/v1/sessions/local", json=secret).json()["token"]
    headers = {"authorization": f"Bearer {session}"}
    wrong: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def send(case: schemathesis.Case) -> None:
        response = case.call(base_url=url, headers=headers, timeout=20)
        try:
            case.validate_response(response, checks=CHECKS)
        except AssertionError as error:
            wrong.append(f"{operation.label}: {error}")
        except BaseExceptionGroup as errors:
            wrong.extend(f"{operation.label}: {error}" for error in errors.exceptions)

    send()
    return wrong
