"""How often one address may ask what costs the server work, without a credential."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backend.kit.origin import origin
from backend.spend.errors import TooManyComparisons
from edge.attempts import Attempts, network_of
from edge.trusted import is_trusted

BURST, EVERY_SECONDS = 60, 1.0
"""How many comparisons at once, and how many seconds later each other."""


class PublicQuestions:
    """Counts what strangers ask, by their network. The memory for it is bounded."""

    def __init__(
        self, trusted: Sequence[str], *, burst: int = BURST, every_seconds: float = EVERY_SECONDS
    ) -> None:
        """Never slow a caller from one of the ``trusted`` networks: it passes on others' calls."""
        self._trusted = trusted
        self._attempts = Attempts(burst=burst, every_seconds=every_seconds)

    def count(self) -> None:
        """Count a question; raise ``TooManyComparisons`` while its network has to wait."""
        address = origin().address
        if address is None or is_trusted(address, self._trusted):
            return
        network = network_of(address)
        if seconds := self._attempts.wait_seconds(network):
            raise TooManyComparisons(retry_after_seconds=math.ceil(seconds))
        self._attempts.count(network)
