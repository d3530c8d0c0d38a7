"""Writes entries beside the calls: noted in no time, in groups, and dropped before a call waits.

What a process has noted and not yet written is lost when it is killed: entries bill nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from backend.gateway.call import Call, Status
from backend.gateway.request_log.body_texts import body_text
from backend.gateway.request_log.entries import Bodies, Entry, entry_of
from backend.gateway.request_log.settings import Kept, all_kept, expiry
from backend.gateway.request_log.storing import insert_bodies, insert_entries
from backend.kit.periodic import every
from backend.storage.database import Database
from backend.storage.outages import is_outage

_log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 1.0
MOST_WAITING: Final = 10_000
"""Entries that are not written yet."""
MOST_BODY_BYTES: Final = 64 * 1024 * 1024
"""Of all bodies that are not written yet."""
MOST_REFUSED: Final = 100
"""Refused calls of a tenant in a group: who is refused at once would else fill the log."""
_GROUP: Final = 500
_LAST_SECONDS: Final = 5.0

Price = Callable[[Entry], Awaitable[tuple[Decimal, str] | None]]


class RequestLog:
    """The log of one process; ``await close()`` when done, which writes what waits."""

    def __init__(
        self, database: Database, *, kept: bool, price: Price, registry: CollectorRegistry
    ) -> None:
        """``kept`` is whether anything is logged; ``price`` says what a call costs."""
        self._database = database
        self._is_kept = kept
        self._price = price
        self._waiting: list[Entry] = []
        self._body_bytes = 0
        self._refused: Counts[str] = Counts()
        self._applications: dict[tuple[str, str], Kept] = {}
        self._stop = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._written_count = Counter(
            "farebox_request_log_written_total",
            "Calls that were written to the log",
            registry=registry,
        )
        self._dropped_count = Counter(
            "farebox_request_log_dropped_total",
            "Calls, or their bodies, that were left out of the log, by why",
            ["reason"],
            registry=registry,
        )
        waiting = Gauge(
            "farebox_request_log_waiting",
            "Calls that wait to be written to the log",
            registry=registry,
        )
        waiting.set_function(lambda: len(self._waiting))
        if kept:
            self._writing = asyncio.create_task(self._write_on())

    def note(self, entry: Entry) -> None:
        """Log a call. Returns at once, whatever the database does."""
        if not self._is_kept or not entry.caller.tenant_id:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._dropped_count.labels("full").inc()
            return
        if entry.outcome == "refused":
            self._refused[entry.caller.tenant_id] += 1
            if self._refused[entry.caller.tenant_id] > MOST_REFUSED:
                self._dropped_count.labels("refused_often").inc()
                return
        self._waiting.append(entry)

    def note_call(self, call: Call, status: Status) -> None:
        """Log a call whose event is made, with its bodies where its application keeps them."""
        if not self._is_kept:
            return
        entry = entry_of(call, status)
        application = (entry.caller.tenant_id, entry.application_id)
        if application in self._applications:
            texts, document = call.said, call.answer_document
            size = call.body_bytes + sum(map(len, texts))
            if self._body_bytes + size > MOST_BODY_BYTES:
                self._dropped_count.labels("bodies_full").inc()
            else:
                self._body_bytes += size
                answer = (lambda: document) if document is not None else lambda: "".join(texts)
                entry.bodies = Bodies(call.asked.document, answer, size)
        self.note(entry)

    async def close(self) -> None:
        """Write what waits, for five seconds at most."""
        self._stop.set()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=_LAST_SECONDS)
            self._writing.cancel()
            await asyncio.wait({self._writing})

    async def _write_on(self) -> None:
        await every(EVERY_SECONDS, self._pass, self._stop, name="request_log")
        await self._pass()

    async def _pass(self) -> None:
        try:
            async with self._database.begin() as connection:
                self._applications = await all_kept(connection)
            await self._write()
        except Exception as error:  # noqa: BLE001 - a fault must not end all later writes
            if is_outage(error):
                _log.warning("request_log.waits", error=type(error).__name__)
            else:
                _log.exception("request_log.failed")

    async def _write(self) -> None:
        """Write all that waits, in groups; what an outage interrupts waits on.

        What comes meanwhile waits for the next pass, unless it fills a group: calls that come one
        after another would else be written one after another.
        """
        self._refused.clear()
        due = len(self._waiting)
        while due:
            group = self._waiting[: min(due, _GROUP)]
            await self._write_group(group)
            del self._waiting[: len(group)]
            self._body_bytes -= sum(entry.bodies.size for entry in group if entry.bodies)
            due -= len(group)
            if not due and len(self._waiting) >= _GROUP:
                due = _GROUP

    async def _write_group(self, group: list[Entry]) -> None:
        """Write entries together, or each alone: one that can't be written holds up no other."""
        try:
            rows = [await self._row(entry) for entry in group]
            await self._insert(rows, await asyncio.to_thread(self._bodies, group))
        except Exception as error:
            if is_outage(error):
                raise
            _log.warning("request_log.refused", calls=len(group), error=repr(error))
            if len(group) == 1:
                self._dropped_count.labels("unstorable").inc()
                return
            for entry in group:
                await self._write_group([entry])

    async def _insert(self, rows: list[dict[str, Any]], bodies: list[dict[str, Any]]) -> None:
        async with self._database.begin() as connection:
            await insert_entries(connection, rows)
            await insert_bodies(connection, bodies)
        self._written_count.inc(len(rows))

    async def _row(self, entry: Entry) -> dict[str, Any]:
        priced = await self._price(entry) if entry.quantities else None
        return entry.row(*(priced or (None, None)))

    def _bodies(self, group: list[Entry]) -> list[dict[str, Any]]:
        """Return the rows of bodies; in a thread, since a long one takes a while to redact."""
        rows = []
        for entry in group:
            kept = self._applications.get((entry.caller.tenant_id, entry.application_id))
            if entry.bodies is None or kept is None:
                continue
            request = body_text(entry.bodies.request, private=kept.redacted)
            answer = body_text(entry.bodies.answer(), private=kept.redacted)
            rows.append(
                {
                    "tenant_id": entry.caller.tenant_id,
                    "id": entry.id,
                    "application_id": entry.application_id,
                    "time": entry.time.isoformat(),
                    "expires_at": expiry(entry.time, kept.days).isoformat(),
                    "request": request.text,
                    "answer": answer.text,
                    "shortened": request.shortened or answer.shortened,
                    "redacted": kept.redacted,
                }
            )
        return rows
