"""Sample usage is drawn from a seed: the same whenever and however often it is made."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from backend.catalog.published import load_catalog
from backend.demo.tenants import SAMPLE_TENANTS, SampleTenant
from backend.demo.usage import Places, sample_events
from backend_client.types.events import METERS, UsageEvent
from tests.support.paths import CATALOG

pytestmark = pytest.mark.fast

START = datetime(2026, 3, 2, 9, 40, tzinfo=UTC)
CHAT, BATCH, STARTER = SAMPLE_TENANTS


class _SameName(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


def made(sample: SampleTenant, days: float, *, seed: int = 1) -> list[UsageEvent]:
    places = Places("ten_1", _SameName(), _SameName())
    until = START + timedelta(days=days)
    return list(sample_events(sample, places, start=START, until=until, seed=seed))


@pytest.mark.parametrize("sample", SAMPLE_TENANTS, ids=lambda sample: sample.wanted.slug)
def test_a_later_load_goes_on_where_an_earlier_one_stopped(sample: SampleTenant) -> None:
    short, long = made(sample, 9.3), made(sample, 30)
    cut = START + timedelta(days=9.3)
    assert short == [event for event in long if event.time and event.time <= cut]


@pytest.mark.parametrize("sample", SAMPLE_TENANTS, ids=lambda sample: sample.wanted.slug)
def test_every_event_is_a_quarter_hour_of_a_series(sample: SampleTenant) -> None:
    events = made(sample, 60)
    assert max(Counter(event.id for event in events).values()) == 1
    for event in events:
        assert event.time is not None
        assert START <= event.time <= START + timedelta(days=60)
        assert event.data.quantities.keys() <= set(METERS)
        assert all(n > 0 and n == int(n) for n in event.data.quantities.values())
        begins = datetime.fromisoformat(event.id.rsplit("/", 1)[1])
        assert timedelta(0) <= event.time - begins < timedelta(minutes=15)


def test_another_seed_gives_other_usage_under_ids_that_meet() -> None:
    events, other_events = made(CHAT, 5), made(CHAT, 5, seed=2)
    assert events != other_events
    ids = {event.id for event in events}
    assert len(ids & {event.id for event in other_events}) > 0.8 * len(ids)


def tokens(events: list[UsageEvent]) -> Decimal:
    return sum(
        (event.data.quantities.get("output_tokens", Decimal(0)) for event in events), Decimal(0)
    )


@pytest.mark.slow  # months of events
def test_each_tenant_is_what_its_name_says() -> None:
    chat = made(CHAT, 112)
    zone = ZoneInfo(CHAT.wanted.time_zone)
    first, last = chat[: len(chat) // 2], chat[len(chat) // 2 :]
    assert tokens(last) > Decimal("1.2") * tokens(first)
    weekday = Counter[bool]()
    for event in chat:
        if event.data.model == "sample-large" and event.time is not None:
            weekend = event.time.astimezone(zone).weekday() >= 5
            weekday[weekend] += int(event.data.quantities["requests"])
    assert weekday[False] / 5 > 1.5 * weekday[True] / 2

    indexing = [event for event in made(BATCH, 14) if event.data.key == "indexer"]
    zone = ZoneInfo(BATCH.wanted.time_zone)
    assert {event.time.astimezone(zone).hour for event in indexing if event.time} == {1, 2, 3, 4, 5}

    # The free plan allows a million tokens a month: this tenant comes near, and is not far beyond
    month = made(STARTER, 30)
    used = sum(
        n for event in month for meter, n in event.data.quantities.items() if meter != "requests"
    )
    assert 300_000 < used < 1_200_000


def test_the_catalog_sells_what_the_samples_use() -> None:
    catalog = load_catalog(CATALOG)
    models, plans = {model.id for model in catalog.models}, {plan.id for plan in catalog.plans}
    for sample in SAMPLE_TENANTS:
        assert sample.wanted.plan in plans
        assert sample.wanted.is_sample
        assert sample.wanted.name.startswith("Sample: ")
        assert {series.model for series in sample.series} <= models
