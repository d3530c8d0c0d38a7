"""A NATS cluster of three loses one server after another under load, and no event with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from nats.js.errors import APIError
from sqlalchemy import func, select

from backend.errors import Unavailable
from backend.metering.counting.worker import UsageConsumer
from backend.metering.events import AcceptedEvent
from backend.metering.ingest.stream import (
    ELECTION_SECONDS,
    UsageStream,
    dead_letter_stream,
)
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import counted_totals, events, rollups
from tests.support.nats_cluster import NatsCluster
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = pytest.mark.crash

SENDERS = 4


@pytest.fixture
def cluster(engines_home: Path) -> Iterator[NatsCluster]:
    cluster = NatsCluster(engines_home / "cluster")
    cluster.start_all()
    yield cluster
    cluster.stop()


class Load:
    """Senders that publish one event after another, and what they saw."""

    def __init__(self, stream: UsageStream, tenant: SampleTenant) -> None:
        self._stream = stream
        self._tenant = tenant
        self.sent = 0
        self.refused: list[str] = []
        self.longest_seconds = 0.0

    async def send(self, sender: int, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            began = time.monotonic()
            try:
                await self._stream.publish([self._event(f"{sender}-{number}")])
            except Unavailable as error:
                self.refused.append(error.detail)
                continue
            finally:
                self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
            number += 1
            self.sent += 1

    def _event(self, name: str) -> AcceptedEvent:
        now = datetime.now(UTC)
        return AcceptedEvent(
            tenant_id=self._tenant.id,
            source="test",
            id=name,
            time=now,
            received_at=now,
            application_id=self._tenant.application,
            model="large",
            quantities={"requests": Decimal(1)},
        )


async def formed(stream: UsageStream, cluster: NatsCluster, name: str) -> None:
    """Return once every server keeps the stream, and is in step with its leader."""

    async def is_formed() -> bool:
        try:
            info = await (await stream.jetstream()).stream_info(name)
        except (Unavailable, APIError, TimeoutError):
            return False
        if info.cluster is None or not info.cluster.leader:
            return False
        replicas = info.cluster.replicas or []
        return len(replicas) == 2 and all(
            replica.current and not replica.offline for replica in replicas
        )

    await until(is_formed, seconds=90, pause=0.2)


async def test_each_server_in_turn_is_killed_and_nothing_is_lost_or_doubled(
    cluster: NatsCluster, database: Database, stream_name: str
) -> None:
    settings = Settings(stream_name=stream_name, stream_replicas=3, stream_max_bytes=64 * 1024**2)
    tenant = await sample_tenant(database)
    stream = UsageStream(cluster.url, settings)
    await formed(stream, cluster, stream_name)
    js = await stream.jetstream()
    # What is already there is brought to the replicas that are wanted, dead letters too
    dead = await js.stream_info(dead_letter_stream(stream_name))
    assert dead.config.num_replicas == 3

    stop = asyncio.Event()
    load = Load(stream, tenant)
    consumer = UsageConsumer(database, cluster.url, settings)
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(stop))
        for sender in range(SENDERS):
            group.create_task(load.send(sender, stop))
        try:
            for victim in ("leader", "connected", "leader"):
                await kill_one(cluster, stream, stream_name, victim, load)
        finally:
            stop.set()
    assert load.refused == []
    # An election is a delay of the senders' and no refusal
    assert load.longest_seconds < ELECTION_SECONDS

    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(finish))

        async def all_counted() -> bool:
            return await count(database) == load.sent

        try:
            await until(all_counted, seconds=60)
        finally:
            finish.set()
    async with database.begin() as connection:
        quantity = await connection.scalar(select(func.sum(rollups.c.quantity)))
        new = await connection.scalar(select(func.sum(counted_totals.c.new)))
    assert quantity == new == load.sent
    await stream.close()


async def kill_one(
    cluster: NatsCluster, stream: UsageStream, name: str, victim: str, load: Load
) -> None:
    """Kill the stream's leader, or the server that senders are connected to; start it again."""
    js = await stream.jetstream()
    info = await js.stream_info(name)
    assert info.cluster is not None
    assert info.cluster.leader is not None
    assert stream.client is not None
    assert stream.client.connected_url is not None
    address = stream.client.connected_url.netloc
    number = cluster.number_of(info.cluster.leader if victim == "leader" else address)
    cluster.kill(number)
    before = load.sent

    async def goes_on() -> bool:
        return load.sent >= before + 50 * SENDERS

    await until(goes_on, seconds=60)
    cluster.start(number)
    await formed(stream, cluster, name)


async def count(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(select(func.count()).select_from(events)) or 0)
