"""How attempts went, by upstream and model: counters of one process for Prometheus, and what is
added up over all of them in the database.
"""

from __future__ import annotations

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

from backend.gateway.upstreams.tally import UpstreamTally
from backend.gateway.upstreams.targets import Target

Outcome = Literal[
    "answered",
    "failed",
    "error_in_answer",
    "timeout",
    "unreachable",
    "broken_off",
    "busy",
    "key_refused",
    "refused",
    "left",
]

_SECONDS: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 60, 120, 300)


FAILURES: Final[frozenset[Outcome]] = frozenset(
    {"failed", "error_in_answer", "timeout", "unreachable", "broken_off", "busy", "key_refused"}
)
"""Outcomes that are the provider's or the operator's to mend; the others are the caller's doing."""


class UpstreamMetrics:
    """Counters and times in a registry of their own."""

    def __init__(self, tally: UpstreamTally | None = None) -> None:
        """``tally`` is where attempts are counted for the database, if they are."""
        self._tally = UpstreamTally() if tally is None else tally
        self.registry = CollectorRegistry()
        self._attempts = Counter(
            "farebox_upstream_attempts_total",
            "Requests to model providers that have ended, by how",
            ["upstream", "model", "outcome"],
            registry=self.registry,
        )
        self._first_token = Histogram(
            "farebox_upstream_first_token_seconds",
            "Seconds from a request to the first part of a streamed answer",
            ["upstream", "model"],
            buckets=_SECONDS,
            registry=self.registry,
        )

        # Finding them by their labels takes longer than counting
        self._attempts_of: dict[tuple[str, str, Outcome], Counter] = {}
        self._first_token_of: dict[tuple[str, str], Histogram] = {}

    def ended(self, target: Target, outcome: Outcome, detail: str = "") -> None:
        """Count an attempt; ``model`` is the upstream's own name, which the operator wrote.

        ``detail`` says why it failed.
        """
        upstream = target.upstream.name
        ended = upstream, target.model, outcome
        attempts = self._attempts_of.get(ended)
        if attempts is None:
            attempts = self._attempts_of[ended] = self._attempts.labels(*ended)
        attempts.inc()
        if outcome == "answered":
            self._tally.note_answer(upstream, target.model)
        elif outcome in FAILURES:
            self._tally.note_failure(upstream, target.model, outcome, detail)

    def first_token(self, target: Target, seconds: float) -> None:
        """Note how long an answer took to begin."""
        upstream = target.upstream.name
        answering = upstream, target.model
        times = self._first_token_of.get(answering)
        if times is None:
            times = self._first_token_of[answering] = self._first_token.labels(*answering)
        times.observe(seconds)
        self._tally.note_first_token(upstream, target.model, seconds)
