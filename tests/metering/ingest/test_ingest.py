"""What ingest takes, what it refuses, and what it says of it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.metering.events import decode
from backend.metering.ingest.parsing import read_document, read_json, read_member
from backend.metering.ingest.plain_events import SentEvent
from backend.metering.ingest.streams import events_subject
from backend.metering.refusals.refusal import Refusal
from backend.settings import Settings
from backend.storage.database import Database
from tests.support.examples import examples
from tests.support.tenants import Headers, SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine


@pytest.fixture
async def tenant(app: object, database: Database) -> SampleTenant:
    return await sample_tenant(database)


@pytest.fixture
async def published(app: Any, api_settings: Settings) -> Any:
    """Reads what ingest has put on the stream, in place of a worker."""
    js = await app.state.services.stream.jetstream()
    subject = events_subject(api_settings.stream_name)
    subscription = await js.pull_subscribe(subject, durable="test")

    async def read() -> list[Any]:
        messages = await subscription.fetch(20, timeout=1)
        return [event for message in messages for event in decode(message.data)]

    return read


async def send(
    api: httpx.AsyncClient, headers: Headers, body: object, **more: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await api.post("/v1/events", headers=headers | more, content=content)


def errors(answer: httpx.Response) -> list[tuple[int, str | None]]:
    assert answer.status_code == 202, answer.text
    return [(error["index"], error["field"]) for error in answer.json()["errors"]]


async def test_bad_members_are_named_and_keep_nothing_else_out(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    now = datetime.now(UTC)
    members: list[Any] = [
        tenant.event("good-1"),
        tenant.event("bad", subject="ten_of_another"),
        tenant.event("bad", data__application="app_unknown"),
        tenant.event("bad", time=(now + timedelta(hours=1)).isoformat()),
        tenant.event("bad", time=(now - timedelta(days=500)).isoformat()),
        tenant.event("bad", time="2026-01-01T00:00:00"),
        tenant.event("bad", time="0001-01-01T00:00:00+14:00"),  # not a moment of UTC's calendar
        tenant.event("bad", time="9999-12-31T23:59:59-14:00"),
        tenant.event("bad", data__quantities={"requests": -1}),
        tenant.event("bad", data__quantities={"requests": "NaN"}),
        tenant.event("bad", data__quantities={"requests": "Infinity"}),
        tenant.event("bad", data__quantities={"requests": 1e30}),
        tenant.event("bad", data__quantities={"requests": "1e999999999"}),
        tenant.event("bad", data__quantities={"requests": "1e-999999999"}),
        tenant.event("bad", data__quantities={"requests": "0.0000000001"}),
        tenant.event("bad", data__quantities={}),
        tenant.event("bad", data__quantities={"Requests!": 1}),
        tenant.event("bad", data__labels={"note": "a\u0000b"}),
        tenant.event("bad", source=""),
        tenant.event("bad", source="line\nbreak"),
        tenant.event("bad", surprise={}),
        tenant.event("bad", type="another.type"),
        {"specversion": "1.0"},
        17,
        tenant.event("good-2", time=None, subject=None),
    ]
    answer = await send(api, tenant.headers, members)
    assert errors(answer) == [
        (1, "subject"),
        (2, "data.application"),
        (3, "time"),
        (4, "time"),
        (5, "time"),
        (6, "time"),
        (7, "time"),
        (8, "data.quantities.requests"),
        (9, "data.quantities.requests"),
        (10, "data.quantities.requests"),
        (11, "data.quantities.requests"),
        (12, "data.quantities.requests"),
        (13, "data.quantities.requests"),
        (14, "data.quantities.requests"),
        (15, "data.quantities"),
        (16, "data.quantities.Requests!.[key]"),
        (17, "data.labels.note"),
        (18, "source"),
        (19, "source"),
        (20, "surprise"),
        (21, "type"),
        (22, "id"),
        (23, None),
    ]
    assert answer.json()["accepted"] == 2
    assert [event.id for event in await published()] == ["good-1", "good-2"]


async def test_decimals_keep_every_digit(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    numbers = {
        "plain": "0.1",
        "long": "123456789012345678901.123456789",
        "whole": "123456789012345678901",
        "tiny": "0.000000001",
        "exponent": "1.5e3",
    }
    bare = ", ".join(f'"{name}": {number}' for name, number in numbers.items())
    event = json.dumps(tenant.event("bare", data__quantities={})).replace(
        '"quantities": {}', f'"quantities": {{{bare}}}'
    )
    as_text = tenant.event("text", data__quantities=numbers)
    body = f"[{event}, {json.dumps(as_text)}]".encode()
    assert errors(await send(api, tenant.headers, body)) == []
    for stored in await published():
        assert stored.quantities == {name: Decimal(value) for name, value in numbers.items()}


async def test_nothing_written_as_a_power_of_ten_is_set_aside_later(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    odd = ["0e999999999", "0e-999999999", "-0", "1e20", "100e-9"]
    sent = [tenant.event(number, data__quantities={"requests": number}) for number in odd]
    assert errors(await send(api, tenant.headers, sent)) == []
    stored = [event.quantities["requests"] for event in await published()]
    assert list(map(str, stored)) == ["0", "0", "0", "1E+20", "1.00E-7"]


async def test_a_member_that_is_no_json_keeps_no_other_out(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    good = [json.dumps(tenant.event(name)) for name in ("1", "2")]
    nan = json.dumps(tenant.event("bad", data__quantities={"requests": float("nan")}))
    half = json.dumps(tenant.event("bad", data__labels={"note": "cut \ud83d"}))
    answer = await send(api, tenant.headers, f"[{good[0]},{nan},{half},{good[1]}]".encode())
    assert errors(answer) == [(1, None), (2, None)]
    assert [event.id for event in await published()] == ["1", "2"]


async def test_a_repeated_event_is_told_as_a_duplicate(
    api: httpx.AsyncClient, tenant: SampleTenant, worker: None
) -> None:
    first = await send(api, tenant.headers, [tenant.event("1"), tenant.event("1")])
    assert first.json() | {"errors": None} == {
        "received": 2,
        "accepted": 1,
        "duplicates": 1,
        "conflicts": 0,
        "rejected": 0,
        "errors": None,
    }

    async def told_as_known() -> bool:
        answer = await send(api, tenant.headers, [tenant.event("1"), tenant.event("2")])
        return bool(answer.json()["duplicates"] == 2)

    await until(told_as_known)


async def test_lines_are_taken_one_by_one(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    lines = [
        json.dumps(tenant.event("1")).encode(),
        b"",
        b"{ not json",
        json.dumps(tenant.event("2")).encode() + b"\r",
        b"\xff\xfe",
    ]
    kind = {"content-type": "application/x-ndjson"}
    answer = await api.post("/v1/events", headers=tenant.headers | kind, content=b"\n".join(lines))
    assert errors(answer) == [(1, None), (3, None)]
    assert [event.id for event in await published()] == ["1", "2"]


async def test_gzip_is_unpacked_within_bounds(
    api: httpx.AsyncClient, api_settings: Settings, tenant: SampleTenant, published: Any
) -> None:
    packed = {"content-encoding": "gzip"}
    body = gzip.compress(json.dumps([tenant.event("1")]).encode())
    assert errors(await send(api, tenant.headers, body, **packed)) == []
    assert [event.id for event in await published()] == ["1"]

    members = json.dumps([tenant.event("2"), tenant.event("3")]).encode()
    several = b"".join(gzip.compress(members[at : at + 50]) for at in range(0, len(members), 50))
    assert errors(await send(api, tenant.headers, several, **packed)) == []
    assert [event.id for event in await published()] == ["2", "3"]

    bomb = gzip.compress(b" " * (api_settings.max_body_bytes + 1))
    assert len(bomb) < 20_000
    assert (await send(api, tenant.headers, bomb, **packed)).status_code == 413
    halves = gzip.compress(b" " * (api_settings.max_body_bytes // 2 + 1)) * 2
    assert (await send(api, tenant.headers, halves, **packed)).status_code == 413
    for broken in (body[:-9], b"no gzip at all", body + b"more", body + body[:-9]):
        answer = await send(api, tenant.headers, broken, **packed)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")
    other = await send(api, tenant.headers, body, **{"content-encoding": "br"})
    assert other.status_code == 415


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"not json", 400),
        (b'[{"id": "1"}', 400),
        (b"[" * 100_000, 400),
        (b"[]", 202),
        (b"[" + b",".join([b"{}"] * 10_001) + b"]", 413),
    ],
    ids=["empty", "words", "cut short", "deep", "none", "too many"],
)
async def test_bodies_that_are_no_batch(
    api: httpx.AsyncClient, tenant: SampleTenant, body: bytes, status: int
) -> None:
    answer = await send(api, tenant.headers, body)
    assert answer.status_code == status, answer.text


async def test_a_body_of_another_kind_is_told_so(
    api: httpx.AsyncClient, tenant: SampleTenant
) -> None:
    answer = await send(api, tenant.headers, b"<event/>", **{"content-type": "text/xml"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_type")


async def test_one_event_in_binary_mode_and_bodies_with_parameters(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    event = tenant.event("1")
    in_headers = {
        f"ce-{name}": value
        for name, value in event.items()
        if name not in ("data", "datacontenttype")
    } | {"ce-traceparent": "00-4b", "content-type": "application/json"}
    assert errors(await send(api, tenant.headers, event["data"], **in_headers)) == []
    answer = await send(api, tenant.headers, event["data"], **in_headers | {"ce-time": "today"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "time")
    for place, content_type in enumerate(
        (
            "application/cloudevents+json; charset=UTF-8",
            'application/cloudevents-batch+json;charset="utf-8"',
            "application/json; profile=x; charset=us-ascii",
        )
    ):
        # Headers in this mode say nothing of the event
        sent = in_headers if content_type.startswith("application/cloudevents") else {}
        body = (
            [tenant.event(f"body-{place}")]
            if "batch" in content_type
            else tenant.event(f"body-{place}")
        )
        answer = await send(api, tenant.headers, body, **sent | {"content-type": content_type})
        assert errors(answer) == []
    assert sorted([event.id for event in await published()]) == ["1", "body-0", "body-1", "body-2"]
    latin = {"content-type": "application/cloudevents+json; charset=iso-8859-1"}
    answer = await send(api, tenant.headers, event, **latin)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_content_type")


async def test_a_single_event_that_is_refused_does_not_look_like_success(
    api: httpx.AsyncClient, tenant: SampleTenant, published: Any
) -> None:
    wrong = tenant.event("1", data__quantities={})
    for body in (wrong, b"\xef\xbb\xbf " + json.dumps(wrong).encode(), 17):
        answer = await send(api, tenant.headers, body)
        assert (answer.status_code, answer.json()["code"]) == (422, "events_refused")
    assert answer.json()["errors"] == [{"field": "event", "detail": "is not an object"}]
    # In an array or NDJSON others may be with it, so that the verdict is a list
    for body in ([wrong], b" \n[" + json.dumps(wrong).encode() + b"]"):
        assert errors(await send(api, tenant.headers, body)) == [(0, "data.quantities")]
    lines = {"content-type": "application/x-ndjson"}
    answer = await send(api, tenant.headers, wrong, **lines)
    assert errors(answer) == [(0, "data.quantities")]
    assert errors(await send(api, tenant.headers, tenant.event("good"))) == []
    assert [event.id for event in await published()] == ["good"]


async def test_a_key_writes_for_its_own_tenant_and_application_alone(
    api: httpx.AsyncClient, database: Database, tenant: SampleTenant, operator: Headers
) -> None:
    other = await sample_tenant(database, "other")
    stolen = await send(api, tenant.headers, [other.event("1"), other.event("2", subject=None)])
    assert errors(stolen) == [(0, "subject"), (1, "data.application")]
    by_slug = [tenant.event("1", subject="sample"), other.event("1", subject="other")]
    assert errors(await send(api, operator, by_slug)) == []
    assert errors(await send(api, operator, [tenant.event("2", subject=None)])) == [(0, "subject")]


async def test_a_tenant_made_just_now_may_be_written_for(
    api: httpx.AsyncClient, database: Database, operator: Headers
) -> None:
    early: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "test", "type": "ai.usage"}
    early |= {
        "subject": "later",
        "data": {"application": "x", "model": "m", "quantities": {"a": 1}},
    }
    assert errors(await send(api, operator, [early])) == [(0, "subject")]
    later = await sample_tenant(database, "later")
    assert errors(await send(api, operator, [later.event("1", subject="later")])) == []


async def test_a_full_stream_is_told_and_nothing_is_dropped(
    api_settings: Settings, database: Database
) -> None:
    from backend.api.app import create_app

    small = api_settings.model_copy(update={"stream_max_bytes": 4096, "stream_name": "SMALL"})
    app = create_app(small)
    async with app.router.lifespan_context(app):
        tenant = await sample_tenant(database)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://api") as api:
            answers = [
                await send(api, tenant.headers, [tenant.event(f"{batch}-{n}") for n in range(5)])
                for batch in range(12)
            ]
        js = await app.state.services.stream.jetstream()
        stored = (await js.stream_info("SMALL")).state.messages
        await js.delete_stream("SMALL")
        await js.delete_stream("SMALL_DEAD")
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {202, 429}
    assert stored == statuses.count(202)
    refused = answers[-1]
    assert refused.json()["code"] == "queue_full"
    assert int(refused.headers["retry-after"]) >= 1


ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**31),
    st.decimals(-1, 10**22, allow_nan=False).map(str),
    st.sampled_from(
        ["NaN", "sNaN", "-Infinity", "0e999999999", "1e999999999", "1_0", "\u0663", ""]
    ),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=14))])).map(str),
    st.text(max_size=5),
    st.text(min_size=199, max_size=201),
    st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.integers(), max_size=3),
    st.lists(st.integers(), max_size=2),
)
PLACES = [
    *((name,) for name in ("id", "source", "subject", "type", "specversion", "time", "data", "x")),
    *(("data", name) for name in ("application", "model", "key", "labels", "counted", "x")),
    ("data", "quantities"),
    ("data", "quantities", "requests"),
    ("data", "labels", "note"),
]


@pytest.mark.fast
@settings(max_examples=examples(400))
@given(st.sampled_from(PLACES), ODD)
def test_what_is_read_at_once_is_what_the_contract_takes(place: tuple[str, ...], odd: Any) -> None:
    document = SampleTenant("ten_a", "a", "app_a", {}).event("1", data__labels={"note": "a"})
    at: Any = document
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = odd
    text = json.dumps(document)
    quick = read_member(text.encode("utf-8", "surrogatepass"))
    strict = read_document(json.loads(text))
    if isinstance(strict, Refusal):
        assert isinstance(quick, Refusal)
    else:
        assert isinstance(quick, SentEvent)
        assert (quick.id, quick.source, quick.subject) == (strict.id, strict.source, strict.subject)
        assert (quick.time, quick.data) == (strict.time, strict.data)
        assert all(abs(quantity.adjusted()) < 40 for quantity in quick.data.quantities.values())


@pytest.mark.fast
def test_both_readers_agree() -> None:
    """What is read in one pass is read the same by the contract itself."""
    event = SampleTenant("ten_a", "a", "app_a", {}).event(
        "1",
        data__quantities={"requests": 1, "audio_seconds": "0.125", "input_tokens": "20"},
        data__labels={"team": "grün"},
        data__counted={"input_tokens": 19},
        data__key="key_1",
        datacontenttype="application/json",
    )
    quick = read_member(json.dumps(event).encode())
    strict = read_document(event)
    assert isinstance(quick, SentEvent)
    assert isinstance(strict, SentEvent)
    assert quick.time == strict.time
    assert quick.data == strict.data
    assert (quick.id, quick.source, quick.subject) == (strict.id, strict.source, strict.subject)
    together = read_json(json.dumps([event, event, {}]).encode())
    assert together[:2] == [quick, quick] or together[:2] == [strict, strict]
    assert isinstance(together[2], Refusal)
