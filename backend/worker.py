"""The worker: counts events; beside that it bills, notifies and forecasts. Run any number."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import structlog

from backend.errors import ConfigurationError
from backend.forecasting.worker import ForecastWorker
from backend.invoices.letters.writing import CustomerLetters
from backend.invoices.worker import InvoicesWorker
from backend.kit.extras import has_extra
from backend.metering.archives.retention import EventRetention
from backend.metering.counting.worker import UsageConsumer
from backend.metering.tokens.drift import DriftPass
from backend.outbox.worker import NotificationsWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.subscriptions.settled_usage import SettledUsage
from backend.wallets.worker import WalletsWorker

_log = structlog.get_logger(__name__)

Task = Callable[[asyncio.Event], Awaitable[None]]


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what was begun is finished first."""
    if settings.database_url is None or settings.nats_url is None:
        raise ConfigurationError(
            "The worker needs DATABASE_URL and NATS_URL; 'farebox up' sets both."
        )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    database = Database(settings.database_url, pool_size=settings.database_pool_size)
    tasks: list[Task] = [
        UsageConsumer(database, settings.nats_url, settings).run,
        DriftPass(database, settings).run,
        WalletsWorker(database).run,
        InvoicesWorker(database, settings).run,
        NotificationsWorker(database, settings, CustomerLetters(database, settings)).run,
    ]
    if has_extra("forecasts"):
        tasks.append(ForecastWorker(database, settings.nats_url, settings).run)
    else:
        _log.warning("forecasts.off", install="farebox[forecasts]")
    if settings.event_retention_days is not None and settings.event_archive_dir is not None:
        days, directory = settings.event_retention_days, settings.event_archive_dir
        tasks.append(EventRetention(database, SettledUsage(settings).before, days, directory).run)
    _log.info("worker.started")
    try:
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                group.create_task(_run(task, stop))
    finally:
        await database.close()
        _log.info("worker.stopped")


async def _run(task: Task, stop: asyncio.Event) -> None:
    await task(stop)
