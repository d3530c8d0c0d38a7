"""What a tab forgets: a page's state goes when the page is left or loaded anew.

Otherwise each page that was once visited would be in the tab's memory, and in what every full load
sends, for as long as the tab is open; and a page loaded anew could be acted on as it was before,
until its load puts another content in place.
"""

from __future__ import annotations

from reflex.state import BaseState


def forget_pages(session: BaseState, *, within: str = "") -> None:
    """Give the states below ``session`` their defaults, save those of the package ``within``.

    A state with ``stays`` keeps what it holds: what a person would miss. Those below it don't.
    """
    for state in session.substates.values():
        cls = state.__class__
        if within and cls.__module__.startswith(f"{within}."):
            continue
        if getattr(cls, "stays", False):
            forget_pages(state, within=within)
        else:
            _forget(state)


def forget_all(session: BaseState) -> None:
    """Give ``session`` and all states below it their defaults: they were of another person.

    Reflex's own ``reset`` sends all of them to the browser, also where nothing was held.
    """
    _forget(session)


def _forget(state: BaseState) -> None:
    """Put back what differs from its default; the rest need not be sent to the browser."""
    # Not by type(): what a background handler has is a proxy of the state
    cls = state.__class__
    parent = cls.get_parent_state()
    inherited = parent.get_fields() if parent is not None else {}
    for name, field in cls.get_fields().items():
        if name not in inherited and getattr(state, name) != (default := field.default_value()):
            setattr(state, name, default)
    for below in state.substates.values():
        _forget(below)
