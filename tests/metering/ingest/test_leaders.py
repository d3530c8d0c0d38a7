"""Which stream's leader is moved where, so that a lost server takes one with it at most."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.metering.ingest.leaders import Move, Standing, next_move

pytestmark = pytest.mark.fast

SERVERS = ("a", "b", "c")
STREAMS = ("USAGE", "USAGE_2", "USAGE_3")


def standing(leader: str, *others: str) -> Standing:
    return Standing(leader, frozenset(others))


def test_of_two_with_one_leader_the_later_moves_to_a_server_that_leads_none() -> None:
    together = {
        "USAGE": standing("a", "b", "c"),
        "USAGE_2": standing("a", "b", "c"),
        "USAGE_3": standing("b", "a", "c"),
    }
    assert next_move(together) == Move("USAGE_2", "c")
    spread = together | {"USAGE_2": standing("c", "a", "b")}
    assert next_move(spread) is None


def test_none_moves_to_a_server_whose_copy_is_not_complete() -> None:
    """One of three is away: the two that are left lead all, and there is nothing better."""
    without_c = {
        "USAGE": standing("a", "b"),
        "USAGE_2": standing("b", "a"),
        "USAGE_3": standing("b", "a"),
    }
    assert next_move(without_c) is None
    back_in_one = without_c | {"USAGE_2": standing("b", "a", "c")}
    assert next_move(back_in_one) == Move("USAGE_2", "c")


@given(leaders=st.tuples(*[st.sampled_from(SERVERS)] * 3))
def test_a_few_moves_spread_the_leaders_from_wherever_they_are(leaders: tuple[str, ...]) -> None:
    def after(leads: dict[str, str]) -> dict[str, Standing]:
        return {
            stream: standing(leader, *(set(SERVERS) - {leader})) for stream, leader in leads.items()
        }

    leads = dict(zip(STREAMS, leaders, strict=True))
    for _ in range(2):
        move = next_move(after(leads))
        if move is not None:
            leads[move.stream] = move.to
    assert len(set(leads.values())) == 3
    assert next_move(after(leads)) is None
