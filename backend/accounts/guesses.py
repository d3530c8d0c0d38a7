"""Guesses at secrets and at words that stand for money: slowed by who makes them.

The memory for it is bounded, and each process has its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

from backend.accounts.errors import TooManyAttempts
from backend.errors import FareboxError
from backend.kit.origin import origin
from edge.attempts import Attempts, network_of
from edge.trusted import is_trusted

Kind = Literal["credential", "metrics", "sign_in", "invitation", "coupon", "scan"]

_PACES: Final[dict[Kind, tuple[int, float]]] = {
    # 256 random bits are beyond guessing; but each guess takes a connection of the database's
    "credential": (60, 1.0),
    "metrics": (20, 3.0),  # its token is of the operator's own making
    "sign_in": (20, 3.0),
    "invitation": (10, 30.0),
    "scan": (20, 3.0),
    "coupon": (10, 30.0),  # the operator's own words, worth money
}
"""How many may fail at once, and how many seconds later each other."""


class Guesses:
    """Counts what fails, by kind and by who tries."""

    def __init__(self, trusted: Sequence[str]) -> None:
        """Never slow a caller from one of the ``trusted`` networks: it passes on others' calls."""
        self._trusted = trusted
        self._attempts = {
            kind: Attempts(burst=burst, every_seconds=seconds)
            for kind, (burst, seconds) in _PACES.items()
        }

    @contextmanager
    def slowed(self, kind: Kind, name: str | None, wrong: type[FareboxError]) -> Iterator[None]:
        """Count an error of the type ``wrong`` that ends the block as a failed guess of ``name``.

        Raises ``TooManyAttempts`` instead of beginning the block while ``name`` has to wait. With
        None, nobody is to be slowed.
        """
        if name is None:
            yield
            return
        self.check(kind, name)
        try:
            yield
        except wrong:
            self._attempts[kind].count(name)
            raise

    def check(self, kind: Kind, name: str) -> None:
        """Raise ``TooManyAttempts`` while ``name`` has to wait."""
        seconds = self._attempts[kind].wait_seconds(name)
        if seconds:
            raise TooManyAttempts(retry_after_seconds=math.ceil(seconds))

    def count(self, kind: Kind, name: str) -> None:
        """Count a failed guess."""
        self._attempts[kind].count(name)

    def network(self) -> str | None:
        """Return the network that the request comes from; None for one that is not slowed."""
        address = origin().address
        if address is None or is_trusted(address, self._trusted):
            return None
        return network_of(address)
