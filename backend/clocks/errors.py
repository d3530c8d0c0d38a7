"""Why a test clock can't be read or advanced."""

from __future__ import annotations

from backend.errors import Conflict, InvalidInput, NotFound


class NoTestClock(NotFound):
    """The tenant lives in real time. A clock is made with its tenant, and never given to one."""

    code, title = "no_test_clock", "This tenant is on no test clock"


class ClockAdvancing(Conflict):
    """The clock is on its way to another instant: wait until its state is ``ready``."""

    code, title = "clock_advancing", "This test clock is being advanced already"


class ClockOnlyForward(InvalidInput):
    """A test clock never goes back: what was done by it stays done."""

    code, title = "clock_only_forward", "The instant is before the test clock"


class ClockStepTooLong(InvalidInput):
    """A test clock is advanced by so much at once, and then again."""

    code, title = "clock_step_too_long", "The instant is too far ahead of the test clock"
