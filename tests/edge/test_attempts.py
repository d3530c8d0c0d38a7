"""Attempts are slowed by name, and the memory of them is bounded."""

from __future__ import annotations

import pytest

from edge.attempts import Attempts, network_of
from edge.trusted import LOOPBACK, is_trusted, trusted_networks

pytestmark = pytest.mark.fast


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_then_one_at_a_time() -> None:
    clock = Clock()
    attempts = Attempts(burst=3, every_seconds=10, clock=clock)
    for _ in range(3):
        assert attempts.wait_seconds("a") == 0
        attempts.count("a")
    assert attempts.wait_seconds("a") == 10
    assert attempts.wait_seconds("b") == 0
    clock.now += 10
    assert attempts.wait_seconds("a") == 0
    attempts.count("a")
    assert attempts.wait_seconds("a") == 10
    clock.now += 1000
    for _ in range(3):
        assert attempts.wait_seconds("a") == 0
        attempts.count("a")


def test_however_often_it_is_tried_the_wait_is_bounded() -> None:
    attempts = Attempts(burst=3, every_seconds=10, clock=Clock())
    for _ in range(1000):
        attempts.count("a")
    assert attempts.wait_seconds("a") <= 30


def test_so_many_names_are_remembered_and_no_more() -> None:
    attempts = Attempts(burst=1, every_seconds=10, most=5, clock=Clock())
    for number in range(100):
        attempts.count(str(number))
        attempts.count("busy")
    assert len(attempts) == 5
    assert attempts.wait_seconds("busy") > 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("a name", "a name"),
    ],
)
def test_a_caller_is_an_address_or_a_network_that_one_may_have(address: str, network: str) -> None:
    assert network_of(address) == network


def test_trusted_addresses_are_networks() -> None:
    assert is_trusted("127.0.0.1", LOOPBACK)
    assert is_trusted("::1", LOOPBACK)
    assert is_trusted("10.1.2.3", ["10.0.0.0/8"])
    assert not is_trusted("192.0.2.7", LOOPBACK)
    assert not is_trusted("no address", LOOPBACK)
    with pytest.raises(ValueError, match="nonsense"):
        trusted_networks(["nonsense"])
