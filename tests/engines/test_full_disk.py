"""A disk that fills up refuses events and loses none; freed, ingest goes on by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from backend.engines.home import free_port, prepare_home
from backend.engines.nats import nats_accepts, nats_command, nats_url
from backend.engines.runfile import RunFile
from backend.engines.stuck_nats import ROOM_BYTES, StuckNats
from backend.engines.supervisor import Service, Supervisor
from backend.errors import RateLimited, Unavailable
from backend.ids import new_id
from backend.metering.events import AcceptedEvent, decode
from backend.metering.ingest.stream import UsageStream
from backend.settings import Settings
from tests.support.waiting import until

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a small disk"),
]

DISK_BYTES = 96 * 1024 * 1024


@pytest.fixture
def small_disk(engines_home: Path) -> Iterator[Path]:
    disk = engines_home / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def event(number: int) -> AcceptedEvent:
    now = datetime.now(UTC)
    return AcceptedEvent(
        tenant_id="ten_1",
        source="test",
        id=str(number),
        time=now,
        received_at=now,
        application_id="app_1",
        model="large",
        quantities={"requests": Decimal(1)},
        labels={"filling": new_id("evt") * 20},
    )


async def accepted(stream: UsageStream, number: int) -> bool:
    try:
        await stream.publish([event(number)])
    except (Unavailable, RateLimited):
        return False
    return True


async def test_ingest_goes_on_by_itself_when_there_is_room_again(
    small_disk: Path, tmp_path: Path, stream_name: str
) -> None:
    prepare_home(tmp_path)
    data, port = small_disk / "nats", free_port()
    url = nats_url(data, port=port)

    async def ready(_pid: int) -> bool:
        return nats_accepts(port)

    nats = Service(
        "nats",
        "NATS JetStream",
        command=lambda: nats_command(data, port=port),
        ready=ready,
        stuck=StuckNats(url, data, stream_name).reason,
    )
    said: list[str] = []
    run = RunFile(tmp_path / "run" / "farebox.json")
    supervisor = Supervisor([nats], home=tmp_path, run=run, say=said.append)
    up = asyncio.Event()
    running = asyncio.create_task(supervisor.run(up.set))
    async with asyncio.timeout(60):
        await up.wait()
    stream = UsageStream(url, Settings(stream_name=stream_name, stream_max_bytes=32 * 1024**2))
    acknowledged = [number for number in range(10) if await accepted(stream, number)]
    assert len(acknowledged) == 10
    assert await stream.healthy()

    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    # Full: refused, not lost; and a balancer is told
    number = 10
    while await accepted(stream, number):
        acknowledged.append(number)
        number += 1

    async def not_ready() -> bool:
        return not await stream.healthy()

    await until(not_ready)

    filler.unlink()
    assert shutil.disk_usage(small_disk).free > ROOM_BYTES

    async def goes_on() -> bool:
        return await accepted(stream, number)

    await until(goes_on, seconds=240)
    acknowledged.append(number)
    await until(stream.healthy)
    js = await stream.jetstream()
    kept = {
        decoded.id
        for sequence in range(1, (await js.stream_info(stream_name)).state.last_seq + 1)
        for decoded in decode((await js.get_msg(stream_name, sequence)).data or b"[]")
    }
    assert {str(each) for each in acknowledged} <= kept
    await stream.close()
    supervisor.stop()
    await running
