"""A circuit opens after failures in a row, and one call then decides whether it closes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.gateway.upstreams.health import FAILURES, LONGEST_PAUSE_SECONDS, Circuit

pytestmark = pytest.mark.fast


def opened(now: float = 0.0) -> Circuit:
    circuit = Circuit()
    for _ in range(FAILURES):
        circuit.begin()
        circuit.fail(now)
    return circuit


def test_a_circuit_opens_after_failures_in_a_row() -> None:
    circuit = Circuit()
    for _ in range(FAILURES - 1):
        circuit.fail(0)
    assert circuit.state(0) == "closed"
    circuit.succeed()
    for _ in range(FAILURES - 1):
        circuit.fail(0)
    assert circuit.state(0) == "closed"
    circuit.fail(0)
    assert circuit.state(0) == "open"
    assert circuit.wait_seconds(0) == 1


def test_one_call_decides_when_the_pause_is_over() -> None:
    circuit = opened()
    assert circuit.state(1) == "half-open"
    circuit.begin()
    assert circuit.state(1) == "open"  # for every other call
    circuit.succeed()
    assert circuit.state(1) == "closed"


def test_a_call_that_says_nothing_leaves_the_decision_to_the_next() -> None:
    circuit = opened()
    circuit.begin()
    circuit.leave()
    assert circuit.state(1) == "half-open"


def test_each_failed_try_makes_the_pause_longer_up_to_the_longest() -> None:
    circuit, now, pauses = opened(), 0.0, []
    for _ in range(9):
        pauses.append(circuit.wait_seconds(now))
        now += pauses[-1]
        circuit.begin()
        circuit.fail(now)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("asked", "waits"), [(7.0, 7.0), (0.0, 0.0), (900.0, 60.0)])
def test_the_pause_that_a_provider_asks_for_is_kept(asked: float, waits: float) -> None:
    circuit = Circuit()
    circuit.fail(100, retry_after=asked)
    assert circuit.wait_seconds(100) == waits
    assert circuit.asked_to_wait
    assert circuit.state(100 + waits) == "half-open"
    circuit.succeed()
    assert not circuit.asked_to_wait


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["succeed", "fail", "leave", "asked"]), st.floats(0, 100, width=32)
        ),
        max_size=40,
    )
)
def test_whatever_happens_a_call_is_let_through_again(acts: list[tuple[str, float]]) -> None:
    circuit, now = Circuit(), 0.0
    for act, seconds in acts:
        now += seconds
        circuit.begin()
        if act == "fail":
            circuit.fail(now)
        elif act == "asked":
            circuit.fail(now, retry_after=seconds)
        else:
            getattr(circuit, act)()
        assert 0 <= circuit.wait_seconds(now) <= LONGEST_PAUSE_SECONDS
    assert circuit.state(now + LONGEST_PAUSE_SECONDS) != "open"
