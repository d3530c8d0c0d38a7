"""What the clients make of failures: when they try again, how long they wait, what they raise."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from backend_client import (
    INTERACTIVE,
    PATIENT,
    ApiError,
    BadRequest,
    ClientError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    PaymentRequired,
    Profile,
    RateLimited,
    Retries,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from backend_client.types.accounts import ApiKeyCreate, ApplicationCreate, TenantCreate
from backend_client.types.events import UsageEvent
from tests.client.conftest import Maker
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.fast

NONE = Retries(most=0)
QUICK = Profile(retries=Retries(most=2, first_pause=0.01))
OPTIONS = Reply(body=b'{"local": true, "oidc": false}')
APPLICATION = Reply(201, b'{"id": "app_1", "name": "One", "created_at": "2026-01-01T00:00:00Z"}')
EVENT = UsageEvent.model_validate(
    {
        "id": "1",
        "source": "test",
        "type": "ai.usage",
        "data": {"application": "app_1", "model": "m", "quantities": {"requests": 1}},
    }
)
COUNTED = Reply(202, b'{"received": 1, "accepted": 1, "duplicates": 0, "rejected": 0}')


@pytest.mark.parametrize(
    "failure",
    [Reply(502), Reply(503), Reply(504), Reply(429), Reply(drops=True), Reply(cut=1)],
    ids=["502", "503", "504", "429", "dropped", "cut"],
)
async def test_a_read_is_tried_again(client: Maker, flaky: FlakyServer, failure: Reply) -> None:
    flaky.replies = [failure, failure, OPTIONS]
    with flaky:
        options = await client(flaky.url, profile=QUICK).sessions.options()
    assert options.local
    assert len(flaky.seen) == 3


async def test_it_gives_up_in_the_end(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(503, b'{"title": "Down", "status": 503, "detail": "It is down."}')]
    with flaky, pytest.raises(Unavailable, match="It is down") as raised:
        await client(flaky.url, profile=QUICK).sessions.options()
    assert len(flaky.seen) == 3
    assert raised.value.problem is not None
    assert raised.value.problem.status == 503


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500, 501])
async def test_what_will_not_pass_is_not_tried_again(
    client: Maker, flaky: FlakyServer, status: int
) -> None:
    flaky.replies = [Reply(status), OPTIONS]
    with flaky, pytest.raises(ClientError):
        await client(flaky.url, profile=QUICK).sessions.options()
    assert len(flaky.seen) == 1


async def test_a_create_is_sent_again_under_the_same_key(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(drops=True), Reply(503), APPLICATION]
    with flaky:
        person = client(flaky.url, profile=QUICK)
        application = await person.applications.create(ApplicationCreate(name="One"))
        await person.applications.create(ApplicationCreate(name="One"))
    assert application.id == "app_1"
    keys = [seen.headers["idempotency-key"] for seen in flaky.seen]
    assert len(keys) == 4
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]
    assert len({seen.body for seen in flaky.seen}) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda person: person.keys.create(ApiKeyCreate(name="One", application_id="app_1")),
        lambda person: person.tenants.create(TenantCreate(slug="one", name="One")),
        lambda person: person.members.remove("usr_1"),
        lambda person: person.tenants.delete("ten_1"),
        lambda person: person.sessions.end(),
    ],
    ids=["create key", "create tenant", "remove member", "delete tenant", "end session"],
)
@pytest.mark.parametrize("failure", [Reply(503), Reply(drops=True)], ids=["503", "dropped"])
async def test_what_can_not_be_repeated_is_sent_once(
    client: Maker, flaky: FlakyServer, ask: Callable[[Any], Awaitable[Any]], failure: Reply
) -> None:
    flaky.replies = [failure]
    with flaky, pytest.raises(Unavailable):
        await ask(client(flaky.url, profile=QUICK))
    assert len(flaky.seen) == 1


async def test_events_are_sent_again_for_they_count_once(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(drops=True), COUNTED]
    with flaky:
        result = await client(flaky.url, profile=QUICK).events.send([EVENT])
    assert result.accepted == 1
    assert [json.loads(seen.body)[0]["id"] for seen in flaky.seen] == ["1", "1"]


async def test_retry_after_is_waited_for(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(429, headers={"retry-after": "0.2"}), OPTIONS]
    with flaky:
        await client(flaky.url, profile=QUICK).sessions.options()
    first, second = flaky.seen
    assert 0.2 <= second.at - first.at < 20


async def test_retry_after_may_be_a_date(client: Maker, flaky: FlakyServer) -> None:
    headers = {
        "date": "Tue, 24 Nov 2026 10:00:00 GMT",
        "retry-after": "Tue, 24 Nov 2026 10:00:01 GMT",
    }
    flaky.replies = [Reply(503, headers=headers), OPTIONS]
    with flaky:
        await client(flaky.url, profile=QUICK).sessions.options()
    first, second = flaky.seen
    assert second.at - first.at >= 1.0


@pytest.mark.parametrize("asked", ["3600", "inf", "11"])
async def test_a_long_retry_after_is_the_callers_to_wait(
    client: Maker, flaky: FlakyServer, asked: str
) -> None:
    flaky.replies = [Reply(429, headers={"retry-after": asked}), OPTIONS]
    began = time.monotonic()
    with flaky, pytest.raises(RateLimited):
        await client(flaky.url, profile=QUICK).sessions.options()
    assert len(flaky.seen) == 1
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("asked", ["", "soon", "-1", "Tue, 99 Nov 2026 10:00:01 GMT", "nan"])
async def test_a_retry_after_that_says_nothing_is_no_wait(
    client: Maker, flaky: FlakyServer, asked: str
) -> None:
    flaky.replies = [Reply(429, headers={"retry-after": asked}), OPTIONS]
    with flaky:
        await client(flaky.url, profile=QUICK).sessions.options()
    assert len(flaky.seen) == 2


async def test_the_api_can_say_that_trying_again_is_no_use(
    client: Maker, flaky: FlakyServer
) -> None:
    flaky.replies = [Reply(429, headers={"x-should-retry": "false"}), OPTIONS]
    with flaky, pytest.raises(RateLimited):
        await client(flaky.url, profile=QUICK).sessions.options()
    assert len(flaky.seen) == 1


def test_pauses_grow_and_are_spread() -> None:
    retries = Retries(most=4, first_pause=0.5)
    for attempt in range(4):
        pauses = [retries.pause(attempt, None) for _ in range(200)]
        longest = max(pause for pause in pauses if pause is not None)
        assert 0.25 * 2**attempt < longest <= 0.5 * 2**attempt
        assert len(set(pauses)) > 100
    assert retries.pause(4, None) is None


async def test_an_answer_that_takes_too_long_is_unavailable(
    client: Maker, flaky: FlakyServer
) -> None:
    flaky.replies = [Reply(hangs=True)]
    began = time.monotonic()
    with flaky:
        profile = Profile(timeout=httpx.Timeout(20, read=0.05), retries=NONE)
        person = client(flaky.url, profile=profile)
        with pytest.raises(Unavailable, match="in time"):
            await person.sessions.options()
        assert time.monotonic() - began < 20


async def test_nobody_there_is_unavailable(client: Maker, flaky: FlakyServer) -> None:
    with flaky:
        url = flaky.url
    with pytest.raises(Unavailable, match="can't be reached"):
        await client(url, profile=QUICK).sessions.options()
    with pytest.raises(Unavailable, match="can't be reached"):
        await streamed(client(url))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequest),
        (401, Unauthenticated),
        (402, PaymentRequired),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (413, TooLarge),
        (418, ApiError),
        (422, InvalidInput),
        (429, RateLimited),
    ],
)
async def test_each_problem_is_an_exception_of_its_kind(
    client: Maker, flaky: FlakyServer, status: int, kind: type[ApiError]
) -> None:
    problem = {
        "title": "No",
        "status": status,
        "detail": "Not so.",
        "code": "not_so",
        "request_id": "req_1",
        "errors": [{"field": "name", "detail": "is too long"}],
        "something_new": 1,
    }
    flaky.replies = [Reply(status, json.dumps(problem).encode())]
    with flaky, pytest.raises(kind, match="Not so") as raised:
        await client(flaky.url, profile=Profile(retries=NONE)).sessions.options()
    assert type(raised.value) is kind
    assert (raised.value.status, raised.value.problem.code) == (status, "not_so")
    assert raised.value.problem.request_id == "req_1"
    assert [(error.field, error.detail) for error in raised.value.errors] == [
        ("name", "is too long")
    ]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "no"}', b"\xff"])
async def test_a_failure_without_problem_details_keeps_its_status(
    client: Maker, flaky: FlakyServer, body: bytes
) -> None:
    flaky.replies = [Reply(404, body, {"x-request-id": "req_2"})]
    with flaky, pytest.raises(NotFound, match="404") as raised:
        await client(flaky.url).sessions.options()
    assert raised.value.problem.request_id == "req_2"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"local": "?"}', b"\xff", b"null"])
async def test_a_page_that_is_not_the_apis_is_told_as_such(
    client: Maker, flaky: FlakyServer, body: bytes
) -> None:
    flaky.replies = [Reply(200, body)]
    with flaky, pytest.raises(UnexpectedAnswer, match="GET /v1/sign-in"):
        await client(flaky.url).sessions.options()


async def test_fields_that_a_later_api_adds_do_no_harm(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(200, b'{"local": false, "oidc": true, "passkeys": true}')]
    with flaky:
        assert (await client(flaky.url).sessions.options()).oidc


@pytest.mark.parametrize("key_id", ["../tenants", "..", "a/b?c#d", "a b", "é", "%2e%2e"])
async def test_an_id_stays_one_segment_of_the_path(
    client: Maker, flaky: FlakyServer, key_id: str
) -> None:
    flaky.replies = [Reply(404)]
    with flaky, pytest.raises(NotFound):
        await client(flaky.url).keys.get(key_id)
    path = httpx.URL(flaky.url + flaky.seen[0].path).raw_path.decode()
    head, _, last = path.rpartition("/")
    assert head == "/v1/keys"
    assert "." not in last
    assert "?" not in last


async def test_any_text_can_be_sent_as_a_credential(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(401)]
    with flaky, pytest.raises(Unauthenticated):
        await client(flaky.url, "schlüssel").me.get()


async def test_a_person_is_told_early_that_the_api_hangs(client: Maker, flaky: FlakyServer) -> None:
    assert INTERACTIVE.timeout.read == 8.0
    assert INTERACTIVE.retries.most == 1
    brief = replace(INTERACTIVE, timeout=httpx.Timeout(20, read=0.1))  # the same, in a test's time
    flaky.replies = [Reply(hangs=True)]
    began = time.monotonic()
    with flaky:
        with pytest.raises(Unavailable, match="in time"):
            await client(flaky.url, profile=brief).keys.list().all()
        assert time.monotonic() - began < 20
    assert len(flaky.seen) == 2


async def test_a_person_waits_for_no_long_retry_after(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(503, headers={"retry-after": "3"}), OPTIONS]
    with flaky, pytest.raises(Unavailable):
        await client(flaky.url, profile=INTERACTIVE).sessions.options()
    assert len(flaky.seen) == 1


async def test_one_client_can_wait_with_two_kinds_of_patience(
    client: Maker, flaky: FlakyServer
) -> None:
    assert PATIENT.retries.most == 2
    patient = replace(PATIENT, retries=QUICK.retries)  # the same, in a test's time
    flaky.replies = [Reply(503)]
    with flaky:
        person = client(flaky.url, "a credential", profile=replace(PATIENT, retries=NONE))
        with pytest.raises(Unavailable):
            await person.me.get()
        with pytest.raises(Unavailable):
            await person.with_profile(patient).me.get()
    assert len(flaky.seen) == 1 + 3
    assert {seen.headers["authorization"] for seen in flaky.seen} == {"Bearer a credential"}


async def test_a_raw_response_is_typed_and_has_what_came_around_it(
    client: Maker, flaky: FlakyServer
) -> None:
    body = b'{"local": true, "oidc": false, "something_new": 1}'
    flaky.replies = [Reply(503), Reply(200, body, {"x-request-id": "req_3", "x-other": "4"})]
    with flaky:
        person = client(flaky.url, profile=QUICK)
        raw = await person.with_raw_response(person.sessions.options)()
    assert (raw.status, raw.request_id, raw.body) == (200, "req_3", body)
    assert raw.headers["x-other"] == "4"
    assert raw.parsed.local


async def test_a_list_has_a_raw_response_a_page(client: Maker, flaky: FlakyServer) -> None:
    label = b'{"label": "team", "created_at": "2026-01-01T00:00:00Z"}'
    first, last = [
        b'{"items": [%b], "next_cursor": %b}' % (label, cursor) for cursor in (b'"c2"', b"null")
    ]
    flaky.replies = [Reply(200, first, {"x-request-id": "req_1"}), Reply(200, last)]
    with flaky:
        person = client(flaky.url, profile=QUICK)
        raw = await person.with_raw_response(person.labels.list)()
        assert (raw.status, raw.request_id, raw.body) == (200, "req_1", first)
        assert raw.parsed.next_cursor == "c2"
        assert [item.label for item in raw.parsed.items] == ["team"]
    assert len(flaky.seen) == 1  # no page that nobody asked for


async def test_what_gets_no_answer_as_a_whole_has_no_raw_response(
    client: Maker, flaky: FlakyServer
) -> None:
    with flaky:
        person = client(flaky.url, profile=QUICK)
        with pytest.raises(TypeError, match=r"stream has no raw response: it is a stream"):
            await person.with_raw_response(person.chat.stream)(model="m", messages=[])
    assert flaky.seen == []


async def test_an_error_has_the_answer_that_it_is_made_of(
    client: Maker, flaky: FlakyServer
) -> None:
    problem = b'{"title": "No", "status": 409, "code": "slug_taken", "request_id": "req_4"}'
    flaky.replies = [Reply(409, problem), Reply(200, b"<html>", {"x-request-id": "req_5"})]
    with flaky:
        with pytest.raises(ClientError) as refused:
            await client(flaky.url).tenants.create(TenantCreate(slug="one", name="One"))
        with pytest.raises(ClientError) as unexpected:
            await client(flaky.url).me.get()
        url = flaky.url
    with pytest.raises(ClientError) as unreachable:
        await client(url, profile=QUICK).me.get()
    raised = [error.value for error in (refused, unexpected, unreachable)]
    assert [error.status for error in raised] == [409, 200, None]
    assert [error.code for error in raised] == ["slug_taken", None, None]
    assert [error.request_id for error in raised] == ["req_4", "req_5", None]
    assert [error.body for error in raised] == [problem, b"<html>", b""]
    assert [error.errors for error in raised] == [[], [], []]


async def streamed(person: Any) -> list[Any]:
    return [chunk async for chunk in person.chat.stream(model="m", messages=[])]


STREAM = b'data: {"n": 1}\n\n: a comment\n\ndata: {"n": 2}\n\n'


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (Reply(body=STREAM), Unavailable, "broke off"),
        (Reply(body=STREAM, cut=20), Unavailable, "can't be reached"),
        (Reply(body=STREAM + b"data: {\n\n"), UnexpectedAnswer, "no chunk"),
        (Reply(body=STREAM + b"data: 3\n\n"), UnexpectedAnswer, "no chunk"),
        (Reply(body=STREAM + b'data: {"error": {"message": "lost"}}\n\n'), Unavailable, "lost"),
        (Reply(402, b'{"error": {"message": "empty", "code": "x"}}'), PaymentRequired, "empty"),
        (Reply(503, b'{"error": {"message": "later", "type": "x"}}'), Unavailable, "later"),
    ],
)
async def test_a_stream_that_goes_wrong_says_so_and_is_not_begun_again(
    client: Maker, flaky: FlakyServer, reply: Reply, kind: type[ClientError], said: str
) -> None:
    flaky.replies = [reply]
    with flaky, pytest.raises(kind, match=said):
        await streamed(client(flaky.url))
    assert len(flaky.seen) == 1


async def test_a_whole_stream_gives_its_chunks(client: Maker, flaky: FlakyServer) -> None:
    flaky.replies = [Reply(body=STREAM + b"data: [DONE]\n\n")]
    with flaky:
        async with asyncio.timeout(60):
            chunks = await streamed(client(flaky.url))
    assert chunks == [{"n": 1}, {"n": 2}]
    assert json.loads(flaky.seen[0].body) == {"model": "m", "messages": [], "stream": True}
