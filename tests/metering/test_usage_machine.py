"""Whatever is sent, repeated, corrected, rebuilt or cut off, usage is what a plain model says."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, ClassVar, TypeVar

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from backend.metering.corrections import Amended, CorrectionWanted, correct
from backend.metering.counting import MAKE_INCOMING, count_events, insert_and_roll_up
from backend.metering.events import AcceptedEvent, bucket_start
from backend.metering.rebuild import rebuild_usage

pytestmark = pytest.mark.engine

Result = TypeVar("Result")
START = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
TENANT = "ten_a"
_BEGIN = """
TRUNCATE events, rollups, daily_rollups, usage_versions, corrections, tenants CASCADE;
INSERT INTO tenants (id, slug, name) VALUES ('ten_a', 'a', 'Sample A');
INSERT INTO declared_labels (tenant_id, label) VALUES ('ten_a', 'team');
"""

ids = st.sampled_from([f"e{number}" for number in range(6)])
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


contents = st.builds(
    Content,
    st.sampled_from(["model-a", "model-b"]),
    st.integers(0, 60 * 30),
    quantities,
    st.sampled_from(["red", "blue"]),
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
        self.connection = self.run(self.connect())
        self.run(self.connection.execute(_BEGIN))

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.runner.run(work)

    async def connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.database_url)

    def teardown(self) -> None:
        self.run(self.connection.close())
        self.runner.close()

    def made(self, batch: list[tuple[str, Content]]) -> list[AcceptedEvent]:
        made = []
        for event_id, content in batch:
            self.clock += 1
            made.append(
                AcceptedEvent(
                    tenant_id=TENANT,
                    source="test",
                    id=event_id,
                    time=START + timedelta(minutes=content.minutes),
                    received_at=START + timedelta(seconds=self.clock),
                    application_id="app_a",
                    model=content.model,
                    quantities=content.quantities,
                    labels={"team": content.team, "note": event_id},
                )
            )
        return made

    @rule(batch=st.lists(st.tuples(ids, contents), max_size=8), data=st.data())
    def ingest(self, batch: list[tuple[str, Content]], data: st.DataObject) -> None:
        """In any order, with repetitions; what was received first is what counts."""
        events = self.made(batch)
        shuffled = data.draw(st.permutations(events))
        self.run(count_events(self.connection, shuffled))
        for event_id, content in batch:
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
                quantities=content.quantities,
                labels={"team": content.team},
            )
        wanted = CorrectionWanted(f"c{self.clock}", "test", event_id, data, "test", "usr_a")

        async def apply() -> None:
            async with self.connection.transaction():
                await correct(self.connection, TENANT, [wanted, wanted], START)

        self.run(apply())
        self.corrections[event_id] = content

    @rule(damage=st.sampled_from(["", "DELETE FROM rollups", "UPDATE rollups SET quantity = 7"]))
    def rebuild(self, damage: str) -> None:
        """Put right whatever was done to the rollups; find nothing where nothing was."""

        async def go_through() -> int:
            if damage:
                await self.connection.execute(damage)
            return sum([day.wrong async for day in rebuild_usage(self.connection, TENANT)])

        wrong = self.run(go_through())
        assert damage or wrong == 0

    @invariant()
    def rollups_are_what_the_model_says(self) -> None:
        expected: defaultdict[tuple[object, ...], tuple[Decimal, int]] = defaultdict(
            lambda: (Decimal(0), 0)
        )
        for event_id, sent in self.events.items():
            content = self.corrections.get(event_id, sent)
            if content is None:
                continue
            bucket = bucket_start(START + timedelta(minutes=sent.minutes))  # an event's time stays
            for meter, quantity in content.quantities.items():
                place = (bucket, content.model, meter, f'{{"team": "{content.team}"}}')
                with localcontext(prec=100):
                    expected[place] = (expected[place][0] + quantity, expected[place][1] + 1)
        rows = self.run(
            self.connection.fetch(
                "SELECT bucket, model, meter, labels::text, quantity, event_count FROM rollups"
            )
        )
        assert {tuple(row)[:4]: tuple(row)[4:] for row in rows} == dict(expected)


def test_usage_is_what_a_plain_model_says(database_url: str) -> None:
    class Machine(UsageMachine):
        pass

    Machine.database_url = database_url
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
