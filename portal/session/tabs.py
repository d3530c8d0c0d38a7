"""The browser tab behind a state: whether it is still there, and what reloads its page.

The app is removed from Reflex's registration when it is asked for. Importing it here would be a
circle, since the app imports the pages and their states import this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx
from reflex_base.registry import RegistrationContext


def connected(state: rx.State) -> bool:
    """Tell whether the browser behind a state is still there."""
    namespace = RegistrationContext.get().app.event_namespace
    return namespace is not None and state.router.session.client_token in namespace.token_to_sid


def still_at(state: rx.State, path: str) -> bool:
    """Tell whether the browser behind a state still shows the page at ``path``.

    Reflex ends what a page's load began when the browser leaves it; this ends what a button began.
    """
    return connected(state) and state.router.url.path == path


def page_load(state: rx.State) -> Sequence[Any]:
    """The events that load the page a state's browser is at."""
    return RegistrationContext.get().app.get_load_events(state.router.url.path)
