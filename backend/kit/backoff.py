"""Pauses between attempts: each longer than the one before it, up to a longest."""

from __future__ import annotations

import random
from collections.abc import Iterator

_chance = random.Random()  # noqa: S311  # no secret; the system's costs every call of the gateway
_SPREAD = 0.2


def pause_after(
    failures: int,
    *,
    first: float,
    longest: float,
    factor: float = 2.0,
    chance: float | None = None,
) -> float:
    """Return how long to wait when ``failures`` attempts in a row have failed; 0 after none.

    ``first``, times ``factor`` for each further failure, at most ``longest``: all in one unit. Up
    to a fifth less or more as ``chance``, from 0 to 1, has it, so that what failed together does
    not come back together; None leaves that out.
    """
    pause = first if failures else 0.0
    for _ in range(failures - 1):
        if pause >= longest:
            break
        pause *= factor
    pause = min(pause, longest)
    return pause if chance is None else pause * (1 - _SPREAD + 2 * _SPREAD * chance)


def pauses(first: float, longest: float) -> Iterator[float]:
    """Give seconds to wait after the first failure, the second and so on, without end."""
    failures = 1
    while True:
        yield pause_after(failures, first=first, longest=longest, chance=_chance.random())
        failures += 1
