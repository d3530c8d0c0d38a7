"""The quotas of the plan over their period, beside the usage."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from backend_client import NotFound
from backend_client.types.entitlements import Entitlements
from backend_client.types.usage import Granularity
from portal.features.usage.quotas import (
    burn_down,
    burn_down_note,
    burn_down_spec,
    named_quotas,
)
from portal.kit.choice import Choice
from portal.kit.formatting import meters_name
from portal.kit.vega_chart import PackedRows, packed
from portal.session import polling
from portal.session.guard import Caller, signed_in
from portal.session.live import feeds, shared
from portal.session.page import PageState
from portal.session.state import Session
from portal.shared.usage import usage_report


class Quotas(PageState, Session):
    """One quota at a time, by its place in the plan."""

    quotas: list[Choice] = []
    place: str = "0"
    spec: dict[str, Any] = {}
    rows: PackedRows = []
    note: str = ""

    @signed_in(background=True, supersedes=True)
    async def watch(self, caller: Caller) -> Sequence[Any]:
        """Load the quotas, and follow their use until the browser leaves the page."""
        shown: tuple[int | None, str] | None = None

        async def look() -> None:
            nonlocal shown
            async with self:
                place = self.place
            now = (feeds.version(caller), place)
            if now[0] is None or now != shown:
                await self._look(caller)
                shown = now

        return await self._follow_usage(caller, look, polling.USAGE_FIGURES)

    @signed_in(background=True)
    async def choose(self, caller: Caller, place: str) -> None:
        """Show another quota."""
        async with self:
            self.place = place if place.isdecimal() else "0"
        await self._look(caller)

    async def _look(self, caller: Caller) -> None:
        entitled, usage = await asyncio.gather(
            _entitlements(caller), usage_report(caller, {"granularity": Granularity.DAY})
        )
        quotas = entitled.quotas if entitled is not None else []
        async with self:
            names = named_quotas(quotas, [meters_name(quota.meters) for quota in quotas])
            self.quotas = [Choice(str(place), name) for place, name in enumerate(names)]
            if int(self.place) >= len(quotas):
                self.place = "0"
            if quotas:
                quota = quotas[int(self.place)]
                zone = usage.time_zone
                drawn = burn_down(
                    quota, usage.rows, start=usage.start, now=datetime.now(UTC), time_zone=zone
                )
                spec = burn_down_spec(quota, drawn, start=usage.start, time_zone=zone)
                if spec != self.spec:
                    self.spec = spec
                self.rows = packed(drawn.rows)
                self.note = burn_down_note(quota, drawn, zone)
            self._ready()


async def _entitlements(caller: Caller) -> Entitlements | None:
    """What the tenant may do; None without a plan."""

    async def ask() -> Entitlements | None:
        try:
            return await caller.client.entitlements.get()
        except NotFound:
            return None

    return await shared(caller, "entitlements", ask, fresh_seconds=polling.ANSWER_SECONDS)
