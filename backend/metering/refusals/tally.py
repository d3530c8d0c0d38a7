"""Count refused events in this process until they are written. No I/O."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, TypeAlias

from backend.metering.events import Sender
from backend.metering.refusals.refusal import Refusal
from backend_client.types.texts import shown

MOST_KINDS: Final = 2_000
"""How many kinds a process keeps apart between two writes: a flood of refusals takes no memory."""
OTHER: Final = "for other reasons than are listed"

_LONGEST: Final = 300  # characters of a detail
_LONGEST_NAME: Final = 200
_NUMBERS: Final = re.compile(r"\d+")

_Key: TypeAlias = tuple[str | None, date, str, str, str, str]
"""Tenant, day, sender, credential, field and reason without what differs from event to event."""


@dataclass(slots=True)
class RefusedKind:
    """Events of a tenant that were refused on a day for one reason; the last one as a sample.

    ``tenant_id`` is None where nobody knows whose they were. ``credential`` is the id of what
    they were sent with. ``first_at`` and ``last_at`` are times of receipt.
    """

    tenant_id: str | None
    day: date
    sender: Sender
    credential: str
    field: str | None
    detail: str
    count: int
    first_at: datetime
    last_at: datetime
    sample_id: str | None
    sample_source: str | None

    @property
    def key(self) -> _Key:
        """What tells kinds apart: neither numbers in the reason, nor names of labels or meters."""
        root = ".".join((self.field or "").split(".")[:2])
        reason = _NUMBERS.sub("#", self.detail)
        return (self.tenant_id, self.day, self.sender, self.credential, root, reason)

    @property
    def id(self) -> str:
        """The same for the same kind in every process."""
        written = json.dumps([str(part) for part in self.key]).encode()
        return f"ref_{hashlib.sha256(written).hexdigest()[:32]}"

    def as_other(self) -> RefusedKind:
        """Return it as one of the kinds that are not told apart; without sender or sample."""
        return RefusedKind(
            self.tenant_id,
            self.day,
            "operator" if self.tenant_id is None else self.sender,
            "",
            None,
            OTHER,
            self.count,
            self.first_at,
            self.last_at,
            None,
            None,
        )

    def add(self, later: RefusedKind) -> None:
        """Count events of the same kind too; the last one is the sample."""
        self.count += later.count
        self.first_at = min(self.first_at, later.first_at)
        if later.last_at >= self.last_at:
            self.last_at = later.last_at
            self.field, self.detail = later.field, later.detail
            self.sample_id, self.sample_source = later.sample_id, later.sample_source


def folded(kinds: Iterable[RefusedKind]) -> list[RefusedKind]:
    """Return kinds with each key once."""
    by_key: dict[_Key, RefusedKind] = {}
    for kind in kinds:
        if (same := by_key.get(kind.key)) is None:
            by_key[kind.key] = kind
        else:
            same.add(kind)
    return list(by_key.values())


class RefusalTally:
    """Counts refused events by kind. One a process; what is in it is lost if that is killed."""

    def __init__(self, *, kept: bool = True) -> None:
        """``kept`` is whether anything is counted at all."""
        self._kept = kept
        self._kinds: dict[_Key, RefusedKind] = {}

    def note(
        self,
        tenant_id: str | None,
        sender: Sender,
        credential: str,
        refusal: Refusal,
        now: datetime,
        events: int = 1,
    ) -> None:
        """Count a refused event, or several that were refused together."""
        if not self._kept or not events:
            return
        self._add(
            RefusedKind(
                tenant_id=tenant_id,
                day=now.astimezone(UTC).date(),
                sender=sender,
                credential=credential,
                field=_shown(refusal.field, _LONGEST_NAME),
                detail=shown(refusal.detail, most=_LONGEST),
                count=events,
                first_at=now,
                last_at=now,
                sample_id=_shown(refusal.event_id, _LONGEST_NAME),
                sample_source=_shown(refusal.source, _LONGEST_NAME),
            )
        )

    def note_all(
        self,
        members: Iterable[tuple[str | None, Refusal]],
        sender: Sender,
        credential: str,
        now: datetime,
    ) -> None:
        """Count the refused members of a request, each with its tenant if that is known."""
        same: dict[tuple[str | None, str | None, str], tuple[Refusal, int]] = {}
        for tenant_id, refusal in members:
            key = (tenant_id, refusal.field, refusal.detail)
            same[key] = (refusal, same[key][1] + 1 if key in same else 1)
        for (tenant_id, _, _), (refusal, count) in same.items():
            self.note(tenant_id, sender, credential, refusal, now, count)

    def take(self) -> list[RefusedKind]:
        """Return what was counted, and begin anew."""
        kinds = list(self._kinds.values())
        self._kinds = {}
        return kinds

    def put_back(self, kinds: Iterable[RefusedKind]) -> None:
        """Count again what could not be written."""
        for kind in kinds:
            self._add(kind)

    def _add(self, kind: RefusedKind) -> None:
        key = kind.key
        if key not in self._kinds and len(self._kinds) >= MOST_KINDS:
            kind = kind.as_other()
            key = kind.key
            if key not in self._kinds and len(self._kinds) >= 2 * MOST_KINDS:
                kind.tenant_id, kind.sender = None, "operator"
                key = kind.key
        if (same := self._kinds.get(key)) is None:
            self._kinds[key] = kind
        else:
            same.add(kind)


def _shown(text: str | None, most: int) -> str | None:
    """Bound a text, without what PostgreSQL can't store or a terminal obeys."""
    return None if text is None else shown(text, most=most)
