"""Gauges that ``/metrics`` reads from the database: the same from every replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from backend.errors import Unavailable
from backend.metering.ingest.pipeline import pipeline_status
from backend.metering.ingest.stream import UsageStream
from backend.metering.tokens.drift import latest_drift
from backend.outbox.claims import waiting_and_failed
from backend.storage.database import Database
from backend.storage.tables import worker_failures
from backend_client.types.pipeline import Pipeline

_log = structlog.get_logger(__name__)

_FAILURES = select(worker_failures.c.task, worker_failures.c.failures).order_by("task")
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
    task_failures = CounterMetricFamily(
        "farebox_worker_task_failures",
        "Times that a worker's task failed of a fault, and was started again",
        labels=["task"],
    )
    async with database.begin() as connection:
        for model, meter, ratio in await latest_drift(connection):
            drift.add_metric([model, meter], float(ratio))
        counts = await waiting_and_failed(connection)
        for task, failures in await connection.execute(_FAILURES):
            task_failures.add_metric([task], failures)
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
    return [drift, *gauges.values(), task_failures]


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
    return [counted, *_gauges(now, lag)]


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
        )
    ]


def _seconds(waited: timedelta) -> float:
    return max(0.0, waited.total_seconds())
