"""A call goes from target to target until one answers: real connections, doubles as providers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from backend.accounts.principal import Permission, Principal
from backend.errors import FareboxError
from backend.gateway.admission import Admitted
from backend.gateway.attempts.attempts import Attempts
from backend.gateway.attempts.incoming import Incoming
from backend.gateway.call import Call
from backend.gateway.errors import UpstreamBusy, UpstreamFailed, UpstreamRefused
from backend.gateway.protocols.chat import CHAT
from backend.gateway.upstreams.health import FAILURES
from backend.gateway.upstreams.metrics import UpstreamMetrics
from backend.gateway.upstreams.provider import Provider
from backend.gateway.upstreams.targets import Target
from backend.ids import new_id
from backend.settings import Upstream
from backend_client.types.accounts import Role, Tenant
from backend_client.types.catalog import CatalogModel
from tests.support.provider_double import TEXT, ProviderDouble
from tests.support.waiting import until

pytestmark = pytest.mark.slow

MODEL = CatalogModel(
    id="m",
    name="M",
    context_window=1000,
    max_output_tokens=100,
    tokenizer="tiktoken:o200k_base",
)
TENANT = Tenant(
    id="tnt_1",
    slug="t",
    name="T",
    time_zone="UTC",
    currency="USD",
    is_sample=False,
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
)
CALLER = Principal("key", "key_1", TENANT.id, frozenset({Permission.INFERENCE}), Role.DEVELOPER)
ADMITTED = Admitted(CALLER, TENANT, "app_1", MODEL, [], False)

MakeTarget = Callable[..., Target]


def patience(does: str) -> dict[str, Any]:
    """The timeouts of an upstream that does this: short, where only they can end it."""
    silent = does.startswith(("hang", "pings"))
    return {"timeouts": {"first_token_seconds": 3, "idle_seconds": 3}} if silent else {}


@pytest.fixture
def first() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


@pytest.fixture
def second() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


@pytest.fixture
async def target() -> AsyncIterator[MakeTarget]:
    """Makes targets at doubles."""
    providers: list[Provider] = []

    def made(double: ProviderDouble | str, **terms: Any) -> Target:
        url = double if isinstance(double, str) else f"{double.url}/v1"
        name = terms.pop("name", url)
        upstream = Upstream(name=name, base_url=url, models=["m"], **terms)
        providers.append(Provider(upstream))
        return Target(providers[-1], "m")

    yield made
    for provider in providers:
        await provider.close()


@pytest.fixture
def metrics() -> UpstreamMetrics:
    return UpstreamMetrics()


@pytest.fixture
def attempts(metrics: UpstreamMetrics) -> Attempts:
    return Attempts(metrics)


def call(*targets: Target, **asked: Any) -> Call:
    request = {"model": "m", "messages": [{"role": "user", "content": "Say hello"}], **asked}
    return Call(ADMITTED, targets, CHAT.read(orjson.dumps(request)), new_id("req"))


async def whole(attempts: Attempts, sent: Call) -> str:
    document = (await attempts.ask(sent)).document
    return str(document["choices"][0]["message"]["content"])


async def heard(incoming: Incoming) -> str:
    """All that a stream says."""
    try:
        async for events in incoming.events():
            for event in events:
                if not event.is_comment:
                    incoming.reader.feed(event)
        incoming.end(well=incoming.reader.finished)
    finally:
        await incoming.close()
    return "".join(incoming.reader.said)


def counted(metrics: UpstreamMetrics, target: Target, outcome: str) -> float:
    labels = {"upstream": target.upstream.name, "model": "m", "outcome": outcome}
    return metrics.registry.get_sample_value("farebox_upstream_attempts_total", labels) or 0


def began_to_answer(metrics: UpstreamMetrics, target: Target) -> float:
    """How many times to a first token were measured."""
    labels = {"upstream": target.upstream.name, "model": "m"}
    name = "farebox_upstream_first_token_seconds_count"
    return metrics.registry.get_sample_value(name, labels) or 0


PASSING = {
    "busy": "busy",
    "busy:7": "busy",
    "quota": "key_refused",
    "401": "key_refused",
    "402": "key_refused",
    "403": "key_refused",
    "404": "failed",
    "408": "failed",
    "409": "failed",
    "500": "failed",
    "502": "failed",
    "overloaded": "failed",
    "529": "failed",
    "html": "failed",
    "301": "failed",
    "drop": "unreachable",
    "hang": "timeout",
    "hang_body": "timeout",
}
OF_WHOLE_ANSWERS = {"not_json": "error_in_answer", "cut": "unreachable"}
OF_STREAMS = {
    "error_first": "error_in_answer",
    "cut_at_once": "broken_off",
    "pings": "timeout",
}


@pytest.mark.parametrize(("does", "outcome"), (PASSING | OF_WHOLE_ANSWERS).items())
async def test_a_whole_answer_comes_from_the_next_target(
    attempts: Attempts,
    metrics: UpstreamMetrics,
    target: MakeTarget,
    first: ProviderDouble,
    second: ProviderDouble,
    does: str,
    outcome: str,
) -> None:
    first.default = does
    targets = target(first, **patience(does)), target(second)
    sent = call(*targets)
    assert await whole(attempts, sent) == TEXT
    assert (first.does, second.does) == ([does], ["ok"])
    assert (sent.attempts, sent.target) == (2, targets[1])
    assert counted(metrics, targets[0], outcome) == 1
    assert counted(metrics, targets[1], "answered") == 1
    assert [each.provider.under_way for each in targets] == [0, 0]


@pytest.mark.parametrize(("does", "outcome"), (PASSING | OF_STREAMS).items())
async def test_a_stream_comes_from_the_next_target_if_nothing_was_passed_on(
    attempts: Attempts,
    metrics: UpstreamMetrics,
    target: MakeTarget,
    first: ProviderDouble,
    second: ProviderDouble,
    does: str,
    outcome: str,
) -> None:
    first.default = does
    targets = target(first, **patience(does)), target(second)
    sent = call(*targets, stream=True)
    assert await heard(await attempts.open(sent)) == TEXT
    assert (first.does, second.does) == ([does], ["ok"])
    assert counted(metrics, targets[0], outcome) == 1
    assert [began_to_answer(metrics, each) for each in targets] == [0, 1]
    assert [each.provider.under_way for each in targets] == [0, 0]


@pytest.mark.parametrize("does", ["error_middle", "cut", "hang_middle", "pings_middle"])
async def test_a_stream_of_which_something_was_passed_on_is_no_other_targets(
    attempts: Attempts,
    target: MakeTarget,
    first: ProviderDouble,
    second: ProviderDouble,
    does: str,
) -> None:
    first.default = does
    broken = target(first, **patience(does))
    incoming = await attempts.open(call(broken, target(second), stream=True))
    if does in ("hang_middle", "pings_middle"):
        with pytest.raises(TimeoutError):
            await heard(incoming)
    else:
        assert await heard(incoming) == "Hello"
    assert not incoming.reader.finished
    assert second.asked == []
    assert broken.provider.under_way == 0


@pytest.mark.parametrize("does", ["400", "413", "415", "422"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_none_would_take_is_tried_once(
    attempts: Attempts,
    target: MakeTarget,
    first: ProviderDouble,
    second: ProviderDouble,
    does: str,
    stream: bool,
) -> None:
    first.default = does
    sent = call(target(first), target(second), stream=stream)
    with pytest.raises(UpstreamRefused, match="No such role") as raised:
        await (attempts.open(sent) if stream else attempts.ask(sent))
    assert raised.value.status == int(does)
    assert second.asked == []


async def test_a_limit_or_a_refusal_of_one_key_moves_on_to_the_next(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble
) -> None:
    pool = target(first, api_keys=["a", "b", "c"])
    for does in ("busy:30", "401"):
        first.default = does
        with pytest.raises(FareboxError):
            await whole(attempts, call(pool))
        first.default = "ok"
        used = [asked.headers["authorization"] for asked in first.asked]
        assert sorted(used) == ["Bearer a", "Bearer b", "Bearer c"]
        first.asked.clear()
        for key in pool.keys:
            key.circuit.succeed()
    first.default = "busy:30"
    sent = call(pool, **{"messages": [{"role": "user", "content": "do:busy:30"}]})
    pool.keys[0].circuit.fail(0, retry_after=0)
    with pytest.raises(UpstreamBusy) as raised:
        await whole(attempts, sent)
    assert raised.value.retry_after_seconds == 30


@pytest.mark.parametrize(
    ("unusable", "terms"),
    [
        ("one\r\nx-more: 1", {"api_keys": ["a", "b"]}),
        ("k\u200bey", {"api_keys": ["a", "b"]}),
        ("no-pair", {"api_keys": ["AK1:a", "AK2:b"], "aws_signature": {"region": "eu-west-1"}}),
    ],
)
async def test_a_key_that_no_call_can_be_made_with_is_no_fault_of_its_target(
    attempts: Attempts,
    metrics: UpstreamMetrics,
    target: MakeTarget,
    first: ProviderDouble,
    second: ProviderDouble,
    unusable: str,
    terms: dict[str, Any],
) -> None:
    pool, spare = target(first, **terms), target(second)
    pool.keys[0].secret = unusable
    for _ in range(FAILURES - 1):
        pool.circuit.fail(0)
    sent = call(pool, spare)
    assert await whole(attempts, sent) == TEXT
    assert (first.does, second.does) == (["ok"], [])
    assert counted(metrics, pool, "key_refused") == counted(metrics, pool, "answered") == 1
    assert [key.circuit.open_until is None for key in pool.keys] == [False, True]

    # No other key is left: another target answers, and this one is neither well nor worse for it
    for _ in range(FAILURES - 1):
        pool.circuit.fail(0)
    for key in pool.keys:
        key.secret = unusable
        key.circuit.succeed()
    assert await whole(attempts, call(pool, spare)) == TEXT
    assert (first.does, second.does) == (["ok"], ["ok"])
    is_open = [pool.circuit.open_until is not None]
    pool.circuit.fail(0)
    is_open.append(pool.circuit.open_until is not None)
    assert is_open == [False, True]
    with pytest.raises(UpstreamFailed) as alone:
        await attempts.ask(call(pool))
    assert not alone.value.may_pass


async def test_where_all_fail_the_caller_is_told_what_helps(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble, second: ProviderDouble
) -> None:
    first.default, second.default = "busy:20", "500"
    with pytest.raises(UpstreamBusy) as busy:
        await attempts.ask(call(target(first), target(second)))
    assert busy.value.retry_after_seconds == 20
    first.default, second.default = "overloaded", "401"
    with pytest.raises(UpstreamFailed) as failed:
        await attempts.ask(call(target(first), target(second)))
    assert (failed.value.retry_after_seconds, failed.value.may_pass) == (9, True)
    first.default = second.default = "401"
    with pytest.raises(UpstreamFailed) as ours:
        await attempts.ask(call(target(first), target(second)))
    assert not ours.value.may_pass
    assert "secret" not in ours.value.detail


async def test_a_target_that_fails_again_and_again_is_left_out(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble, second: ProviderDouble
) -> None:
    first.default = "500"
    targets = target(first), target(second)
    for _ in range(FAILURES + 3):
        assert await whole(attempts, call(*targets)) == TEXT
    assert len(first.asked) == FAILURES
    assert len(second.asked) == FAILURES + 3


async def test_a_pause_that_a_provider_asks_for_is_kept(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble, second: ProviderDouble
) -> None:
    first.default = "busy:30"
    targets = target(first), target(second)
    for _ in range(3):
        assert await whole(attempts, call(*targets)) == TEXT
    assert len(first.asked) == 1
    with pytest.raises(UpstreamBusy) as raised:
        await attempts.ask(call(targets[0]))
    assert 0 < raised.value.retry_after_seconds <= 30
    assert len(first.asked) == 1


async def test_a_model_with_one_target_is_served_as_soon_as_that_is_well(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble
) -> None:
    first.default = "500"
    only = target(first)
    for _ in range(FAILURES + 3):
        with pytest.raises(UpstreamFailed):
            await attempts.ask(call(only))
    assert len(first.asked) == FAILURES + 3
    first.default = "ok"
    assert await whole(attempts, call(only)) == TEXT


async def test_what_is_beyond_an_upstreams_concurrency_goes_elsewhere(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble, second: ProviderDouble
) -> None:
    first.default = "hang"
    long = {"timeouts": {"first_token_seconds": 60}}
    full, free = target(first, max_concurrency=1, **long), target(second)
    waiting = asyncio.create_task(attempts.ask(call(full)))

    async def asked() -> bool:
        return len(first.asked) == 1

    await until(asked)
    assert await whole(attempts, call(full, free)) == TEXT
    with pytest.raises(UpstreamBusy):
        await attempts.ask(call(full))
    waiting.cancel()
    await asyncio.wait({waiting})
    assert full.provider.under_way == 0


async def test_all_attempts_share_one_total_time(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble, second: ProviderDouble
) -> None:
    first.default = second.default = "hang"
    slow = {"timeouts": {"first_token_seconds": 60, "total_seconds": 3}}
    with pytest.raises(UpstreamFailed, match="in time"):
        await attempts.ask(call(target(first, **slow), target(second, **slow)))
    assert (len(first.asked), second.asked) == (1, [])


async def test_a_caller_who_leaves_stops_the_provider_and_is_no_fault_of_its(
    attempts: Attempts, metrics: UpstreamMetrics, target: MakeTarget, first: ProviderDouble
) -> None:
    first.default = "hang"
    patient = target(first, timeouts={"first_token_seconds": 60})
    for number in range(1, FAILURES + 2):
        waiting = asyncio.create_task(attempts.ask(call(patient)))

        async def asked(number: int = number) -> bool:
            return len(first.asked) == number

        await until(asked)
        waiting.cancel()
        await asyncio.wait({waiting})

    async def left() -> bool:
        return all(asked.left for asked in first.asked)

    await until(left)
    assert counted(metrics, patient, "left") == FAILURES + 1
    first.default = "ok"
    assert await whole(attempts, call(patient)) == TEXT


async def test_an_address_where_nobody_listens_is_passed_over(
    attempts: Attempts, metrics: UpstreamMetrics, target: MakeTarget, second: ProviderDouble
) -> None:
    nobody = target("http://127.0.0.1:9/v1")
    assert await whole(attempts, call(nobody, target(second))) == TEXT
    assert counted(metrics, nobody, "unreachable") == 1


async def test_each_upstream_gets_what_its_rules_let_through(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble, second: ProviderDouble
) -> None:
    first.default = "500"
    old = {"rules": {"stream_usage": False, "output_limit": "max_tokens", "drop": ["seed"]}}
    sent = call(
        target(first),
        target(second, **old),
        stream=True,
        seed=1,
        max_completion_tokens=5,
        service_tier="priority",
    )
    assert await heard(await attempts.open(sent)) == TEXT
    (new,), (older,) = first.asked, second.asked
    assert new.document.keys() >= {"seed", "stream_options", "max_completion_tokens"}
    assert older.document.keys() == {"model", "messages", "stream", "max_tokens"}
    assert sent.dropped == ("seed", "service_tier")


async def test_what_one_call_misses_keeps_no_other_from_the_model(
    attempts: Attempts, target: MakeTarget, first: ProviderDouble
) -> None:
    """An earlier answer that is not there, or a protocol: the circuit is everybody's."""
    first.default = "404"
    only = target(first)
    for _ in range(FAILURES + 1):
        with pytest.raises(UpstreamFailed):
            await whole(attempts, call(only))
    assert only.circuit.state(time.monotonic()) == "closed"
    first.default = "ok"
    assert await whole(attempts, call(only)) == TEXT
