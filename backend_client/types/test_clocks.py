"""Test clocks: sample tenants whose time goes on when the operator says so."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from backend_client.types.common import Answer, Instant, Wire


class TestClockState(StrEnum):
    """Whether a clock stands, goes on, or stopped where something could not be done."""

    __test__ = False  # not a test of pytest's

    READY = "ready"
    ADVANCING = "advancing"
    FAILED = "failed"


class TestClock(Answer):
    """The clock of a tenant. What was due by ``at`` is done, unless it ``failed`` there.

    While it is ``advancing``, ``at`` moves from one due instant to the next up to ``target``.
    """

    __test__ = False

    tenant_id: str
    at: Instant = Field(description="Where the clock stands.")
    state: TestClockState = Field(
        description="`ready`, `advancing` towards `target`, or `failed` where something could "
        "not be done."
    )
    target: Instant | None = Field(description="Up to where it was asked to go; null when ready")
    problem: str | None = Field(description="Why it failed; advance it again once that is mended")


class TestClockAdvance(Wire):
    """Up to when a clock is to go on: at most 62 days at a time, and never back.

    The instant at which it stands has what is due by then done.
    """

    __test__ = False

    to: Instant = Field(description="Up to when it is to go on: 62 days at most, and never back.")
