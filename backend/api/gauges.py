"""Gauges that ``/metrics`` reads from the database: the same from every replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from backend.errors import Unavailable
from backend.metering.ingest.pipeline import pipeline_status
from backend.metering.ingest.stream import UsageStream
from backend.metering.tokens.drift import latest_drift
from backend.outbox.claims import waiting_and_failed
from backend.platforms.queries import platform_statuses
from backend.storage.database import Database
from backend.storage.task_health import worker_health
from backend.webhooks.queries import Undelivered, undelivered
from backend_client.types.pipeline import Pipeline, UsageStreamState, WorkerTask
from backend_client.types.platforms import PlatformStatus

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 2.0  # a scrape must not wait for a database that hangs


class _Collected:
    """Collected metrics, in the form that a registry needs."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        return iter(self._metrics)


async def read_gauges(database: Database, stream: UsageStream) -> bytes:
    """Return the gauges in Prometheus's text; without gauges of an engine that does not answer."""
    metrics: list[Metric] = []
    for reading in (_read(database), _pipeline(database, stream)):
        try:
            metrics += await asyncio.wait_for(reading, _PATIENCE_SECONDS)
        except (SQLAlchemyError, OSError, TimeoutError, Unavailable) as error:
            _log.warning("metrics.gauges_left_out", error=str(error) or type(error).__name__)
    registry = CollectorRegistry()
    registry.register(_Collected(metrics))
    return generate_latest(registry)


async def _read(database: Database) -> list[Metric]:
    drift = GaugeMetricFamily(
        "farebox_token_drift_ratio",
        "Tokens that a provider reported beyond our count, as a part of it, on its latest day",
        labels=["model", "meter"],
    )
    async with database.begin() as connection:
        for model, meter, ratio in await latest_drift(connection):
            drift.add_metric([model, meter], float(ratio))
        counts = await waiting_and_failed(connection)
        tasks = await worker_health(connection)
        now = datetime.now(UTC)
        platforms = await platform_statuses(connection, {}, now)
        webhooks = await undelivered(connection, now)
    help_texts = {
        "waiting": "Notifications to be sent; those that no worker has routed yet are unrouted",
        "failed": "Notifications that could not be sent, and are not tried again",
    }
    gauges = {
        state: GaugeMetricFamily(f"farebox_notifications_{state}", text, labels=["channel"])
        for state, text in help_texts.items()
    }
    for (channel, state), count in sorted(counts.items()):
        gauges[state].add_metric([channel], count)
    return [
        drift,
        *gauges.values(),
        *_webhooks(webhooks, now),
        *_task_metrics(tasks),
        *_platforms(platforms),
    ]


def _webhooks(webhooks: Undelivered, now: datetime) -> list[Metric]:
    """Return what customers' own endpoints are still to be sent."""
    lag = 0.0 if webhooks.due_since is None else _seconds(now - webhooks.due_since)
    values = {
        "waiting": (webhooks.waiting, "Events to be delivered to customers' webhooks"),
        "failed": (webhooks.failed, "Events that customers' webhooks did not take for days"),
        "lag_seconds": (lag, "Seconds that the delivery has been due that is due longest"),
    }
    return [
        GaugeMetricFamily(f"farebox_webhook_deliveries_{name}", help_text, value=value)
        for name, (value, help_text) in values.items()
    ]


def _task_metrics(tasks: list[WorkerTask]) -> list[Metric]:
    restarts = CounterMetricFamily(
        "farebox_worker_task_failures",
        "Times that a worker's task failed of a fault, and was started again",
        labels=["task"],
    )
    consecutive = GaugeMetricFamily(
        "farebox_worker_task_consecutive_failures",
        "Passes of a worker's task that failed since the last that did not, outages included",
        labels=["task"],
    )
    succeeded, failed = (
        GaugeMetricFamily(
            f"farebox_worker_task_last_{outcome}_timestamp_seconds",
            f"When a pass of a worker's task last ended in {outcome}: seconds since 1970",
            labels=["task"],
        )
        for outcome in ("success", "failure")
    )
    for task in tasks:
        restarts.add_metric([task.task], task.restarts)
        consecutive.add_metric([task.task], task.consecutive_failures)
        for metric, moment in ((succeeded, task.succeeded_at), (failed, task.failed_at)):
            if moment is not None:
                metric.add_metric([task.task], moment.timestamp())
    return [restarts, consecutive, succeeded, failed]


def _platforms(statuses: list[PlatformStatus]) -> list[Metric]:
    """Return what waits for each billing platform; nothing of those with no tenant."""
    help_texts = {
        "waiting": "Dispatches that wait to be sent to a billing platform",
        "refused": "Dispatches that a billing platform refused: they wait for a replay",
        "lag_seconds": "Seconds that the oldest dispatch has waited",
        "inbox_waiting": "Webhooks of a billing platform that wait to be applied",
        "inbox_failed": "Webhooks of a billing platform that could not be applied",
        "drift": "Things that a billing platform has otherwise than Farebox",
    }
    gauges: list[Metric] = []
    for name, help_text in help_texts.items():
        gauge = GaugeMetricFamily(f"farebox_platform_{name}", help_text, labels=["platform"])
        for status in statuses:
            if status.connections or status.waiting or status.refused:
                gauge.add_metric([status.platform], getattr(status, name))
        gauges.append(gauge)
    return gauges


async def _pipeline(database: Database, stream: UsageStream) -> list[Metric]:
    js = await stream.jetstream()
    async with database.begin() as connection:
        now = await pipeline_status(connection, js, stream.name)
    lag = 0.0 if now.oldest_waiting_at is None else _seconds(now.as_of - now.oldest_waiting_at)
    counted = CounterMetricFamily(
        "farebox_usage_events_counted",
        "Events that workers took from the stream: new ones, and those counted before",
        labels=["result"],
    )
    counted.add_metric(["new"], now.events_counted)
    counted.add_metric(["duplicate"], now.duplicates_counted)
    waiting = GaugeMetricFamily(
        "farebox_usage_tenant_lag_seconds",
        "Seconds that a tenant's oldest message has waited, of those that have waited longest",
        labels=["tenant"],
    )
    for tenant in now.oldest_by_tenant:
        waiting.add_metric([tenant.tenant_id], _seconds(now.as_of - tenant.oldest_waiting_at))
    return [counted, waiting, *_gauges(now, lag), *_stream_metrics(now.streams)]


def _stream_metrics(streams: list[UsageStreamState]) -> list[Metric]:
    help_texts = {
        "waiting_messages": "Messages that wait in a stream of usage to be counted",
        "copies": "Copies of a stream of usage that there are to be",
        "copies_in_step": "Copies of a stream of usage that hold all of it; 0 without a leader",
    }
    gauges: list[Metric] = []
    for name, help_text in help_texts.items():
        gauge = GaugeMetricFamily(f"farebox_usage_stream_{name}", help_text, labels=["stream"])
        for stream in streams:
            gauge.add_metric([stream.name], getattr(stream, name))
        gauges.append(gauge)
    return gauges


def _gauges(now: Pipeline, lag: float) -> list[Metric]:
    return [
        GaugeMetricFamily(f"farebox_usage_{name}", help_text, value=value)
        for name, help_text, value in (
            (
                "waiting_messages",
                "Messages that wait to be counted",
                now.waiting_messages,
            ),
            ("waiting_bytes", "Bytes that wait to be counted", now.waiting_bytes),
            ("stream_bytes", "Bytes that may wait before ingest answers 429", now.most_bytes),
            ("lag_seconds", "Seconds that the oldest of them has waited", lag),
            ("dead_letters", "Messages that could not be counted", now.dead_letters),
            (
                "redelivered_messages",
                "Messages that came back uncounted and are being tried again",
                now.redelivered_messages,
            ),
        )
    ]


def _seconds(waited: timedelta) -> float:
    return max(0.0, waited.total_seconds())
