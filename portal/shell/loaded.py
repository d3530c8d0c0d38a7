"""Content that has to be loaded first, and what stands in its place until then."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.kit.blocks import failed
from portal.session.page import FAILED, LOADING, PageState


def loaded(
    state: type[PageState],
    content: rx.Component,
    *,
    retry: EventType[()],
    skeleton: rx.Component | None = None,
) -> rx.Component:
    """The content once ``state`` is ready; a skeleton while it loads; when it failed, why.

    Without a ``skeleton`` the content is shown while it loads: its parts have their own.
    """
    problem = failed(state.problem, retry)
    if skeleton is None:
        return rx.cond(state.phase == FAILED, problem, content)
    return rx.cond(
        state.phase == LOADING, skeleton, rx.cond(state.phase == FAILED, problem, content)
    )
