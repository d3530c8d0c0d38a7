"""Requests made from the OpenAPI document: whatever is sent, the answer is as it describes."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

EXAMPLES = 5
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ENDLESS = {"/v1/events/tail", "/v1/usage/changes"}
"""Streams that go on until the caller has enough."""


async def test_every_operation_answers_as_described(app: FastAPI, url: str) -> None:
    """As the person at this machine, who is an operator too: every route is open to them."""
    schema = schemathesis.openapi.from_dict(app.openapi())
    failures: list[str] = []
    tried = 0
    async with httpx.AsyncClient(base_url=url) as person:
        with requests.Session() as connections:
            for result in schema.get_all_operations():
                operation = result.ok()
                if operation.path not in ENDLESS:
                    tried += 1
                    headers = await signed_in(person)
                    failures += await asyncio.to_thread(
                        explore, operation, url, headers, connections
                    )
    assert not failures, "\n\n".join(failures)
    assert tried > 40


async def signed_in(person: httpx.AsyncClient) -> dict[str, str]:
    """Headers of a new session, for an operation may have ended the one before."""
    secret = {"secret": "a secret of this machine"}
    answer = await person.post("/v1/sessions/local", json=secret)
    return {"authorization": f"Bearer {answer.json()['token']}"}


def explore(
    operation: schemathesis.APIOperation,
    url: str,
    headers: dict[str, str],
    connections: requests.Session,
) -> list[str]:
    """Send requests of all kinds to an operation; return what was wrong with the answers."""
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
        response = case.call(base_url=url, headers=headers, timeout=60, session=connections)
        try:
            case.validate_response(response, checks=CHECKS)
        except AssertionError as error:
            wrong.append(f"{operation.label}: {error}")
        except BaseExceptionGroup as errors:
            wrong.extend(f"{operation.label}: {error}" for error in errors.exceptions)

    send()
    return wrong
