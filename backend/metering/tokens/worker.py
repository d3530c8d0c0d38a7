"""The worker's side of drift: computes days that are due, and warns of a model that drifts."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import func, select

from backend.kit.periodic import every
from backend.metering.tokens.drift import RECENT_DAYS, compute_day, days_due, drift_report
from backend.settings import Settings
from backend.storage.database import Database
from backend_client.types.common import plain
from backend_client.types.drift import DriftReport

_log = structlog.get_logger(__name__)


EVERY_SECONDS: Final = 300.0
_LOCK: Final = 0x6472_6966_74  # "drift" in ASCII: one worker makes the pass


class DriftWorker:
    """Keeps ``token_drift`` up to date. Any number may run; one at a time works.

    A model that drifts beyond the tolerance on one of the last days is logged, once when that
    begins and once when it ends.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._alerted: set[tuple[date, str, str]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; survive the loss of PostgreSQL."""

        async def act() -> None:
            await self.once(datetime.now(UTC))

        await every(EVERY_SECONDS, act, stop, name="drift")

    async def once(self, now: datetime) -> int:
        """Make one pass, a transaction a day; return how many days it computed."""
        async with self._database.begin() as connection:
            days = await days_due(connection, now)
        done = 0
        for day in days:
            async with self._database.begin() as connection:
                # Of two workers on a day the second would wait and then repeat the work.
                if not await connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))):
                    return done
                await compute_day(connection, day)
                report = await drift_report(
                    connection, self._settings, start=day, end=day + timedelta(days=1)
                )
            done += 1
            if day > now.astimezone(UTC).date() - timedelta(days=RECENT_DAYS):
                self._log_alerts(report)
        return done

    def _log_alerts(self, report: DriftReport) -> None:
        for model in report.models:
            place = (report.start, model.model, model.meter)
            if model.alert == (place in self._alerted):
                continue
            # None: the provider reported tokens, and none were counted here
            ratio = None if model.ratio is None else plain(model.ratio)
            log = _log.bind(day=report.start.isoformat(), model=model.model, meter=model.meter)
            if model.alert:
                self._alerted.add(place)
                log.warning("drift.beyond_tolerance", ratio=ratio, events=model.events)
            else:
                self._alerted.remove(place)
                log.info("drift.within_tolerance", ratio=ratio, events=model.events)
