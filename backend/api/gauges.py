"""What ``/metrics`` reads from the database when it is asked: the same from every replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy.exc import SQLAlchemyError

from backend.metering.drift import latest_drift
from backend.storage.database import Database

_log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 2.0  # a scrape must not hang on a database that does


class _Collected:
    """Metrics that are there already, as a registry wants them."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Give the metrics."""
        return iter(self._metrics)


async def read_gauges(database: Database) -> bytes:
    """Return the gauges in Prometheus's text; without those of a database that does not answer."""
    try:
        metrics = await asyncio.wait_for(_read(database), _PATIENCE_SECONDS)
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        _log.warning("metrics.gauges_left_out", error=str(error) or type(error).__name__)
        return b""
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
    return [drift]
