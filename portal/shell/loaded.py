"""Content that has to be loaded first, and what stands in its place until then."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.kit.blocks import failed
from portal.session.page import FAILED, LOADING, PageState
from portal.session.state import Session


def loaded(
    state: type[PageState],
    content: rx.Component,
    *,
    retry: EventType[()] | None = None,
    skeleton: rx.Component | None = None,
) -> rx.Component:
    """The content once ``state`` is ready; a skeleton while it loads; when it failed, why.

    Without a ``retry``, which is for a part of a page, the whole page is loaded again: all that its
    address says, and who is there. Without a ``skeleton`` the content is shown while it loads: its
    parts have their own.
    """
    package = state.__module__.rpartition(".")[0]
    problem = failed(state.problem, Session.enter(package) if retry is None else retry)
    if skeleton is None:
        return rx.cond(state.phase == FAILED, problem, content)
    return rx.cond(
        state.phase == LOADING, skeleton, rx.cond(state.phase == FAILED, problem, content)
    )
