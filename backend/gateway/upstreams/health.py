"""Whether something that calls are sent to is well, by how the last ones went.

Closed lets calls through. After some failures in a row it is open for a while, which grows, or for
as long as the provider asked for; then it is half-open: one call is let through, and decides. The
state is one process's, so that a call asks nobody: each process finds out by itself. What they
found is told to people by ``gateway_processes``.
"""

from __future__ import annotations

from typing import Final, Literal

from backend.kit.backoff import pause_after

FAILURES: Final = 5
"""In a row, after which a circuit opens."""
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""Even if a provider asks for longer: its limits may be lifted earlier, and one call finds out."""

State = Literal["closed", "open", "half-open"]


class Circuit:
    """The health of one target, or of one key. All times are of one monotonic clock, in seconds.

    Each ``begin`` is followed by one of ``succeed``, ``fail`` or ``leave``.
    """

    def __init__(self, *, failures: int = FAILURES) -> None:
        self._threshold = failures
        self._failures = 0
        self._open_until: float | None = None
        self._probing = False
        self.asked_to_wait = False
        """Whether it is open because the provider asked for a pause."""

    def state(self, now: float) -> State:
        """Return the state at ``now``."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until or self._probing else "half-open"

    def wait_seconds(self, now: float) -> float:
        """Return how long until a call may be let through; 0 if one may be now."""
        return 0.0 if self._open_until is None else max(0.0, self._open_until - now)

    @property
    def open_until(self) -> float | None:
        """When a call may be let through again; None while it is closed."""
        return self._open_until

    def begin(self) -> None:
        """Note that a call is sent; of a half-open circuit it is the one that decides."""
        self._probing = self._open_until is not None

    def succeed(self) -> None:
        """Note that a call was answered: the circuit closes."""
        self._failures = 0
        self._open_until = None
        self._probing = self.asked_to_wait = False

    def fail(self, now: float, *, retry_after: float | None = None) -> None:
        """Note that a call failed; ``retry_after`` is the pause that the provider asked for."""
        self._failures += 1
        self._probing = False
        if retry_after is not None:
            self.asked_to_wait = True
            self._open_until = now + min(retry_after, LONGEST_PAUSE_SECONDS)
        elif self._open_until is not None or self._failures >= self._threshold:
            beyond = max(1, self._failures - self._threshold + 1)
            pause = pause_after(beyond, first=FIRST_PAUSE_SECONDS, longest=LONGEST_PAUSE_SECONDS)
            self.asked_to_wait = False
            self._open_until = now + pause

    def leave(self) -> None:
        """Note that a call ended without saying anything of the provider's health."""
        self._probing = False
