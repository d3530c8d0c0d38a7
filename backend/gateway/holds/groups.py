"""Holds of calls, made and settled by one statement, those of a tenant in groups.

All calls of a tenant lock the same rows, so a process has one statement of a tenant under way at a
time. What comes meanwhile waits for the next and goes together: a single call goes at once, and of
many calls a statement, a commit and a round trip have several. Each call is decided by itself, in
turn, as if it had come alone.

The statement does what is usual. Where more is to do, it does nothing of the call and says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import asyncpg
import orjson

from backend.quotas.holds import FRESH, LAPSE, OUTPUT_METERS, PROMPT_METERS
from backend.storage.database import Database
from backend.storage.outages import is_outage, sqlstate_of

Document = dict[str, Any]
LATER: Final[Document] = {"later": "all"}

_MOST: Final = 64
"""Calls in one statement."""
_STATEMENT: Final = (
    "SELECT settle_and_hold_calls("
    "$1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, $10, $11, $12)::text"
)


_LOCK: Final = "SELECT lock_holds($1, $2, $3, $4, $5)"
_MAYBE_STORED: Final = frozenset({"08", "57", "58"})
"""Classes of errors that end the connection: of what was stored its sender was not told."""


class Unanswered(OSError):
    """PostgreSQL got the statement and went away: what it holds may be stored or not."""


_DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


@dataclass(slots=True)
class _Asked:
    document: Document
    settles: bool
    outcome: asyncio.Future[Document]


@dataclass(slots=True)
class _Tenant:
    waiting: list[_Asked] = field(default_factory=list)


class HoldGroups:
    """Makes and settles holds; one a process."""

    def __init__(self, database: Database, *, lease: timedelta) -> None:
        self._database = database
        self._lease = lease
        self._tenants: dict[str, _Tenant] = {}
        """Those of which a statement is under way."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def hold(self, tenant_id: str, ask: Document) -> Document:
        """Hold all that a call asks for, or nothing; return what became of it.

        ``windows`` if it is held, ``limited`` with the limit that refuses it, ``stale`` with what
        has to be read anew before it can be decided, and ``later`` if it is not to be decided here.
        Raises the database's errors; ``Unanswered`` where it may be held all the same.
        """
        return await self._ask(tenant_id, ask, settles=False)

    async def settle(self, tenant_id: str, ask: Document) -> Document:
        """Settle what a call holds; return ``later`` with what is still to be settled, if anything.

        May be repeated. Raises the database's errors.
        """
        return await self._ask(tenant_id, ask, settles=True)

    async def outlast(
        self, tenant_id: str, limited: list[str], budgeted: list[str], *, quota: bool, credit: bool
    ) -> None:
        """Wait until earlier statements on these have ended, those that nobody waits for too."""
        async with self._database.driver() as connection:
            await connection.execute(_LOCK, tenant_id, sorted(limited), budgeted, quota, credit)

    async def _ask(self, tenant_id: str, ask: Document, *, settles: bool) -> Document:
        asked = _Asked(ask, settles, asyncio.get_running_loop().create_future())
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = _Tenant()
            task = asyncio.create_task(self._work(tenant_id, tenant))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        tenant.waiting.append(asked)
        return await asked.outcome

    async def _work(self, tenant_id: str, tenant: _Tenant) -> None:
        try:
            while tenant.waiting:
                group, tenant.waiting = tenant.waiting[:_MOST], tenant.waiting[_MOST:]
                await self._decide(tenant_id, tenant, group)
        finally:
            # At once after the last look at what waits: what comes now begins anew
            del self._tenants[tenant_id]

    async def _decide(self, tenant_id: str, tenant: _Tenant, group: list[_Asked]) -> None:
        ordered = [each for each in group if each.settles]
        settled = len(ordered)
        ordered += [each for each in group if not each.settles]
        try:
            outcomes = await self._execute(
                tenant_id,
                [each.document for each in ordered[:settled]],
                [each.document for each in ordered[settled:]],
            )
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            if len(ordered) > 1 and _is_rolled_back(error):
                # A fault of one call undid all of them: each goes by itself
                _tell(ordered, [LATER] * len(ordered))
                return
            # What came meanwhile would take as long to fail
            for each in [*ordered, *tenant.waiting]:
                if not each.outcome.done():
                    each.outcome.set_exception(error)
            tenant.waiting = []
        else:
            _tell(ordered, outcomes)

    async def _execute(
        self, tenant_id: str, settled: list[Document], begun: list[Document]
    ) -> list[Document]:
        asks = [*settled, *begun]
        arguments = (
            tenant_id,
            sorted({limit["key"] for ask in asks for limit in ask["limits"]}),
            # Also of what is settled: whoever forgets counted holds has the row locked, and two
            # that change the same holds in two orders would deadlock
            sorted(
                {budget["key"] for ask in begun for budget in ask.get("budget", [])}
                | {owner for ask in settled for owner in ask.get("budgeted", [])}
            ),
            any("quota" in ask for ask in asks),
            any("credit" in ask for ask in asks),
            orjson.dumps(settled).decode(),
            orjson.dumps(begun).decode(),
            FRESH,
            LAPSE,
            self._lease,
            sorted(PROMPT_METERS),
            sorted(OUTPUT_METERS),
        )
        async with self._database.driver() as connection:
            try:
                outcomes = await connection.fetchval(_STATEMENT, *arguments)
            except _DRIVER_ERRORS as error:
                if _is_maybe_stored(error):
                    raise Unanswered(str(error)) from error
                raise
        decided: list[Document] = orjson.loads(outcomes)
        return decided


def _tell(group: list[_Asked], outcomes: list[Document]) -> None:
    for each, outcome in zip(group, outcomes, strict=True):
        if not each.outcome.done():  # by being canceled
            each.outcome.set_result(outcome)


def _is_rolled_back(error: BaseException) -> bool:
    """Whether PostgreSQL itself refused the statement, so that nothing of it is stored."""
    state = sqlstate_of(error)
    return state is not None and (state.startswith("40") or not is_outage(error))


def _is_maybe_stored(error: BaseException) -> bool:
    """Whether PostgreSQL may have stored what a statement did, though it failed here."""
    state = sqlstate_of(error)
    return is_outage(error) and (state is None or state[:2] in _MAYBE_STORED)
