"""The worker's side of forecasts: takes requests, computes each forecast once, stores it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from backend.accounts.tenants import find_tenant
from backend.errors import NotFound
from backend.forecasting.backtest import backtest
from backend.forecasting.forecast import compute
from backend.forecasting.gather import read_job
from backend.forecasting.inputs import ForecastJob
from backend.forecasting.requests import forecast_subject
from backend.forecasting.store import (
    Stored,
    basis_now,
    store_forecast,
    store_trust,
    stored_forecast,
)
from backend.kit.periodic import OUTAGES, every, passed
from backend.kit.side_process import SideProcess
from backend.metering.ingest.connection import open_connection, servers_of
from backend.settings import Settings
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

_QUEUE_GROUP = "forecasting"
_PAUSE_SECONDS = 0.5
_ALIVE_SECONDS = 30.0
"""How often it reports that it listens, when nobody asks."""
_IDLE_SECONDS = 3.0
_TEST_EVERY = timedelta(days=1)
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('forecast ' || $1, 0))"


Result = TypeVar("Result")


class ForecastFailed(Exception):
    """A forecast could not be computed. It must not stop the worker, which also counts events."""


class ForecastsWorker:
    """Computes requested forecasts. Any number may run at once, anywhere."""

    def __init__(self, database: Database, nats_url: str, settings: Settings) -> None:
        self._database = database
        self._nats_url = nats_url
        self._settings = settings
        self._process = SideProcess()
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._asked: set[str] = set()
        self._untested: deque[str] = deque()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL and of NATS."""
        stopped = asyncio.create_task(stop.wait())
        try:
            await every(
                _PAUSE_SECONDS,
                lambda: self._listen(stopped),
                stop,
                name="forecast",
                outages=(NatsError, *OUTAGES),
            )
        finally:
            stopped.cancel()
            await self.close()

    async def close(self) -> None:
        """End the process that computes."""
        await asyncio.to_thread(self._process.close)

    async def _listen(self, stopped: asyncio.Task[bool]) -> None:
        client = await open_connection(
            servers_of(self._nats_url, self._settings), "farebox-forecasts"
        )
        try:
            await client.subscribe(
                forecast_subject(self._settings), queue=_QUEUE_GROUP, cb=self._take
            )
            while not stopped.done():
                following = asyncio.create_task(self._waiting.get())
                # Requests go first: somebody waits for them. Trust is computed when none waits.
                await asyncio.wait(
                    [following, stopped],
                    timeout=_IDLE_SECONDS if self._untested else _ALIVE_SECONDS,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                await passed()
                if following.done():
                    await self._answer(following.result())
                    continue
                following.cancel()
                if self._untested and not stopped.done():
                    tenant_id = self._untested.popleft()
                    async with self._surviving(tenant_id):
                        await self.test(tenant_id)
        finally:
            await client.close()

    async def _take(self, message: Msg) -> None:
        """Queue a request; requests for the same tenant meanwhile get the same answer."""
        tenant_id = message.data.decode(errors="replace")
        if tenant_id not in self._asked:
            self._asked.add(tenant_id)
            self._waiting.put_nowait(tenant_id)

    async def _answer(self, tenant_id: str) -> None:
        async with self._surviving(tenant_id):
            await self.refresh(tenant_id)
            if tenant_id not in self._untested:
                self._untested.append(tenant_id)
        self._asked.discard(tenant_id)

    @asynccontextmanager
    async def _surviving(self, tenant_id: str) -> AsyncIterator[None]:
        try:
            yield
        except NotFound:
            _log.info("forecast.tenant_gone", tenant=tenant_id)
        except OUTAGES as error:
            # It is asked for again as long as somebody looks.
            _log.warning("forecast.failed", tenant=tenant_id, error=str(error))
        except ForecastFailed as error:
            _log.error("forecast.failed", tenant=tenant_id, error=str(error), exc_info=error)

    async def refresh(self, tenant_id: str) -> bool:
        """Compute and store a tenant's forecast;

        False if it is fresh or another worker computes it. Raises ``NotFound`` if there is no such
        tenant.
        """
        async with self._alone(tenant_id) as alone:
            if not alone:
                return False
            began = datetime.now(UTC)
            async with self._database.begin() as connection:
                tenant = await find_tenant(connection, tenant_id)
                now = tenant.clock_at or began
                stored = await stored_forecast(connection, tenant, now)
                if stored is not None and stored.fresh:
                    return False
                basis = await basis_now(connection, tenant, now)
                job = await read_job(connection, tenant, now)
            outcome = await self._computed(compute, job)
            async with self._database.begin() as connection:
                await find_tenant(connection, tenant_id)
                await store_forecast(connection, tenant_id, outcome, basis)
        took = (datetime.now(UTC) - began).total_seconds()
        method = outcome.forecast.method
        _log.info("forecast.computed", tenant=tenant_id, method=method, seconds=took)
        return True

    async def test(self, tenant_id: str) -> bool:
        """Compute the trust in a tenant's forecast, once a day; False if it was computed.

        Raises ``NotFound`` if there is no such tenant.
        """
        async with self._alone(tenant_id) as alone:
            if not alone:
                return False
            began = datetime.now(UTC)
            async with self._database.begin() as connection:
                tenant = await find_tenant(connection, tenant_id)
                now = tenant.clock_at or began
                stored = await stored_forecast(connection, tenant, now)
                if stored is None or not _due(stored, now):
                    return False
                job = await read_job(connection, tenant, now)
            trust = await self._computed(backtest, job)
            async with self._database.begin() as connection:
                await store_trust(connection, tenant_id, trust, now)
        took = (datetime.now(UTC) - began).total_seconds()
        _log.info("forecast.tested", tenant=tenant_id, seconds=took)
        return True

    async def _computed(
        self, function: Callable[[ForecastJob], Result], job: ForecastJob
    ) -> Result:
        """Return ``function(job)``; raise ``ForecastFailed`` for any error in it."""
        computing = asyncio.create_task(self._process.compute(function, job))
        try:
            await asyncio.wait([computing])
        finally:
            computing.cancel()
        if error := computing.exception():
            raise ForecastFailed(str(error) or type(error).__name__) from error
        return computing.result()

    @asynccontextmanager
    async def _alone(self, tenant_id: str) -> AsyncIterator[bool]:
        """Lock a tenant's forecast; yields False if another worker has the lock."""
        async with self._database.raw() as lock:  # the lock ends with the connection
            yield await lock.fetchval(_TRY_LOCK, tenant_id)


def _due(stored: Stored, now: datetime) -> bool:
    return stored.tested_at is None or now - stored.tested_at > _TEST_EVERY
