"""Imports through the API, held against rollups that were counted from events."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from backend.metering.counting.batches import count_events
from backend.metering.events import AcceptedEvent
from backend.storage.database import Database
from tests.metering.reconciliation.exports import (
    ANTHROPIC_COST,
    DAY_ONE,
    anthropic_report,
    openai_costs,
    openai_usage,
)

pytestmark = pytest.mark.engine

Headers = dict[str, str]
NOON = datetime.fromtimestamp(DAY_ONE, UTC) + timedelta(hours=12)
EARLIER_HASH = "e679585cc5ffe85f103f2fadbd7281228f3f451e1dce0224c3e49a2b4a059965"
"""Of the same file and options, as the first version computed it."""
OPTIONS: dict[str, Any] = {"provider": "openai", "models": {"gpt-4o": "sample-large"}}


def event(number: int, **changed: Any) -> AcceptedEvent:
    values: dict[str, Any] = {
        "tenant_id": "ten_a",
        "source": "test",
        "id": str(number),
        "time": NOON,
        "received_at": NOON,
        "application_id": "app_a",
        "model": "sample-large",
        "quantities": {
            "requests": Decimal(1),
            "input_tokens": Decimal(40),
            "cached_input_tokens": Decimal(160),
            "output_tokens": Decimal(70),
            "reasoning_tokens": Decimal(30),
        },
    }
    return AcceptedEvent(**{**values, **changed})


@pytest.fixture
async def metered(database: Database) -> Database:
    """Five calls of two tenants, which make what the page of the usage API says; and a sample's."""
    async with database.raw() as connection:
        await connection.execute(
            "INSERT INTO tenants (id, slug, name, is_sample) VALUES ('ten_a', 'a', 'A', false),"
            " ('ten_b', 'b', 'B', false), ('ten_s', 's', 'S', true)"
        )
        calls = [event(number) for number in range(3)]
        calls += [event(number, tenant_id="ten_b") for number in range(3, 5)]
        calls += [event(9, tenant_id="ten_s"), event(10, model="sample-small")]
        await count_events(connection, calls)
    return database


async def send(
    api: httpx.AsyncClient, headers: Headers, content: Any, **options: Any
) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await api.post(
        "/v1/reconciliations",
        headers=headers,
        params={"options": json.dumps(OPTIONS | options), "name": "usage.json"},
        content=body,
    )


async def found(
    api: httpx.AsyncClient, headers: Headers, reconciliation: dict[str, Any], **params: Any
) -> list[dict[str, Any]]:
    answer = await api.get(
        f"/v1/reconciliations/{reconciliation['id']}/discrepancies", headers=headers, params=params
    )
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_an_export_that_agrees_leaves_nothing_open(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    answer = await send(api, operator, openai_usage({}))
    assert answer.status_code == 201, answer.text
    reconciliation = answer.json()
    # Four meters: reasoning counts as output, the sample tenant's and the other model's do not.
    assert (reconciliation["matched"], reconciliation["open"], reconciliation["entries"]) == (
        4,
        0,
        4,
    )
    assert (reconciliation["format"], reconciliation["first_day"], reconciliation["last_day"]) == (
        "openai-usage-json",
        "2025-10-05",
        "2025-10-05",
    )
    assert {
        total["meter"]: (total["provider"], total["metered"]) for total in reconciliation["totals"]
    } == {
        "requests": ("5", "5"),
        "input_tokens": ("200", "200"),
        "cached_input_tokens": ("800", "800"),
        "output_tokens": ("500", "500"),
    }


async def test_the_same_import_again_is_the_one_that_was(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    first = await send(api, operator, openai_usage({}))
    again = await send(api, operator, openai_usage({}))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    other = await send(api, operator, openai_usage({}), tolerance={"relative": "0"})
    assert other.status_code == 201
    listed = await api.get("/v1/reconciliations", headers=operator, params={"limit": 1})
    assert [reconciliation["id"] for reconciliation in listed.json()["items"]] == [
        other.json()["id"]
    ]
    cursor = {"cursor": listed.json()["next_cursor"]}
    rest = await api.get("/v1/reconciliations", headers=operator, params=cursor)
    assert [reconciliation["id"] for reconciliation in rest.json()["items"]] == [first.json()["id"]]


async def test_the_same_import_at_the_same_time_is_one(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    page = openai_usage({}, {"model": "other"})
    answers = await asyncio.gather(*(send(api, operator, page) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert {answer.json()["open"] for answer in answers} == {4}


async def test_two_providers_of_one_model_are_held_against_their_own_usage(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    """Azure served as much again, and a model that its export does not have."""
    async with metered.raw() as connection:
        azure = [event(number, id=f"azure-{number}", upstream="azure") for number in range(5)]
        other = event(
            6, upstream="azure", model="sample-small", quantities={"requests": Decimal(1)}
        )
        await count_events(connection, [*azure, other])
    # What names no upstream may be anybody's: it is compared unless told otherwise
    azure_too = (await send(api, operator, openai_usage({}), provider="azure")).json()
    requests = {total["metered"] for total in azure_too["totals"] if total["meter"] == "requests"}
    assert (requests, azure_too["upstreams"]) == ({"11"}, ["azure"])
    answer = await send(api, operator, openai_usage({}), provider="azure", upstreams=["azure"])
    azure_only = answer.json()
    [difference] = await found(api, operator, azure_only)
    assert (azure_only["matched"], difference["model"], difference["cause"]) == (
        4,
        "sample-small",
        "metered_only",
    )
    openai = (await send(api, operator, openai_usage({}), upstreams=[""])).json()
    assert (openai["matched"], openai["open"], openai["upstreams"]) == (4, 0, [])
    # A provider that is the name of no upstream: nothing says whose the usage is
    everything = (await send(api, operator, openai_usage({}))).json()
    assert (everything["matched"], everything["open"]) == (0, 4)
    assert everything["upstreams"] == ["azure"]


async def test_models_of_other_providers_in_the_options_are_not_compared(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    """One file of options, for the exports of several providers."""
    models = {"gpt-4o": "sample-large", "claude-sonnet-4-5": "sample-small"}
    shared = (await send(api, operator, openai_usage({}), models=models)).json()
    assert (shared["matched"], shared["open"]) == (4, 0)


async def test_an_import_from_before_an_option_was_added_is_still_the_same(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    answer = await send(api, operator, openai_usage({}))
    assert answer.json()["content_hash"] == EARLIER_HASH


async def test_a_discrepancy_is_explained_and_settled(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    twice = {"input_tokens": 2000, "input_cached_tokens": 1600, "output_tokens": 1000}
    page = openai_usage({**twice, "num_model_requests": 10})
    reconciliation = (await send(api, operator, page)).json()
    assert (reconciliation["matched"], reconciliation["open"]) == (0, 4)
    items = await found(api, operator, reconciliation)
    assert {item["cause"] for item in items} == {"missing_events"}
    discrepancy = next(item for item in items if item["meter"] == "output_tokens")
    assert (discrepancy["provider"], discrepancy["metered"], discrepancy["difference"]) == (
        "1000",
        "500",
        "500",
    )
    place = f"/v1/reconciliations/{reconciliation['id']}/discrepancies/{discrepancy['id']}"
    wrong = await api.patch(place, headers=operator, json={"status": "closed", "note": "x"})
    empty = await api.patch(place, headers=operator, json={"status": "accepted", "note": " "})
    assert (wrong.status_code, empty.status_code) == (422, 422)
    change = {"status": "explained", "note": "The worker of the second region was down."}
    changed = (await api.patch(place, headers=operator, json=change)).json()
    assert changed["status"] == "explained"
    assert changed["notes"][0]["text"] == change["note"]
    assert changed["notes"][0]["actor"]
    assert len(await found(api, operator, reconciliation, status="open")) == 3

    async with metered.raw() as connection:
        await count_events(connection, [event(number) for number in range(20, 25)])
    again = await api.post(f"/v1/reconciliations/{reconciliation['id']}/match", headers=operator)
    outcome = again.json()
    assert (outcome["matched"], outcome["open"], outcome["explained"]) == (4, 0, 1)
    settled = await found(api, operator, reconciliation)
    assert [(item["id"], item["cause"], item["difference"]) for item in settled] == [
        (discrepancy["id"], "settled", "0")
    ]


async def test_calls_that_failed_here_explain_as_many_more_there(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    async with metered.raw() as connection:
        failed = [event(number, quantities={"requests": Decimal(0)}) for number in range(30, 33)]
        await count_events(connection, failed)
    page = openai_usage({"num_model_requests": 8, "input_tokens": 1120})
    reconciliation = (await send(api, operator, page)).json()
    items = await found(api, operator, reconciliation)
    assert {item["meter"]: item["cause"] for item in items} == {
        "requests": "retries_billed_twice",
        "input_tokens": "retries_billed_twice",
    }


async def test_discrepancies_are_csv_and_pages(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    page = openai_usage({"model": "=vendor"}, {"input_tokens": 5000})
    reconciliation = (await send(api, operator, page)).json()
    place = f"/v1/reconciliations/{reconciliation['id']}/discrepancies"
    csv = await api.get(place, headers=operator, params={"format": "csv"})
    assert csv.headers["content-type"].startswith("text/csv")
    lines = csv.text.splitlines()
    assert lines[0].startswith("day,model,meter,kind,currency,provider,metered,difference,cause")
    assert lines[1].startswith("2025-10-05,'=vendor,cached_input_tokens,quantity,,800,0,800,")
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = (await api.get(place, headers=operator, params=params)).json()
        seen += [item["id"] for item in answer["items"]]
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == len(lines) - 1 == reconciliation["open"]


async def test_costs_are_held_against_list_prices_and_the_operators_own(
    api: httpx.AsyncClient, operator: Headers, metered: Database, app: Any, tmp_path: Any
) -> None:
    # gpt-4o lists 2.50 for a million fresh tokens: 200 of them cost 0.0005.
    lines = [
        {"line_item": "gpt-4o-2024-08-06, input", "amount": {"value": 0.0005, "currency": "usd"}},
        {"line_item": "gpt-4o-2024-08-06, output", "amount": {"value": 0.1, "currency": "usd"}},
    ]
    exact = {"amount": "0"}
    reconciliation = (await send(api, operator, openai_costs(*lines), tolerance=exact)).json()
    assert (reconciliation["billed"], reconciliation["expected"], reconciliation["currency"]) == (
        "0.1005",
        "0.0055",
        "USD",
    )
    items = await found(api, operator, reconciliation)
    assert [(item["meter"], item["kind"], item["cause"]) for item in items] == [
        ("output_tokens", "amount", "rate_change")
    ]
    assert items[0]["currency"] == "USD"

    rates = tmp_path / "rates.yaml"
    rates.write_text(
        "currency: USD\nrates:\n"
        "  - {model: sample-large, meter: output_tokens, price: 0.0002, unit_size: 1}\n"
        "  - {model: sample-large, meter: output_tokens, price: 9, from: 2026-01-01}\n"
    )
    app.state.services.settings.cost_rates = rates
    again = await api.post(f"/v1/reconciliations/{reconciliation['id']}/match", headers=operator)
    assert (again.json()["open"], again.json()["expected"]) == (0, "0.1005")


@pytest.mark.parametrize(
    ("content", "options", "field"),
    [
        (openai_usage({"input_tokens": -5}), {}, "data[0].results[0].input_tokens"),
        (b"a,b\n", {}, "line 1"),
        (openai_usage({}), {"time_zone": "Mars/Olympus"}, "options.time_zone"),
        (openai_usage({}), {"mapping": {"day": "a", "model": "b"}}, "options.mapping"),
        (openai_usage({}), {"surprise": 1}, "options.surprise"),
        (openai_usage({}), {"time_zone": "Europe/Berlin"}, "data[0].start_time"),
    ],
)
async def test_what_can_not_be_read_is_refused_whole(
    api: httpx.AsyncClient, operator: Headers, content: Any, options: dict[str, Any], field: str
) -> None:
    answer = await send(api, operator, content, **options)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    listed = await api.get("/v1/reconciliations", headers=operator)
    assert listed.json()["items"] == []


async def test_a_removed_import_leaves_everything_as_it_was_before_it(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    kept = (await send(api, operator, openai_usage({}))).json()

    async def seen() -> list[Any]:
        """What an import could have changed: the other imports, drift, usage and margin."""
        other = await found(api, operator, kept)
        paths = ("/v1/reconciliations", "/v1/drift", "/v1/margin?at=2025-10-05T12:00:00Z")
        answers = [(await api.get(path, headers=operator)).json() for path in paths]
        async with metered.raw() as connection:
            rows = await connection.fetch("SELECT rollups::text FROM rollups ORDER BY 1")
        return [other, answers, rows]

    before = await seen()
    page = openai_usage({}, {"model": "other"})
    wrong = (await send(api, operator, page)).json()
    at = f"/v1/reconciliations/{wrong['id']}"
    [first, *_] = await found(api, operator, wrong)
    note = {"status": "explained", "note": "the wrong file"}
    await api.patch(f"{at}/discrepancies/{first['id']}", headers=operator, json=note)
    assert await seen() != before

    assert (await api.delete(at, headers=operator)).status_code == 204
    assert await seen() == before
    for answer in (await api.get(at, headers=operator), await api.delete(at, headers=operator)):
        assert (answer.status_code, answer.json()["code"]) == (404, "reconciliation_not_found")
    async with metered.raw() as connection:
        left = await connection.fetchval(
            "SELECT count(*) FROM provider_entries WHERE reconciliation_id = $1", wrong["id"]
        )
    assert left == 0
    audit = (await api.get("/v1/operator-audit", headers=operator)).json()["items"]
    acts = {(entry["action"], entry["target"]): entry["detail"] for entry in audit}
    assert acts["reconciliation.create", wrong["id"]]["provider"] == "openai"
    assert acts["reconciliation.remove", wrong["id"]]["discrepancies"] == {
        "explained": 1,
        "open": wrong["open"] - 1,
    }

    again = await send(api, operator, page)
    assert (again.status_code, again.json()["open"]) == (201, wrong["open"])
    assert again.json()["id"] != wrong["id"]


async def test_amounts_keep_their_tier_when_they_are_matched_again(
    api: httpx.AsyncClient, operator: Headers, metered: Database
) -> None:
    """Half a batch, half not, of the input of five calls: 100 tokens at 3 and at 1.5 a million."""
    lines = [
        ANTHROPIC_COST | {"amount": "0.03"},
        ANTHROPIC_COST | {"amount": "0.015", "service_tier": "batch"},
    ]
    options = {
        "provider": "anthropic",
        "models": {"claude-sonnet-4-5": "sample-large"},
        "tolerance": {"relative": "0", "amount": "0"},
    }
    answer = await send(api, operator, anthropic_report(*lines), **options)
    assert answer.status_code == 201, answer.text
    at = f"/v1/reconciliations/{answer.json()['id']}"
    for reconciliation in (answer, await api.post(f"{at}/match", headers=operator)):
        compared = reconciliation.json()
        assert (compared["matched"], compared["open"]) == (1, 0)
        assert compared["billed"] == compared["expected"] == "0.00045"


async def test_none_of_it_is_a_tenants(
    api: httpx.AsyncClient, operator: Headers, session: Headers, metered: Database
) -> None:
    application = (await api.get("/v1/applications", headers=session)).json()["items"][0]["id"]
    answer = await api.post(
        "/v1/keys", headers=session, json={"name": "own", "application_id": application}
    )
    key = {"authorization": f"Bearer {answer.json()['secret']}"}
    reconciliation = (await send(api, operator, openai_usage({}, {"model": "x"}))).json()
    discrepancy = (await found(api, operator, reconciliation))[0]["id"]
    base = f"/v1/reconciliations/{reconciliation['id']}"
    change = {"status": "accepted", "note": "mine"}
    answers = [
        await send(api, key, openai_usage({})),
        await api.get("/v1/reconciliations", headers=key),
        await api.get(base, headers=key),
        await api.post(f"{base}/match", headers=key),
        await api.get(f"{base}/discrepancies", headers=key),
        await api.patch(f"{base}/discrepancies/{discrepancy}", headers=key, json=change),
        await api.delete(base, headers=key),
    ]
    assert {answer.status_code for answer in answers} == {403}
    nothing = await api.get("/v1/reconciliations/rec_none", headers=operator)
    no_discrepancy = await api.patch(
        f"{base}/discrepancies/dsc_none", headers=operator, json=change
    )
    assert (nothing.status_code, no_discrepancy.status_code) == (404, 404)
