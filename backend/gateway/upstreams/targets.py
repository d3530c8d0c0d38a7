"""The upstreams that serve a model, in the order in which a call tries them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final

from backend.gateway.upstreams.health import Circuit
from backend.gateway.upstreams.provider import Provider
from backend.settings import Upstream

_chance = random.SystemRandom()

RETIRED_SECONDS: Final = 60.0
"""How long an upstream that is served no more stays open for calls that had chosen it."""


class TargetKey:
    """One of an upstream's keys, and whether it works now: a limit is often a key's own."""

    def __init__(self, secret: str | None) -> None:
        self.secret = secret
        self.circuit = Circuit(failures=1)


class Target:
    """An upstream's model that calls can be sent to; its health is of this process."""

    def __init__(self, provider: Provider, model: str) -> None:
        self.provider = provider
        self.model = model
        """The upstream's own name."""
        self.circuit = Circuit()
        self.hides_thoughts: bool | None = None
        """Whether it thought more than it said in the last stream; None where it does not say."""
        secrets = [key.get_secret_value() for key in provider.upstream.keys]
        self.keys = tuple(TargetKey(secret) for secret in secrets or (None,))
        self._turn = 0

    @property
    def upstream(self) -> Upstream:
        """The upstream's settings."""
        return self.provider.upstream

    @property
    def is_full(self) -> bool:
        """Whether the upstream has as many calls under way as it may."""
        most = self.upstream.max_concurrency
        return most is not None and self.provider.under_way >= most

    def key(self, now: float, tried: Container[object] = ()) -> TargetKey | None:
        """Return the key whose turn it is, of those that work and are not ``tried``; or None."""
        for step in range(len(self.keys)):
            key = self.keys[(self._turn + step) % len(self.keys)]
            if key not in tried and key.circuit.state(now) != "open":
                self._turn = (self._turn + step + 1) % len(self.keys)
                return key
        return None

    def wait_seconds(self, now: float) -> float:
        """Return how long until a call may be sent here, as far as health goes."""
        keys = min(key.circuit.wait_seconds(now) for key in self.keys)
        return max(self.circuit.wait_seconds(now), keys)

    @property
    def asked_to_wait(self) -> bool:
        """Whether the provider itself asked for the pause that is now."""
        return self.circuit.asked_to_wait or all(key.circuit.asked_to_wait for key in self.keys)


class Targets:
    """Every target of the configured upstreams. One a process; ``await close()`` when done."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_upstream: dict[str, dict[str, Target]] = {}
        self._providers: dict[str, Provider] = {}
        self._retired: dict[Provider, float] = {}
        """Until when each is kept open at least."""

    async def use(self, configured: Sequence[Upstream]) -> None:
        """Let calls from now on go to these upstreams; one that is as it was keeps its health."""
        wanted = {upstream.name: upstream for upstream in configured}
        for name, provider in list(self._providers.items()):
            if wanted.get(name) != provider.upstream:
                self._retired[self._providers.pop(name)] = self._clock() + RETIRED_SECONDS
                del self._by_upstream[name]
        for name, upstream in wanted.items():
            if name not in self._providers:
                provider = self._providers[name] = Provider(upstream)
                self._by_upstream[name] = {
                    model: Target(provider, own_name) for model, own_name in upstream.models.items()
                }
        await self._close_retired()

    async def _close_retired(self) -> None:
        """Disconnect from what no call uses any more.

        Calls that are under way end at what they began with; one that has chosen its targets and
        waits for its holds is not under way yet.
        """
        now = self._clock()
        over = [
            provider
            for provider, kept_until in self._retired.items()
            if not provider.under_way and now >= kept_until
        ]
        for provider in over:
            del self._retired[provider]
            await provider.close()

    def serving(self, model: str) -> list[Target]:
        """Return the targets of a model in the order in which one call tries them."""
        serving = (targets.get(model) for targets in self._by_upstream.values())
        return in_order((target for target in serving if target is not None), _chance.random)

    def all(self) -> Iterator[tuple[str, int, Mapping[str, Target]]]:
        """Yield each upstream's name, how many calls it has now, and its targets by model."""
        for name, targets in self._by_upstream.items():
            yield name, self._providers[name].under_way, targets

    def serves(self, model: str) -> bool:
        """Return whether a model has a target."""
        return any(model in targets for targets in self._by_upstream.values())

    async def close(self) -> None:
        """Close every connection."""
        for provider in [*self._providers.values(), *self._retired]:
            await provider.close()


def in_order(targets: Iterable[Target], draw: Callable[[], float]) -> list[Target]:
    """Return targets in the order in which one call tries them.

    Those of a lower priority number come first. Among equals each is first in as many calls of many
    as its weight is of theirs; ``draw`` returns a random number from 0 to 1 for each.
    """

    def place(target: Target) -> tuple[int, float]:
        # Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006
        return target.upstream.priority, -(draw() ** (1 / target.upstream.weight))

    listed = list(targets)
    return listed if len(listed) < 2 else sorted(listed, key=place)
