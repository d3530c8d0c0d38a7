"""Why a test clock can't be read or advanced."""

from __future__ import annotations

from backend.errors import Conflict, NotFound


class NoTestClock(NotFound):
    """The tenant lives in real time. A clock is made with its tenant, and never given to one."""

    code, title = "no_test_clock", "This tenant is on no test clock"


class ClockAdvancing(Conflict):
    """The clock is on its way to another instant: wait until its state is ``ready``."""

    code, title = "clock_advancing", "This test clock is being advanced already"
