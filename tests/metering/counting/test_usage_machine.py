"""Whatever is sent, repeated, corrected, archived, rebuilt or cut off, usage is what a plain model
says: by the quarter hour and by the tenant's own day.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from backend.accounts.principal import COMMAND_LINE
from backend.errors import NotFound
from backend.metering.archives.archive import ArchivedDay, archive_events
from backend.metering.archives.restore import restore_archive
from backend.metering.counting.batches import MAKE_INCOMING, count_events, insert_and_roll_up
from backend.metering.counting.corrections import Amended, CorrectionWanted, correct
from backend.metering.counting.daily import day_of
from backend.metering.counting.labels import declare_label, withdraw_label
from backend.metering.counting.rebuild import rebuild_usage
from backend.metering.events import AcceptedEvent, bucket_start
from backend.storage.database import Database
from tests.support.examples import examples

pytestmark = pytest.mark.engine

Result = TypeVar("Result")
START = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
TENANT = "ten_a"
_BEGIN = """
TRUNCATE events, rollups, daily_rollups, usage_versions, corrections, event_archives, tenants
  CASCADE;
INSERT INTO tenants (id, slug, name) VALUES ('ten_a', 'a', 'Sample A');
INSERT INTO declared_labels (tenant_id, label) VALUES ('ten_a', 'team');
"""
# What is archived can't be summed anew, so nothing is damaged there
_DAMAGE = {
    "": "",
    "lost": "DELETE FROM rollups WHERE NOT EXISTS (SELECT 1 FROM event_archives"
    " WHERE restored_at IS NULL AND start_at <= bucket AND end_at > bucket)",
    "wrong": "UPDATE rollups SET quantity = 7 WHERE NOT EXISTS (SELECT 1 FROM event_archives"
    " WHERE restored_at IS NULL AND start_at <= bucket AND end_at > bucket)",
    "lost days": "DELETE FROM daily_rollups",
    "wrong days": "UPDATE daily_rollups SET quantity = 7",
}
_PLACE = "model, upstream, meter, labels::text"
_ROLLUPS = "SELECT bucket, PLACE, quantity, event_count FROM rollups".replace("PLACE", _PLACE)
_DAILY_ROLLUPS = _ROLLUPS.replace("bucket", "day").replace("rollups", "daily_rollups")
Place = tuple[datetime, str, str, str, str]
Sums = dict[Place, tuple[Decimal, int]]

ids = st.sampled_from(["e1", "e2", "e3"])
# Few, so that they meet; on both sides of midnights in each zone, and of the hour that Berlin skips
minutes = st.sampled_from(
    [0, 7, 59, 60, 119, 120, 121, 19 * 60 + 14, 19 * 60 + 15, 25 * 60, 30 * 60]
)
quantities = st.dictionaries(
    st.sampled_from(["requests", "input_tokens"]), st.decimals(0, 10**15, places=9), min_size=1
)


@dataclass(frozen=True)
class Content:
    """What an event says."""

    model: str
    minutes: int
    quantities: dict[str, Decimal]
    team: str
    upstream: str


contents = st.builds(
    Content,
    st.sampled_from(["model-a", "model-b"]),
    minutes,
    quantities,
    st.sampled_from(["red", "blue"]),
    st.sampled_from(["", "azure"]),
)


class UsageMachine(RuleBasedStateMachine):
    """PostgreSQL beside a dictionary."""

    database_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = 0
        self.events: dict[str, Content] = {}
        self.corrections: dict[str, Content | None] = {}
        self.archived: dict[str, Path] = {}
        self.waiting: dict[str, Content | None] = {}
        self.files: list[Path] = []
        self.relabelled = False
        self.zone = "UTC"
        self.folder = Path(tempfile.mkdtemp(prefix="fb-"))
        self.database = Database(self.database_url, pool_size=1)
        self.connection = self.run(self.connect())
        self.run(self.connection.execute(_BEGIN))

    @initialize(
        zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"])
    )
    def in_zone(self, zone: str) -> None:
        self.zone = zone
        self.run(self.connection.execute("UPDATE tenants SET time_zone = $1", zone))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.database_url)

    def teardown(self) -> None:
        self.run(self.connection.close())
        self.run(self.database.close())
        self.runner.close()
        shutil.rmtree(self.folder)

    def made(self, batch: list[tuple[str, Content]]) -> list[AcceptedEvent]:
        """Events as ingest lets them in: it refuses those of archived days."""
        events = []
        for event_id, content in batch:
            if event_id in self.archived:
                continue
            self.clock += 1
            events.append(
                AcceptedEvent(
                    tenant_id=TENANT,
                    source="test",
                    id=event_id,
                    time=START + timedelta(minutes=content.minutes),
                    received_at=START + timedelta(seconds=self.clock),
                    application_id="app_a",
                    model=content.model,
                    upstream=content.upstream,
                    quantities=content.quantities,
                    labels={"team": content.team, "note": event_id},
                )
            )
        return events

    @rule(batch=st.lists(st.tuples(ids, contents), max_size=8), data=st.data())
    def ingest(self, batch: list[tuple[str, Content]], data: st.DataObject) -> None:
        """In any order, with repetitions; what was received first is what counts."""
        events = self.made(batch)
        shuffled = data.draw(st.permutations(events))
        self.run(count_events(self.connection, shuffled))
        for event_id, content in batch:
            if event_id not in self.archived:
                self.events.setdefault(event_id, content)

    @rule(batch=st.lists(st.tuples(ids, contents), min_size=1, max_size=4))
    def crash(self, batch: list[tuple[str, Content]]) -> None:
        """Cut off after all was written and before it was committed."""

        async def cut_off() -> None:
            await self.connection.execute(MAKE_INCOMING)
            await self.connection.transaction().start()
            await insert_and_roll_up(self.connection, self.made(batch))
            self.connection.terminate()
            self.connection = await self.connect()

        self.run(cut_off())

    @rule(event_id=ids, content=st.none() | contents)
    def correct(self, event_id: str, content: Content | None) -> None:
        """Void or amend, also what has not come yet. The last one rules."""
        self.clock += 1
        data = None
        if content is not None:
            data = Amended(
                application_id="app_a",
                model=content.model,
                upstream=content.upstream,
                quantities=content.quantities,
                labels={"team": content.team},
            )
        wanted = CorrectionWanted(f"c{self.clock}", "test", event_id, data, "test", "usr_a")

        async def apply() -> None:
            async with self.connection.transaction():
                await correct(self.connection, TENANT, [wanted, wanted], START)

        self.run(apply())
        corrections = self.waiting if event_id in self.archived else self.corrections
        corrections[event_id] = content

    @rule(damage=st.sampled_from(sorted(_DAMAGE)))
    def rebuild(self, damage: str) -> None:
        """Put right whatever was done to the rollups; find nothing where nothing was."""

        async def go_through() -> int:
            if damage:
                await self.connection.execute(_DAMAGE[damage])
            return sum([day.wrong async for day in rebuild_usage(self.connection, TENANT)])

        wrong = self.run(go_through())
        assert damage or self.relabelled or wrong == 0

    @rule(label=st.sampled_from(["team", "note"]), declared=st.booleans())
    def change_labels(self, label: str, declared: bool) -> None:
        """Usage is told apart by others from now on; what it adds up to stays."""

        async def change() -> None:
            async with self.database.begin() as connection:
                if declared:
                    await declare_label(connection, TENANT, label)
                else:
                    with suppress(NotFound):
                        await withdraw_label(connection, TENANT, label)

        self.run(change())
        self.relabelled = True

    @rule(days=st.sampled_from([1, 2, 3, 3]), cut_off=st.booleans())
    def archive(self, days: int, cut_off: bool) -> None:
        """Move whole days into files; cut off, only the first is moved."""
        before = START.replace(hour=0) + timedelta(days=days)

        async def move() -> list[ArchivedDay]:
            moved = []
            async for day in archive_events(
                self.connection, TENANT, before, self.folder, actor="test"
            ):
                moved.append(day)
                if cut_off:
                    break
            return moved

        for day in self.run(move()):
            self.files.append(day.file)
            for event_id, sent in self.events.items():
                time = START + timedelta(minutes=sent.minutes)
                if event_id not in self.archived and time.date() == day.start.date():
                    self.archived[event_id] = day.file

    @precondition(lambda self: self.files)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        """Bring a file back, be it once more; what waited for its events is made."""
        file = data.draw(st.sampled_from(self.files))
        self.run(restore_archive(self.database, file, COMMAND_LINE))
        for event_id in [event_id for event_id, where in self.archived.items() if where == file]:
            del self.archived[event_id]
            if event_id in self.waiting:
                self.corrections[event_id] = self.waiting.pop(event_id)

    @invariant()
    def rollups_are_what_the_model_says(self) -> None:
        expected = self.expected()
        by_day = summed(expected, lambda place: (day_of(place[0], self.zone), *place[1:]))
        assert self.told(_ROLLUPS) == self.comparable(expected)
        assert self.told(_DAILY_ROLLUPS) == self.comparable(by_day)

    def expected(self) -> Sums:
        totals: Sums = {}
        for event_id, sent in self.events.items():
            content = self.corrections.get(event_id, sent)
            if content is None:
                continue
            bucket = bucket_start(START + timedelta(minutes=sent.minutes))  # an event's time stays
            for meter, quantity in content.quantities.items():
                labels = f'{{"team": "{content.team}"}}'
                place = (bucket, content.model, content.upstream, meter, labels)
                add(totals, place, quantity, 1)
        return totals

    def told(self, query: str) -> Sums:
        rows = self.run(self.connection.fetch(query))
        return self.comparable({tuple(row)[:5]: tuple(row)[5:] for row in rows})

    def comparable(self, sums: Sums) -> Sums:
        """By labels, until these changed: then usage is told apart by what was declared when."""
        return summed(sums, lambda place: (*place[:4], "")) if self.relabelled else sums


def summed(sums: Sums, where: Callable[[Place], Place]) -> Sums:
    totals: Sums = {}
    for place, (quantity, count) in sums.items():
        add(totals, where(place), quantity, count)
    return totals


def add(sums: Sums, place: Place, quantity: Decimal, count: int) -> None:
    entry = sums.get(place, (Decimal(0), 0))
    with localcontext(prec=100):
        sums[place] = (entry[0] + quantity, entry[1] + count)


def test_usage_is_what_a_plain_model_says(database_url: str) -> None:
    class Machine(UsageMachine):
        pass

    Machine.database_url = database_url
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples(25),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
