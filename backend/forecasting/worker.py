"""The worker's side of forecasts: take what is asked for, compute it once, keep it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from zlib import crc32
from zoneinfo import ZoneInfo

import asyncpg
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from sqlalchemy.exc import SQLAlchemyError

from backend.accounts.tenants import find_tenant
from backend.billing.spend import open_period
from backend.errors import NotFound
from backend.forecasting.asking import forecast_subject
from backend.forecasting.history import recent_mixes, spent_days, usage_history
from backend.forecasting.outcome import ForecastJob
from backend.forecasting.process import ForecastProcess
from backend.forecasting.store import Basis, basis_now, store_forecast, stored_forecast
from backend.metering.stream import open_connection
from backend.settings import Settings
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

_QUEUE_GROUP = "forecasting"
_PAUSE_SECONDS = 0.5
_TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('forecast ' || $1, 0))"


class ForecastWorker:
    """Computes the forecasts that are asked for. As many as wanted may run at once, anywhere."""

    def __init__(self, database: Database, nats_url: str, settings: Settings) -> None:
        self._database = database
        self._nats_url = nats_url
        self._settings = settings
        self._process = ForecastProcess()
        self._waiting: asyncio.Queue[str] = asyncio.Queue()
        self._asked: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; outlive the loss of PostgreSQL and of NATS."""
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                try:
                    await self._listen(stopped)
                except (NatsError, OSError, TimeoutError) as error:
                    _log.warning("forecast.interrupted", error=str(error) or type(error).__name__)
                    await asyncio.wait([stopped], timeout=_PAUSE_SECONDS)
        finally:
            stopped.cancel()
            await asyncio.to_thread(self._process.close)

    async def _listen(self, stopped: asyncio.Task[bool]) -> None:
        client = await open_connection(self._nats_url, "farebox-forecasts")
        try:
            await client.subscribe(
                forecast_subject(self._settings), queue=_QUEUE_GROUP, cb=self._take
            )
            while not stopped.done():
                next_one = asyncio.create_task(self._waiting.get())
                await asyncio.wait([next_one, stopped], return_when=asyncio.FIRST_COMPLETED)
                if next_one.done():
                    await self._answer(next_one.result())
                else:
                    next_one.cancel()
        finally:
            await client.close()

    async def _take(self, message: Msg) -> None:
        """Note who is asked for; whoever asks again meanwhile is served by the same answer."""
        tenant_id = message.data.decode(errors="replace")
        if tenant_id not in self._asked:
            self._asked.add(tenant_id)
            self._waiting.put_nowait(tenant_id)

    async def _answer(self, tenant_id: str) -> None:
        try:
            await self.refresh(tenant_id)
        except NotFound:
            _log.info("forecast.tenant_gone", tenant=tenant_id)
        except (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            # It is asked for again as long as somebody looks.
            _log.warning("forecast.failed", tenant=tenant_id, error=str(error))
        finally:
            self._asked.discard(tenant_id)

    async def refresh(self, tenant_id: str) -> bool:
        """Compute and keep a tenant's forecast; False if it is fresh or another worker is at it.

        Raises ``NotFound`` if there is no such tenant.
        """
        async with self._database.raw() as lock:  # the lock ends with the connection
            if not await lock.fetchval(_TRY_LOCK, tenant_id):
                return False
            now = datetime.now(UTC)
            prepared = await self._prepare(tenant_id, now)
            if prepared is None:
                return False
            job, basis = prepared
            forecast = await self._process.compute(job)
            async with self._database.begin() as connection:
                await find_tenant(connection, tenant_id)
                await store_forecast(connection, tenant_id, forecast, basis)
        took = (datetime.now(UTC) - now).total_seconds()
        _log.info("forecast.computed", tenant=tenant_id, method=forecast.method, seconds=took)
        return True

    async def _prepare(self, tenant_id: str, now: datetime) -> tuple[ForecastJob, Basis] | None:
        async with self._database.begin() as connection:
            tenant = await find_tenant(connection, tenant_id)
            _, state = await stored_forecast(connection, tenant, now)
            if state == "fresh":
                return None
            basis = await basis_now(connection, tenant, now)
            opened = await open_period(connection, tenant, now)
            history = await usage_history(connection, tenant, now)
            spent = await spent_days(
                connection, tenant_id, opened.period, opened.stretches, history.today
            )
            mixes = await recent_mixes(connection, tenant_id, opened.stretches, now)
        # The same all day long, so that a forecast moves with usage and not by chance.
        today = now.astimezone(ZoneInfo(tenant.time_zone)).date()
        seed = crc32(f"{tenant_id} {today}".encode())
        return ForecastJob(opened, history, spent, mixes, now, seed), basis
