"""What a page shows whose load can't begin, since it can't be asked who is there."""

from __future__ import annotations

from typing import Any, cast

import pytest
import reflex as rx

from portal.app import app
from portal.features.keys.state import Keys
from portal.features.operations.state import Operations
from portal.features.operations.worker_state import WorkerTasks
from portal.session.state import Session

pytestmark = pytest.mark.fast

WHY = "The API can't be reached."


def of(session: Any, state: type[rx.State]) -> Any:
    return session.substates[state.get_name()]


async def test_all_parts_of_the_page_fail_at_once_and_load_again_when_asked_to() -> None:
    with app.set_contexts():
        # Reflex alone makes states elsewhere, and says how it does so with this argument
        root = cast(Any, rx.State)(_reflex_internal_init=True)
        session = root.get_substate([*Session.get_full_name().split(".")[1:]])
        parts = [of(session, state) for state in (Operations, WorkerTasks)]
        other = of(session, Keys)
        parts[0].phase = other.phase = "ready"
        await session._fail_to_enter(WHY, "portal.features.operations")
        assert [(part.phase, part.problem) for part in parts] == [("failed", WHY)] * 2
        # What was left is shown no more, and is told nothing
        assert (other.phase, other.problem) == ("loading", "")
        assert await session._begin_to_enter("portal.features.operations")
        assert [(part.phase, part.problem) for part in parts] == [("loading", "")] * 2
        assert not await session._begin_to_enter("portal.features.operations")
        assert session.notice == ""
