"""How attempts went, by upstream and model, for Prometheus: counters of one process."""

from __future__ import annotations

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Histogram

from backend.gateway.targets import Target

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


class UpstreamMetrics:
    """Counters and times in a registry of their own."""

    def __init__(self) -> None:
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

    def ended(self, target: Target, outcome: Outcome) -> None:
        """Count an attempt; ``model`` is the upstream's own name, which the operator wrote."""
        self._attempts.labels(target.upstream.name, target.model, outcome).inc()

    def first_token(self, target: Target, seconds: float) -> None:
        """Note how long an answer took to begin."""
        self._first_token.labels(target.upstream.name, target.model).observe(seconds)
