"""Upstreams that the operator sets by the API: in use at once, and their keys shown to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, insert, select

from backend.kit.errors import SecretsKeyMissing
from backend.kit.sealing import Sealer
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import audit_entries, upstreams
from tests.gateway.conftest import Join, MakeKey
from tests.support.provider_double import ProviderDouble
from tests.support.waiting import until

pytestmark = pytest.mark.engine

SECRET = "their-key-0123456789"
SECRETS_KEY = "k" * 32


@pytest.fixture
def double() -> Iterator[ProviderDouble]:
    with ProviderDouble() as serving:
        yield serving


@pytest.fixture
def api_settings(api_settings: Settings) -> Settings:
    """No upstream of ``sample-small`` in the settings, and a key to seal with."""
    return api_settings.model_copy(
        update={"upstreams": api_settings.upstreams[:1], "secrets_key": SecretStr(SECRETS_KEY)}
    )


async def test_an_upstream_serves_from_when_it_is_set_until_it_is_deleted(
    api: httpx.AsyncClient,
    operator: dict[str, str],
    make_key: MakeKey,
    double: ProviderDouble,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = {"authorization": f"Bearer {await make_key()}"}

    async def ask() -> httpx.Response:
        asked = {"model": "sample-small", "messages": [{"role": "user", "content": "Hello"}]}
        return await api.post("/v1/chat/completions", headers=key, json=asked)

    async def put(body: dict[str, Any]) -> httpx.Response:
        terms = {"base_url": f"{double.url}/v1", "models": {"sample-small": "own"}}
        return await api.put("/v1/upstreams/main", headers=operator, json={**terms, **body})

    assert (await ask()).status_code == 404
    answer = await put({"keys": [{"secret": SECRET}], "priority": 3})
    assert answer.status_code == 200, answer.text
    assert answer.json()["keys"] == [{"environment": None, "last_four": "6789"}]
    assert (await ask()).status_code == 200
    assert double.asked[-1].headers["authorization"] == f"Bearer {SECRET}"

    # Without keys it keeps those that it has
    assert (await put({"weight": 2})).json()["keys"] == answer.json()["keys"]
    assert (await ask()).status_code == 200
    assert double.asked[-1].headers["authorization"] == f"Bearer {SECRET}"

    monkeypatch.setenv("FAREBOX_UPSTREAM_KEY_MAIN", "from-the-environment")
    named = await put({"keys": [{"environment": "FAREBOX_UPSTREAM_KEY_MAIN"}]})
    assert named.json()["keys"][0]["environment"] == "FAREBOX_UPSTREAM_KEY_MAIN"
    assert (await ask()).status_code == 200
    assert double.asked[-1].headers["authorization"] == "Bearer from-the-environment"

    listed = (await api.get("/v1/upstreams", headers=operator)).json()["items"]
    assert [(each["name"], each["source"]) for each in listed] == [
        ("local", "settings"),
        ("main", "database"),
    ]
    async with database.begin() as connection:
        rows = (await connection.execute(select(upstreams))).mappings().all()
        entries = (await connection.execute(select(audit_entries))).mappings().all()
    for shown in (answer.text, str(listed), str(rows), str(entries)):
        assert SECRET not in shown
    acts = [entry["action"] for entry in entries if entry["target"] == "main"]
    assert acts == ["upstream.set"] * 3

    gone = await api.delete("/v1/upstreams/main", headers=operator)
    assert gone.status_code == 204
    assert (await ask()).status_code == 404
    again = await api.delete("/v1/upstreams/main", headers=operator)
    assert (again.status_code, again.json()["code"]) == (404, "upstream_not_found")


async def test_kept_keys_go_to_no_other_address_than_they_were_given_for(
    api: httpx.AsyncClient, operator: dict[str, str]
) -> None:
    async def put(base_url: str, **more: Any) -> httpx.Response:
        body = {"base_url": base_url, "models": ["sample-small"], **more}
        return await api.put("/v1/upstreams/main", headers=operator, json=body)

    assert (await put("https://a.example/v1", keys=[{"secret": SECRET}])).status_code == 200
    others = ("https://b.example/v1", "http://a.example/v1", "https://a.example/other")
    for other in others:
        refused = await put(other)
        assert (refused.status_code, refused.json()["code"]) == (422, "upstream_keys_needed")
        assert refused.json()["errors"][0]["field"] == "keys"
    kept = (await api.get("/v1/upstreams/main", headers=operator)).json()
    assert kept["base_url"] == "https://a.example/v1"
    assert (await put("https://a.example/v1/", weight=2)).status_code == 200  # the same address

    # Without keys there is nothing to lose
    assert (await put("https://b.example/v1", keys=[])).json()["keys"] == []
    assert (await put("https://c.example/v1")).status_code == 200
    variable = [{"environment": "FAREBOX_UPSTREAM_KEY_MAIN"}]
    assert (await put("https://c.example/v1", keys=variable)).status_code == 200
    assert (await put("https://d.example/v1")).json()["code"] == "upstream_keys_needed"
    assert (await put("https://d.example/v1", keys=variable)).status_code == 200


async def test_what_can_not_be_set_is_refused_and_names_the_member(
    api: httpx.AsyncClient, operator: dict[str, str], join: Join
) -> None:
    owner = await join("free")
    good = {"base_url": "https://x.example/v1", "models": ["sample-small"]}

    async def put(name: str, body: dict[str, Any], by: dict[str, str] = operator) -> httpx.Response:
        return await api.put(f"/v1/upstreams/{name}", headers=by, json=body)

    for wrong, member in (
        ({"base_url": "file:///etc/passwd"}, "base_url"),
        ({"keys": [{"environment": "DATABASE_URL"}]}, "keys"),
        ({"keys": [{}]}, "keys"),
        ({"keys": [{"secret": "pasted\u200b-key"}]}, "keys"),
        ({"keys": [{"secret": "two\nlines"}]}, "keys"),
        ({"rules": {"force": {"model": "dear"}}}, "rules"),
        ({"priorty": 1}, "priorty"),
    ):
        answer = await put("main", {**good, **wrong})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["field"].startswith(member)
    assert (await put("local", good)).json()["code"] == "upstream_in_settings"
    assert (await put("a name", good)).status_code == 422
    assert (await put("main", good, owner)).status_code == 403
    assert (await api.get("/v1/upstreams", headers=owner)).status_code == 403
    assert (await api.get("/v1/upstreams/none", headers=operator)).status_code == 404


async def test_one_upstream_that_can_not_be_read_takes_no_other_with_it(
    api: httpx.AsyncClient,
    operator: dict[str, str],
    make_key: MakeKey,
    double: ProviderDouble,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAREBOX_UPSTREAM_KEY_SIGNS", "no-id-and-secret")
    monkeypatch.setenv("FAREBOX_UPSTREAM_KEY_SENT", "pasted\u200b-key")
    elsewhere = {"base_url": "https://x.example", "models": {"sample-small": "x"}}
    signed = {**elsewhere, "aws_signature": {"region": "eu-west-1", "service": "bedrock"}}
    rows = [
        {"name": "newer", "terms": {**elsewhere, "unheard_of": 1}, "keys": []},
        {"name": "sealed", "terms": elsewhere, "keys": [{"sealed": "by another key"}]},
        {"name": "vaulted", "terms": elsewhere, "keys": [{"vault": "of a newer Farebox"}]},
        {
            "name": "pasted",
            "terms": elsewhere,
            "keys": [{"environment": "FAREBOX_UPSTREAM_KEY_SENT"}],
        },
        {
            "name": "signs",
            "terms": signed,
            "keys": [{"environment": "FAREBOX_UPSTREAM_KEY_SIGNS"}],
        },
    ]
    async with database.begin() as connection:
        for row in rows:
            await connection.execute(insert(upstreams).values(**row, changed_at=func.now()))
    terms = {"base_url": f"{double.url}/v1", "models": ["sample-small"]}
    await api.put("/v1/upstreams/main", headers=operator, json=terms)
    key = {"authorization": f"Bearer {await make_key()}"}
    asked = {"model": "sample-small", "messages": [{"role": "user", "content": "Hello"}]}
    answer = await api.post("/v1/chat/completions", headers=key, json=asked)
    assert answer.status_code == 200, answer.text


async def test_upstreams_are_read_on_after_a_fault_that_nobody_foresaw(
    app: FastAPI,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = app.state.services.gateway
    usual, failures = gateway.read_upstreams, list[str]()

    async def fails_once() -> None:
        if not failures:
            failures.append("")
            raise LookupError("a fault of ours")
        await usual()

    monkeypatch.setattr(gateway, "read_upstreams", fails_once)

    async def has_failed() -> bool:
        return bool(failures)

    await until(has_failed)
    terms = {"base_url": "https://x.example", "models": {"sample-small": "x"}}
    async with database.begin() as connection:
        row = {"name": "later", "terms": terms, "keys": [], "changed_at": func.now()}
        await connection.execute(insert(upstreams).values(row))

    async def is_noticed() -> bool:
        return bool(gateway._targets.serves("sample-small"))

    await until(is_noticed)


@pytest.mark.fast
def test_a_sealed_key_opens_for_its_upstream_and_by_its_key_alone() -> None:
    old, new = SecretStr("o" * 32), SecretStr("n" * 32)
    sealed = Sealer(old).seal("main", SECRET)
    assert SECRET not in sealed
    assert Sealer(old).open("main", sealed) == SECRET
    assert Sealer(old).open("other", sealed) is None
    assert Sealer(new).open("main", sealed) is None
    both = SecretStr(f"{new.get_secret_value()} {old.get_secret_value()}")
    assert Sealer(both).open("main", sealed) == SECRET
    assert Sealer(old).open("main", sealed[:-2] + "xx") is None
    assert Sealer(old).open("main", "") is None
    with pytest.raises(SecretsKeyMissing):
        Sealer(None).seal("main", SECRET)
