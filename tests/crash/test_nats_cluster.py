"""A NATS cluster of three loses one server after another under load, and no event with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from nats.errors import Error as NatsError
from sqlalchemy import func, select

from backend.errors import Unavailable
from backend.metering.counting.worker import CountingWorker
from backend.metering.events import AcceptedEvent
from backend.metering.ingest.leaders import Move, ask_to_lead, standing_of
from backend.metering.ingest.stream import UsageStream
from backend.metering.ingest.streams import dead_letter_stream, present_streams, usage_streams
from backend.metering.ingest.worker import StreamsWorker
from backend.settings import Settings
from backend.storage.database import Database
from backend.storage.tables import counted_totals, events, rollups
from tests.support.nats_cluster import NatsCluster
from tests.support.tenants import SampleTenant, sample_tenant
from tests.support.waiting import until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(900)]

SENDERS = 4
STALL_SECONDS = 5.0
"""The longest that a sender may wait for an answer while a server is lost."""
UNNOTICED_SECONDS = 10.0
"""The same while a server says nothing and its connections stay open, as after a power cut."""


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


async def formed(stream: UsageStream, names: list[str]) -> None:
    """Return once every server keeps every stream, all in step, and no two have one leader."""

    async def is_formed() -> bool:
        try:
            present = await present_streams(await stream.jetstream(), names)
        except (Unavailable, NatsError, TimeoutError):
            return False
        standings = [standing_of(info) for info in present.values()]
        leaders = {standing.leader for standing in standings if standing is not None}
        return len(leaders) == len(names) and all(
            standing is not None and len(standing.others) == 2 for standing in standings
        )

    await until(is_formed, seconds=240, pause=0.2)


async def test_each_server_in_turn_is_killed_and_nothing_is_lost_doubled_or_late(
    cluster: NatsCluster, database: Database, stream_name: str
) -> None:
    settings = Settings(stream_name=stream_name, stream_replicas=3, stream_max_bytes=64 * 1024**2)
    names = usage_streams(settings)
    assert len(names) == 3
    tenant = await sample_tenant(database)
    stream = UsageStream(cluster.url, settings)
    stop = asyncio.Event()
    load = Load(stream, tenant)
    consumer = CountingWorker(database, cluster.url, settings)
    async with asyncio.TaskGroup() as group:
        async with spreading(cluster, settings):
            await formed(stream, names)
            # What is already there is brought to the replicas that are wanted, dead letters too
            js = await stream.jetstream()
            dead = await js.stream_info(dead_letter_stream(stream_name))
            assert dead.config.num_replicas == 3
            group.create_task(consumer.run(stop))
            for sender in range(SENDERS):
                group.create_task(load.send(sender, stop))
        try:
            for victim in ("leader", "leader of the next", "connected, leader of two"):
                async with spreading(cluster, settings):
                    await formed(stream, names)
                server = await leader(stream, stream.tried_in_turn[0])
                if victim.startswith("connected"):
                    server = await lead_two_where_connected(stream, cluster)
                load.longest_seconds = 0.0
                await kill_and_go_on(cluster, server, load)
                assert load.longest_seconds < STALL_SECONDS, victim
            async with spreading(cluster, settings):
                await formed(stream, names)
            load.longest_seconds = 0.0
            with cluster.frozen(cluster.number_of(where_connected(stream, cluster))):
                await senders_go_on(load)
            assert load.longest_seconds < UNNOTICED_SECONDS
        finally:
            stop.set()
    assert load.refused == []

    finish = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(consumer.run(finish))

        async def all_counted() -> bool:
            return await count(database) == load.sent

        try:
            await until(all_counted, seconds=240)
        finally:
            finish.set()
    async with database.begin() as connection:
        quantity = await connection.scalar(select(func.sum(rollups.c.quantity)))
        new = await connection.scalar(select(func.sum(counted_totals.c.new)))
    assert quantity == new == load.sent
    await stream.close()


@asynccontextmanager
async def spreading(cluster: NatsCluster, settings: Settings) -> AsyncIterator[None]:
    """Keep leaders on different servers during the block, as a worker does."""
    stop = asyncio.Event()
    task = asyncio.create_task(StreamsWorker(cluster.url, settings).run(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def leader(stream: UsageStream, name: str) -> str:
    present = await present_streams(await stream.jetstream(), [name])
    standing = standing_of(present[name])
    assert standing is not None
    return standing.leader


async def lead_two_where_connected(stream: UsageStream, cluster: NatsCluster) -> str:
    """Let the senders' own server lead the stream in use and the next; return its name."""
    client, server = stream.client, where_connected(stream, cluster)
    assert client is not None

    async def leads_two() -> bool:
        used, following, last = stream.tried_in_turn
        leads = {name: await leader(stream, name) for name in (used, following, last)}
        if leads[last] == server:
            spare = next(leads[name] for name in (used, following) if leads[name] != server)
            await ask_to_lead(client, Move(last, spare))
        for name in (used, following):
            if leads[name] != server:
                await ask_to_lead(client, Move(name, server))
        return leads[used] == leads[following] == server != leads[last]

    await until(leads_two, seconds=240, pause=0.5)
    return server


def where_connected(stream: UsageStream, cluster: NatsCluster) -> str:
    client = stream.client
    assert client is not None
    assert client.connected_url is not None
    return f"node-{cluster.number_of(client.connected_url.netloc)}"


async def kill_and_go_on(cluster: NatsCluster, server: str, load: Load) -> None:
    """Kill a server, and start it again once senders have gone on without it."""
    number = cluster.number_of(server)
    cluster.kill(number)
    await senders_go_on(load)
    cluster.start(number)


async def senders_go_on(load: Load) -> None:
    before = load.sent

    async def go_on() -> bool:
        return load.sent >= before + 50 * SENDERS

    await until(go_on, seconds=240)


async def count(database: Database) -> int:
    async with database.begin() as connection:
        return int(await connection.scalar(select(func.count()).select_from(events)) or 0)
