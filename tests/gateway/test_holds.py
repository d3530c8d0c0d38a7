"""Calls that come while others are settled, and calls that are canceled while they reserve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import asyncpg
import orjson
import pytest
from asyncpg.transaction import Transaction
from sqlalchemy import event, func, select
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from backend.accounts.principal import Permission, Principal
from backend.budgets.errors import KeyBudgetExhausted
from backend.budgets.owners import BudgetOwner, OwnBudget
from backend.catalog.published import apply_catalog
from backend.errors import FareboxError
from backend.gateway.admission import Admitted
from backend.gateway.call import Call
from backend.gateway.errors import KeyLimited
from backend.gateway.holds.groups import LATER, HoldGroups, Unanswered
from backend.gateway.holds.holds import Holds
from backend.gateway.limits.checks import ALL_KEYS, kept_limits
from backend.gateway.protocols.chat import CHAT
from backend.gateway.upstreams.provider import Provider
from backend.gateway.upstreams.targets import Target
from backend.gateway.usage import Usage
from backend.ids import new_id
from backend.quotas.errors import QuotaExhausted
from backend.quotas.holds import QuotaHolds
from backend.settings import Upstream
from backend.storage.database import Database
from backend.storage.tables import (
    credit_reservations,
    key_budget_holds,
    key_calls,
    quota_holds,
    quota_states,
)
from backend.subscriptions.changes import start_subscription
from backend.wallets.errors import CreditExhausted
from backend.wallets.prepayment import Prepayment
from backend_client.types.accounts import Role
from backend_client.types.catalog import CatalogModel
from backend_client.types.limits import KeyBudget, RateLimits
from tests.gateway.test_limits import so_many_wait
from tests.support.billing import catalog_with, make_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.engine

A_DOLLAR_A_TOKEN = {
    "id": "output",
    "name": "Output",
    "kind": "per_unit",
    "meters": ["output_tokens"],
    "unit_size": 1,
    "price": "1",
}
QUOTA = {"meters": ["output_tokens"], "quantity": 700, "limit": "hard"}
CREDIT = {"id": "once", "name": "Once", "amount": "700", "recurs": False}
PREPAID = {"prepaid": True, "charges": [A_DOLLAR_A_TOKEN], "grants": [CREDIT]}
BUDGET = KeyBudget(amount=Decimal(700), period="month")
KEY, APPLICATION = BudgetOwner("key", "key_1"), BudgetOwner("application", "app_1")


@dataclass(frozen=True)
class Terms:
    """What lets one call of 500 tokens at a time through, and how the second is refused."""

    refusal: type[FareboxError]
    plan: dict[str, Any] = field(default_factory=dict)
    key: dict[str, Any] = field(default_factory=dict)
    all_keys: RateLimits = field(default_factory=RateLimits)
    budgets: tuple[OwnBudget, ...] = ()


TERMS = {
    "quota": Terms(QuotaExhausted, {"quotas": [QUOTA]}),
    "budget": Terms(KeyBudgetExhausted, {"charges": [A_DOLLAR_A_TOKEN]}, {"budget": BUDGET}),
    "credit": Terms(CreditExhausted, PREPAID),
    "tokens": Terms(KeyLimited, key={"limits": RateLimits(tokens_per_minute=1_000)}),
    "concurrency": Terms(KeyLimited, all_keys=RateLimits(concurrent_requests=1)),
}
ONE_REQUEST = Terms(KeyLimited, key={"limits": RateLimits(requests_per_minute=1)})
TWO_LIMITS = Terms(
    KeyLimited,
    key={"limits": RateLimits(requests_per_minute=1, tokens_per_minute=1_000)},
)
ALL = Terms(
    FareboxError,
    {**PREPAID, "quotas": [QUOTA]},
    {"limits": RateLimits(tokens_per_minute=1_000), "budget": BUDGET},
    RateLimits(concurrent_requests=1),
    (OwnBudget(APPLICATION, BUDGET),),
)

TIERED = Terms(
    FareboxError,
    {
        "prepaid": True,
        "charges": [
            {
                **A_DOLLAR_A_TOKEN,
                "id": "priority",
                "labels": {"service_tier": "priority"},
                "price": "3",
            },
            A_DOLLAR_A_TOKEN,
        ],
        "grants": [CREDIT | {"amount": "10000"}],
    },
    {"budget": BUDGET.model_copy(update={"amount": Decimal(10_000)})},
)
MakeCall = Callable[..., Call]


@pytest.fixture
async def holds(database: Database) -> AsyncIterator[Holds]:
    holds = Holds(database)
    yield holds
    await holds.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    provider = Provider(Upstream(name="test", base_url="http://127.0.0.1:9", models={}))
    yield provider
    await provider.close()


@pytest.fixture
async def make_call(database: Database, provider: Provider, terms: Terms) -> MakeCall:
    """Makes calls of up to 500 tokens, all of one key of a tenant on such terms."""
    tenant = await make_tenant(database)
    catalog = catalog_with(plans=[{"id": "free", "name": "Free", **terms.plan}])
    async with database.begin() as connection:
        await apply_catalog(connection, catalog)
        began = datetime.now(UTC) - timedelta(days=1)
        await start_subscription(connection, tenant.id, "free", began)
    caller = Principal(
        "key", "key_1", tenant.id, frozenset({Permission.INFERENCE}), Role.DEVELOPER, **terms.key
    )
    hard_quota = "quotas" in terms.plan
    model = catalog.models[0]
    limits = [
        *kept_limits(caller.id, "key", caller.limits, (), model.id),
        *kept_limits(ALL_KEYS, "plan", terms.all_keys, (), model.id),
    ]
    budgets = [] if caller.budget is None else [OwnBudget(KEY, caller.budget), *terms.budgets]
    admitted = Admitted(caller, tenant, "app_1", model, limits, hard_quota, budgets)
    asked = [{"role": "user", "content": "Say hello"}]
    request = {"model": model.id, "messages": asked, "max_tokens": 500}
    body = orjson.dumps(request)
    return lambda **kind: Call(
        replace(admitted), [Target(provider, model.id)], CHAT.read(body), new_id("req"), **kind
    )


@pytest.fixture(autouse=True)
def connections_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's goes back to the pool at once, which tells that a statement has ended."""
    monkeypatch.setattr(Database, "_keep_warm", lambda *_: False)


@contextmanager
def on_each(database: Database, react: Callable[[], None]) -> Iterator[None]:
    """Call ``react`` whenever a transaction, or a statement outside of any, has ended."""

    def listen(*_arguments: object) -> None:
        react()

    event.listen(database.engine.sync_engine, "checkin", listen)
    try:
        yield
    finally:
        event.remove(database.engine.sync_engine, "checkin", listen)


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS.keys())
async def test_what_a_call_that_is_being_settled_still_holds_refuses_no_other(
    holds: Holds, make_call: MakeCall, database: Database, terms: Terms
) -> None:
    first, second = make_call(), make_call()
    await holds.reserve(first)
    with pytest.raises(terms.refusal):  # it is under way, and may take long
        await holds.reserve(second)

    lacking = asyncio.Event()

    async def has_lacked_something() -> bool:
        return lacking.is_set()

    with holds.settling(first), on_each(database, lacking.set):
        reserving = asyncio.create_task(holds.reserve(second))
        await until(has_lacked_something)
        await holds.settle(first, await first.event("failed"))
    await reserving

    with pytest.raises(terms.refusal):  # nothing is being settled any more
        await holds.reserve(make_call())


@pytest.mark.parametrize("terms", [ONE_REQUEST], ids=["requests"])
async def test_a_limit_that_settling_does_not_free_refuses_at_once(
    holds: Holds, make_call: MakeCall
) -> None:
    first = make_call()
    await holds.reserve(first)
    with holds.settling(first), pytest.raises(KeyLimited):
        await holds.reserve(make_call())


@pytest.mark.parametrize("terms", [TWO_LIMITS], ids=["requests"])
async def test_a_long_call_that_a_limit_of_requests_refuses_is_not_counted(
    holds: Holds, make_call: MakeCall
) -> None:
    await holds.reserve(make_call())
    refused = make_call(is_short=False)
    # Counting would tell that there is no such tokenizer
    refused.admitted = replace(refused.admitted, model=uncountable(refused.admitted.model))
    with capture_logs() as logs, pytest.raises(KeyLimited, match="1 requests a minute"):
        await holds.reserve(refused)
    assert logs == []


@pytest.mark.parametrize("terms", [ONE_REQUEST], ids=["requests"])
async def test_a_call_that_nothing_bounds_is_not_counted(holds: Holds, make_call: MakeCall) -> None:
    call = make_call()
    call.admitted = replace(call.admitted, model=uncountable(call.admitted.model))
    with capture_logs() as logs:
        await holds.reserve(call)
    assert logs == []


@pytest.mark.parametrize("terms", [TERMS["tokens"]], ids=["tokens"])
async def test_a_long_call_reserves_its_tokens_after_its_request(
    holds: Holds, make_call: MakeCall
) -> None:
    first, second = make_call(is_short=False), make_call(is_short=False)
    await holds.reserve(first)
    assert int(first.limited[0].headers["x-ratelimit-remaining-tokens"]) < 500
    with pytest.raises(KeyLimited, match="tokens a minute"):
        await holds.reserve(second)
    await holds.settle(first, await first.event("failed"))
    await holds.reserve(make_call(is_short=False))


def uncountable(model: CatalogModel) -> CatalogModel:
    return model.model_copy(update={"tokenizer": "tiktoken:none"})


@pytest.mark.parametrize("by_parts", [False, True])
@pytest.mark.parametrize("terms", [ALL], ids=["all"])
async def test_a_call_that_is_canceled_at_any_end_holds_nothing(
    holds: Holds,
    make_call: MakeCall,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    by_parts: bool,
) -> None:
    await holds.reserve(warm := make_call())  # what is remembered is not read again
    await holds.settle(warm, await warm.event("failed"))
    if by_parts:
        monkeypatch.setattr(HoldGroups, "hold", left_undecided)
    ends_at = 1
    while await canceled_at_end(ends_at, holds, make_call(), database):
        assert await held(database) == [0, 0, 0, 0], ends_at
        ends_at += 1
    # One has all four; by their parts each has several
    assert ends_at > (4 if by_parts else 1)


@pytest.mark.parametrize("terms", [ALL], ids=["all"])
async def test_what_is_held_but_never_answered_is_released_when_the_database_is_back(
    holds: Holds, make_call: MakeCall, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await holds.reserve(warm := make_call())
    await holds.settle(warm, await warm.event("failed"))
    stored: list[list[int | None]] = []
    answer = asyncpg.Connection.fetchval

    async def lost(connection: asyncpg.Connection, query: str, *arguments: Any) -> Any:
        """Do it, and lose the first answer by which something is held."""
        answered = await answer(connection, query, *arguments)
        if "settle_and_hold_calls" in query and not stored:
            holding = await held(database)
            # On a slow machine the first answer may be that what was read is too old to decide by
            if any(holding):
                stored.append(holding)
                raise asyncpg.ConnectionDoesNotExistError("closed in the middle of operation")
        return answered

    monkeypatch.setattr(asyncpg.Connection, "fetchval", lost)
    with pytest.raises(Unanswered):
        await holds.reserve(make_call())
    assert stored == [[2, 2, 1, 1]]

    async def nothing_is_held() -> bool:
        return await held(database) == [0, 0, 0, 0]

    await until(nothing_is_held)
    # Another of as much has room at once
    await holds.reserve(make_call())


@pytest.mark.parametrize("terms", [ALL], ids=["all"])
async def test_what_is_held_after_its_connection_was_lost_is_released(
    holds: Holds, make_call: MakeCall, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await holds.reserve(warm := make_call())
    await holds.settle(warm, await warm.event("failed"))
    used: list[asyncpg.Connection] = []
    answer = asyncpg.Connection.fetchval

    async def noted(connection: asyncpg.Connection, query: str, *arguments: Any) -> Any:
        if "settle_and_hold_calls" in query:
            used.append(connection)
        return await answer(connection, query, *arguments)

    async def nothing_is_held() -> bool:
        return await held(database) == [0, 0, 0, 0]

    monkeypatch.setattr(asyncpg.Connection, "fetchval", noted)
    async with database.begin() as delays_it:
        await delays_it.execute(select(quota_states).with_for_update())
        reserving = asyncio.create_task(holds.reserve(make_call()))
        await until(partial(so_many_wait, database, 1))
        used[-1].terminate()
        with pytest.raises(Unanswered):
            await reserving
        # The server does not know yet; what releases comes after it
        await until(partial(so_many_wait, database, 2))
    await until(nothing_is_held)


@pytest.mark.parametrize("canceled", [False, True])
@pytest.mark.parametrize("terms", [ALL], ids=["all"])
async def test_what_is_held_by_parts_when_the_database_goes_is_released_when_it_is_back(
    holds: Holds,
    make_call: MakeCall,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    canceled: bool,
) -> None:
    is_away, was_away = False, 0

    def refuse(*_arguments: object) -> None:
        nonlocal was_away
        if is_away:
            was_away += 1
            raise ConnectionRefusedError

    async def go_away(*_arguments: object, **_more: object) -> bool:
        """The last of all is credit; the caller may have gone too."""
        nonlocal is_away
        is_away = True
        if canceled:
            reserving.cancel()
            return False
        raise ConnectionRefusedError

    async def was_released_in_vain() -> bool:
        return was_away > 0

    async def nothing_is_held() -> bool:
        return await held(database) == [0, 0, 0, 0]

    monkeypatch.setattr(HoldGroups, "hold", left_undecided)
    monkeypatch.setattr(Prepayment, "reserve", go_away)
    event.listen(database.engine.sync_engine, "checkout", refuse)
    reserving = asyncio.create_task(holds.reserve(make_call()))
    await asyncio.wait({reserving})
    with pytest.raises(asyncio.CancelledError if canceled else ConnectionRefusedError):
        await reserving
    await until(was_released_in_vain)
    is_away = False
    await until(nothing_is_held)
    event.remove(database.engine.sync_engine, "checkout", refuse)


@pytest.mark.parametrize("part", range(4), ids=["limits", "budgets", "quota", "credit"])
@pytest.mark.parametrize("terms", [ALL], ids=["all"])
async def test_a_part_that_is_held_but_whose_commit_is_never_answered_is_released(
    holds: Holds,
    make_call: MakeCall,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    part: int,
) -> None:
    looks: list[list[int | None]] = []
    is_looking = False
    commit, reserve = Transaction.commit, QuotaHolds._reserved_at_once

    async def lose() -> None:
        """Lose the first answer by which something of the part is held."""
        nonlocal is_looking
        if is_looking or any(holding[part] for holding in looks):
            return
        is_looking = True
        looks.append(await held(database))
        is_looking = False
        if looks[-1][part]:
            raise asyncpg.ConnectionDoesNotExistError("closed in the middle of operation")

    async def committed(transaction: Transaction) -> None:
        await commit(transaction)
        await lose()

    async def reserved(*arguments: Any) -> bool:
        at_once = await reserve(*arguments)
        await lose()
        return at_once

    async def nothing_is_held() -> bool:
        return await held(database) == [0, 0, 0, 0]

    monkeypatch.setattr(HoldGroups, "hold", left_undecided)
    monkeypatch.setattr(Transaction, "commit", committed)
    monkeypatch.setattr(QuotaHolds, "_reserved_at_once", reserved)
    with pytest.raises((asyncpg.PostgresError, DBAPIError)):
        await holds.reserve(make_call())
    assert looks[-1][part]
    await until(nothing_is_held)
    await holds.reserve(make_call())


@pytest.mark.parametrize("terms", [TIERED], ids=["tiered"])
async def test_together_or_by_parts_a_tier_has_the_same_price(
    holds: Holds, make_call: MakeCall, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def booked() -> list[Decimal]:
        """What one call holds of budget and credit, and then what it takes of them."""
        call = make_call()
        call.asked.document["service_tier"] = "priority"
        await holds.reserve(call)
        before = await amounts(database, call.event_id)
        call.usage, call.answered, call.used_tier = Usage(prompt=10, completion=7), True, "priority"
        await holds.settle(call, await call.event("completed"))
        return [*before, *(await amounts(database, call.event_id))]

    together = await booked()
    monkeypatch.setattr(HoldGroups, "hold", left_undecided)
    monkeypatch.setattr(HoldGroups, "settle", left_undecided)
    # Three dollars a token: 500 of them at most, and seven in the end
    assert together == await booked() == [1500, 1500, 0, 21, 0, 21]


async def amounts(database: Database, call_id: str) -> list[Decimal]:
    """A call's hold on its budget, what it has reserved of credit, and what it has used of it."""
    held = credit_reservations.c.held
    async with database.begin() as connection:
        budget = await connection.scalar(
            select(key_budget_holds.c.amount).where(key_budget_holds.c.id == call_id)
        )
        row = await connection.execute(
            select(held, credit_reservations.c.state, credit_reservations.c.used).where(
                credit_reservations.c.id == call_id
            )
        )
    by_grant, state, used = row.one()
    reserved = sum(map(Decimal, by_grant.values()), Decimal(0)) if state == "open" else Decimal(0)
    return [Decimal(budget or 0), reserved, used]


async def left_undecided(_groups: HoldGroups, _tenant_id: str, _ask: object) -> dict[str, Any]:
    return LATER


async def held(database: Database) -> list[int | None]:
    """How many holds there are on anything: limits, budgets, quotas, credit."""
    async with database.begin() as connection:
        return [
            await connection.scalar(select(func.count()).where(still))
            for still in (
                key_calls.c.call_id.is_not(None),
                key_budget_holds.c.amount > 0,
                quota_holds.c.output_tokens > 0,
                credit_reservations.c.state == "open",
            )
        ]


async def canceled_at_end(number: int, holds: Holds, call: Call, database: Database) -> bool:
    """Reserve, and cancel it at that end of a transaction; return whether there were so many."""
    ends = 0

    def count() -> None:
        nonlocal ends
        ends += 1
        if ends == number:
            reserving.cancel()

    with on_each(database, count):
        reserving = asyncio.create_task(holds.reserve(call))
        await asyncio.wait({reserving})
    return reserving.cancelled()
