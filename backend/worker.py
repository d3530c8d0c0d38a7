"""The worker: counts events, bills, notifies and forecasts. Run any number.

``TASKS`` is all that it does. A task that fails is started again, while the others continue.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from backend.budgets.worker import ENDED_SECONDS as ENDED_BUDGETS_SECONDS
from backend.budgets.worker import NOTICES_SECONDS as BUDGETS_SECONDS
from backend.budgets.worker import BudgetsWorker, EndedBudgetsWorker
from backend.chargeback.worker import EVERY_SECONDS as DEPARTMENT_BUDGETS_SECONDS
from backend.chargeback.worker import DepartmentBudgetsWorker
from backend.clocks.worker import EVERY_SECONDS as CLOCKS_SECONDS
from backend.clocks.worker import ClocksWorker
from backend.customers.worker import EVERY_SECONDS as TAX_IDS_SECONDS
from backend.customers.worker import TaxIdsWorker
from backend.errors import ConfigurationError
from backend.forecasting.worker import ForecastsWorker
from backend.gateway.request_log.worker import EVERY_SECONDS as REQUESTS_SECONDS
from backend.gateway.request_log.worker import RequestsWorker
from backend.invoices.letters.writing import CustomerLetters
from backend.invoices.worker import EVERY_SECONDS as INVOICES_SECONDS
from backend.invoices.worker import InvoicesWorker
from backend.kit.extras import has_extra
from backend.kit.periodic import Run, keep_running
from backend.metering.archives.worker import EVERY_SECONDS as RETENTION_SECONDS
from backend.metering.archives.worker import ArchivesWorker
from backend.metering.counting.worker import CountingWorker
from backend.metering.ingest.streams import SPREAD_FROM_REPLICAS
from backend.metering.ingest.worker import EVERY_SECONDS as STREAMS_SECONDS
from backend.metering.ingest.worker import StreamsWorker
from backend.metering.refusals.worker import EVERY_SECONDS as REFUSALS_SECONDS
from backend.metering.refusals.worker import RefusalsWorker
from backend.metering.tokens.worker import EVERY_SECONDS as DRIFT_SECONDS
from backend.metering.tokens.worker import DriftWorker
from backend.outbox.delivering import EVERY_SECONDS as OUTBOX_SECONDS
from backend.outbox.worker import OutboxWorker
from backend.platforms.configured import has_platform
from backend.platforms.worker import EVERY_SECONDS as PLATFORMS_SECONDS
from backend.platforms.worker import PlatformsWorker
from backend.playground.worker import EVERY_SECONDS as HISTORY_SECONDS
from backend.playground.worker import PlaygroundWorker
from backend.quotas.worker import EVERY_SECONDS as QUOTAS_SECONDS
from backend.quotas.worker import QuotasWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.task_health import TaskHealth
from backend.subscriptions.settled_usage import SettledUsage
from backend.wallets.worker import EVERY_SECONDS as WALLETS_SECONDS
from backend.wallets.worker import WalletsWorker
from backend.webhooks.delivering import EVERY_SECONDS as WEBHOOKS_SECONDS
from backend.webhooks.worker import WebhooksWorker

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """Something that every worker does for as long as it runs."""

    name: str
    what: str
    """What it does, for people; beside its passes, what it does every hour or every day."""
    every_seconds: float | None
    """Seconds between two passes; None for what is done as it comes."""
    start: Callable[[Database, Settings], Run]
    """Makes what runs; asked again after a failure."""
    wanted: Callable[[Settings], bool] | None = None
    """Says whether the settings ask for it, and what it needs is installed; None for always."""
    only_with: str = ""
    """What ``wanted`` looks for, for people."""

    def runs(self, settings: Settings) -> bool:
        """Return whether a worker with these settings does it."""
        return self.wanted is None or self.wanted(settings)


def _counting(database: Database, settings: Settings) -> Run:
    return CountingWorker(database, _nats_url(settings), settings).run


def _streams(_: Database, settings: Settings) -> Run:
    return StreamsWorker(_nats_url(settings), settings).run


def _forecasts(database: Database, settings: Settings) -> Run:
    return ForecastsWorker(database, _nats_url(settings), settings).run


def _drift(database: Database, settings: Settings) -> Run:
    return DriftWorker(database, settings).run


def _wallets(database: Database, settings: Settings) -> Run:
    return WalletsWorker(database).run


def _invoices(database: Database, settings: Settings) -> Run:
    return InvoicesWorker(database, settings).run


def _tax_ids(database: Database, settings: Settings) -> Run:
    return TaxIdsWorker(database, settings).run


def _department_budgets(database: Database, settings: Settings) -> Run:
    return DepartmentBudgetsWorker(database, settings).run


def _quotas(database: Database, _: Settings) -> Run:
    return QuotasWorker(database).run


def _budgets(database: Database, _: Settings) -> Run:
    return BudgetsWorker(database).run


def _ended_budgets(database: Database, _: Settings) -> Run:
    return EndedBudgetsWorker(database).run


def _clocks(database: Database, settings: Settings) -> Run:
    return ClocksWorker(database, _nats_url(settings), settings).run


def _outbox(database: Database, settings: Settings) -> Run:
    return OutboxWorker(database, settings, CustomerLetters(database, settings)).run


def _webhooks(database: Database, settings: Settings) -> Run:
    return WebhooksWorker(database, settings).run


def _refusals(database: Database, settings: Settings) -> Run:
    return RefusalsWorker(database, settings.refused_event_days).run


def _playground(database: Database, settings: Settings) -> Run:
    return PlaygroundWorker(database, settings.conversation_days).run


def _requests(database: Database, settings: Settings) -> Run:
    return RequestsWorker(database, settings.request_log_days).run


def _platforms(database: Database, settings: Settings) -> Run:
    return PlatformsWorker(database, settings).run


def _archives(database: Database, settings: Settings) -> Run:
    days, directory = settings.event_retention_days, settings.event_archive_dir
    if days is None or directory is None:
        raise ConfigurationError("Set FAREBOX_EVENT_RETENTION_DAYS and FAREBOX_EVENT_ARCHIVE_DIR.")
    return ArchivesWorker(database, SettledUsage(settings).before, days, directory).run


TASKS: Final = (
    Task(
        "counting",
        "counts events of the stream into rollups, and sets aside what can't be counted",
        None,
        _counting,
    ),
    Task(
        "streams",
        "keeps the leaders of the streams on different servers",
        STREAMS_SECONDS,
        _streams,
        lambda settings: settings.stream_replicas >= SPREAD_FROM_REPLICAS,
        "three copies of the streams",
    ),
    Task(
        "forecasts",
        "computes the forecasts that the API asks for; tests each tenant's every day",
        None,
        _forecasts,
        lambda _: has_extra("forecasts"),
        "the extra `forecasts`",
    ),
    Task(
        "drift",
        "compares the tokens that providers report with our own count",
        DRIFT_SECONDS,
        _drift,
    ),
    Task(
        "wallets",
        "expires credit, brings plans' credit, ends lapsed holds, asks for top-ups",
        WALLETS_SECONDS,
        _wallets,
    ),
    Task(
        "invoices",
        "invoices periods that are due, and parts past a threshold; reminds; every hour tries "
        "again where billing failed",
        INVOICES_SECONDS,
        _invoices,
    ),
    Task(
        "tax_ids",
        "looks up customers' VAT ids that are new or not looked up for 30 days",
        TAX_IDS_SECONDS,
        _tax_ids,
        lambda settings: settings.vies_url is not None,
        "`FAREBOX_VIES_URL`",
    ),
    Task(
        "quotas",
        "gives notice of plans' quotas that are used up, or nearly",
        QUOTAS_SECONDS,
        _quotas,
    ),
    Task(
        "budgets",
        "gives notice of budgets of keys, applications and labels that are used up, or nearly",
        BUDGETS_SECONDS,
        _budgets,
    ),
    Task(
        "ended_budgets",
        "clears up after budgets that were removed: their states, and holds that have lapsed",
        ENDED_BUDGETS_SECONDS,
        _ended_budgets,
    ),
    Task(
        "department_budgets",
        "gives notice of departments' budgets that this month has used up, or nearly",
        DEPARTMENT_BUDGETS_SECONDS,
        _department_budgets,
    ),
    Task(
        "clocks",
        "advances the test clocks of sample tenants, and does on the way what is due by them",
        CLOCKS_SECONDS,
        _clocks,
    ),
    Task(
        "outbox",
        "gives what is new to the channels, and delivers what is due; clears up every hour",
        OUTBOX_SECONDS,
        _outbox,
    ),
    Task(
        "webhooks",
        "gives what is new to customers' own webhooks, and delivers what is due",
        WEBHOOKS_SECONDS,
        _webhooks,
    ),
    Task(
        "platforms",
        "sends what waits for a billing platform, and applies what came from it; compares both "
        "sides every day",
        PLATFORMS_SECONDS,
        _platforms,
        has_platform,
        "a billing platform's credential",
    ),
    Task(
        "archives",
        "moves old events into archives",
        RETENTION_SECONDS,
        _archives,
        lambda settings: settings.event_retention_days is not None,
        "`FAREBOX_EVENT_RETENTION_DAYS`",
    ),
    Task(
        "refusals",
        "removes refused events that were listed for long enough",
        REFUSALS_SECONDS,
        _refusals,
    ),
    Task(
        "playground",
        "removes conversations of the playground that were kept for long enough",
        HISTORY_SECONDS,
        _playground,
    ),
    Task(
        "requests",
        "removes calls that were in the log for long enough, and their bodies",
        REQUESTS_SECONDS,
        _requests,
    ),
)


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
    if not has_extra("forecasts"):
        _log.warning("forecasts.off", install="farebox[forecasts]")
    _log.info("worker.started")
    try:
        await run_tasks([task for task in TASKS if task.runs(settings)], database, settings, stop)
    finally:
        await database.close()
        _log.info("worker.stopped")


async def run_tasks(
    tasks: list[Task], database: Database, settings: Settings, stop: asyncio.Event
) -> None:
    """Run the tasks side by side until ``stop`` is set."""
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            health = TaskHealth(database, task.name)
            group.create_task(
                keep_running(
                    partial(task.start, database, settings),
                    stop,
                    name=task.name,
                    failed=health.restarted,
                    report=health.passed,
                )
            )


def _nats_url(settings: Settings) -> str:
    if settings.nats_url is None:
        raise ConfigurationError("The worker needs NATS_URL.")
    return settings.nats_url
