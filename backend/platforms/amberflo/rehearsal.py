"""A rehearsal: what would be sent to Amberflo, and nothing is. What exists is read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from backend.platforms.adapter import Rehearsed
from backend.platforms.amberflo.calls import AmberfloCalls
from backend.platforms.amberflo.mapping import Json

_QUESTIONS: Final = frozenset({"/usage/"})


class RehearsedCalls(AmberfloCalls):
    """Calls that read and note, and change nothing."""

    def __init__(self, calls: AmberfloCalls) -> None:
        vars(self).update(vars(calls))  # over the same connections, for what is read
        self.requests: list[Rehearsed] = []

    async def send(self, method: str, path: str, body: Json) -> Any:
        """Note a request; answer as Amberflo does, with what it was sent."""
        if path in _QUESTIONS:
            return await super().send(method, path, body)
        self._note(method, path, [body])
        return body | {"url": ""}

    async def ingest(self, events: Sequence[Json]) -> int:
        """Note events, a line each."""
        self._note("POST", "/ingest/", events)
        return len(events)

    def _note(self, method: str, path: str, bodies: Sequence[Json]) -> None:
        lines = tuple(json.dumps(body, sort_keys=True) for body in bodies)
        self.requests.append(Rehearsed(method, path, lines))
