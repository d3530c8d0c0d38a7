"""How sample calls went is drawn from the seed, an event at a time, and adds up to the usage."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from backend.demo.calls import PACES, SampleCalls, counted, logged, sample_calls
from backend.demo.tenants import SAMPLE_TENANTS, SampleTenant
from backend.demo.usage import Places, sample_events
from backend.gateway.latencies import percentile

pytestmark = pytest.mark.fast

START = datetime(2026, 3, 2, 9, 40, tzinfo=UTC)


class _SameName(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return key


def drawn(sample: SampleTenant, days: float, *, seed: int = 1) -> list[SampleCalls]:
    places = Places("ten_1", _SameName(), _SameName())
    until = START + timedelta(days=days)
    series = {each.name: each for each in sample.series}
    return [
        sample_calls(event, event.time, series[event.id.rpartition("/")[0]], seed)
        for event in sample_events(sample, places, start=START, until=until, seed=seed)
        if event.time is not None
    ]


@pytest.mark.parametrize("sample", SAMPLE_TENANTS, ids=lambda sample: sample.wanted.slug)
def test_the_calls_of_an_event_are_the_same_whenever_they_are_drawn(sample: SampleTenant) -> None:
    short = drawn(sample, 1)
    long = {calls.event.id: calls for calls in drawn(sample, 1.5)}
    assert 0 < len(short) < len(long)
    for before in short:
        after = long[before.event.id]
        assert list(counted(before)) == list(counted(after))
        assert list(logged(before)) == list(logged(after))


@pytest.mark.parametrize("sample", SAMPLE_TENANTS, ids=lambda sample: sample.wanted.slug)
def test_the_log_of_an_event_adds_up_to_it_and_to_what_is_counted(sample: SampleTenant) -> None:
    ids = Counter[str]()
    for calls in drawn(sample, 1):
        counts = {key.status: count for key, count in counted(calls)}
        rows = list(logged(calls))
        used: Counter[str] = Counter()
        for row in rows:
            used.update(row["quantities"])
            assert calls.began <= row["time"] <= calls.time
            if row.get("first_token_ms") is not None:
                assert row["streamed"]
                assert row["first_token_ms"] <= row["duration_ms"]
        assert {meter: Decimal(units) for meter, units in used.items()} == dict(
            calls.event.data.quantities
        )
        outcomes = Counter(row["outcome"] for row in rows)
        assert outcomes == Counter({status: count.calls for status, count in counts.items()})
        timed = counts["completed"].total_counts if "completed" in counts else [0]
        assert sum(timed) == outcomes["completed"]
        ids.update(row["id"] for row in rows)
    assert ids
    assert max(ids.values()) == 1


def test_calls_are_as_their_models_are() -> None:
    statuses = Counter[str]()
    times: dict[str, list[int]] = {model: [0] * 41 for model in PACES}
    for sample in SAMPLE_TENANTS:
        for calls in drawn(sample, 9):
            for key, count in counted(calls):
                statuses[key.status] += count.calls
                if key.status == "completed":
                    own = times[key.model]
                    own[:] = [sum(pair) for pair in zip(own, count.total_counts, strict=True)]
    every = statuses.total()
    assert 0.001 < statuses["failed"] / every < 0.02
    assert 0.001 < statuses["refused"] / every < 0.03
    assert 0 < statuses["aborted"] / every < 0.01
    half, most = {}, {}
    for model, counts in times.items():
        middle, tail = percentile(counts, 0.5), percentile(counts, 0.95)
        assert middle is not None
        assert tail is not None
        half[model], most[model] = middle, tail
    assert half["sample-small"] < half["sample-large"] < 20
    assert all(1.2 * half[model] < most[model] < 20 * half[model] for model in PACES)
