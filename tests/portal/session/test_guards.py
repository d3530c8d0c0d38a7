"""Every event handler of the portal asks who is there first; and none leaks a secret by name."""

from __future__ import annotations

import inspect

import pytest
import reflex as rx

from portal.app import FEATURES, app
from portal.features.sign_in.state import SignIn
from portal.session.guard import GUARD_MARK
from portal.session.shown_once import ShownOnce
from portal.session.state import Session
from portal.shell.feature import Group

pytestmark = pytest.mark.fast

ALWAYS_REFLEX = {"set_is_hydrated", "hydrate", "hydrate_and_load", "on_load_internal"}


def states(root: type[rx.State] = rx.State) -> list[type[rx.State]]:
    """All states of the portal's own, by name: Reflex keeps them in sets."""
    descendants = []
    for state in root.get_substates():
        descendants += [state, *states(state)]
    own = (state for state in descendants if state.__module__.startswith("portal."))
    return sorted(own, key=lambda state: state.__name__)


def own_handlers() -> list[tuple[type[rx.State], str]]:
    return [
        (state, name)
        for state in states()
        for name in state.event_handlers
        if name not in ALWAYS_REFLEX and name not in state.get_parent_state().event_handlers
    ]


def test_the_app_has_states_to_check() -> None:
    assert app is not None
    assert len(states()) >= 7
    assert len(own_handlers()) >= 20


@pytest.mark.parametrize(
    ("state", "name"), own_handlers(), ids=lambda value: getattr(value, "__name__", value)
)
def test_every_handler_is_guarded(state: type[rx.State], name: str) -> None:
    guard = getattr(state.event_handlers[name].fn, GUARD_MARK, None)
    assert guard in ({"public"} if state is SignIn else {"signed_in", "operator"})


def test_handlers_of_the_operators_pages_let_in_nobody_else() -> None:
    packages = {feature.package for feature in FEATURES if feature.group is Group.OPERATOR}
    guards = {
        f"{state.__name__}.{name}": getattr(state.event_handlers[name].fn, GUARD_MARK)
        for state, name in own_handlers()
        if state.__module__.rpartition(".")[0] in packages
    }
    assert {"Chart.save", "Upstreams.save"} <= set(guards)
    assert {name for name, guard in guards.items() if guard != "operator"} == set()


def test_events_carry_no_caller() -> None:
    for state, name in own_handlers():
        assert "caller" not in inspect.signature(state.event_handlers[name].fn).parameters


def test_every_page_state_descends_from_the_session() -> None:
    outside = {state for state in states() if not issubclass(state, Session)}
    assert outside == {SignIn}


def test_no_public_var_is_named_like_a_credential() -> None:
    named = {
        (state.__name__, name)
        for state in states()
        for name in state.vars
        if any(word in name for word in ("token", "secret", "cookie", "password"))
        and name not in {"max_tokens", "tokens_in", "tokens_out", "tokens_today", "tokens_period"}
    }
    # What is shown once, which its dialog can't do without
    showing = {state.__name__ for state in states() if issubclass(state, ShownOnce)}
    assert named == {(page, name) for page in showing for name in ("secret", "secret_name")}
