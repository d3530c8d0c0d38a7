"""A create that is sent again makes nothing again."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.accounts.conftest import Headers

pytestmark = pytest.mark.engine


async def test_repeats_answer_what_the_first_made(api: httpx.AsyncClient, owner: Headers) -> None:
    headers = owner | {"idempotency-key": "once"}
    answers = await asyncio.gather(
        *(api.post("/v1/applications", headers=headers, json={"name": "New"}) for _ in range(4))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    listed = (await api.get("/v1/applications", headers=owner)).json()["items"]
    assert [application["name"] for application in listed] == ["Default", "New"]


async def test_another_request_under_the_same_key_is_a_conflict(
    api: httpx.AsyncClient, owner: Headers
) -> None:
    headers = owner | {"idempotency-key": "once"}
    await api.post("/v1/applications", headers=headers, json={"name": "New"})
    other = await api.post("/v1/applications", headers=headers, json={"name": "Newer"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")
    application = (await api.get("/v1/applications", headers=owner)).json()["items"][0]["id"]
    elsewhere = await api.post(
        "/v1/keys", headers=headers, json={"name": "New", "application_id": application}
    )
    assert elsewhere.status_code == 409


async def test_keys_of_two_tenants_do_not_meet(
    api: httpx.AsyncClient, owner: Headers, session: Headers
) -> None:
    answers = [
        await api.post(
            "/v1/applications", headers=headers | {"idempotency-key": "once"}, json={"name": name}
        )
        for headers, name in ((owner, "Mine"), (session, "Theirs"))
    ]
    assert [answer.status_code for answer in answers] == [201, 201]


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_key_has_a_length(api: httpx.AsyncClient, owner: Headers, key: str) -> None:
    refused = await api.post(
        "/v1/applications", headers=owner | {"idempotency-key": key}, json={"name": "New"}
    )
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "idempotency-key"
