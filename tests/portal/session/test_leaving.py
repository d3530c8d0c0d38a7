"""What a tab's state holds of pages that were left, or are loaded anew."""

from __future__ import annotations

from typing import Any, cast

import pytest
import reflex as rx
from reflex.istate.proxy import StateProxy

from portal.app import FEATURES, app
from portal.features.corrections.state import Corrections
from portal.features.keys.state import Keys
from portal.features.playground.kept_state import Conversation
from portal.features.playground.state import Playground
from portal.session.leaving import forget_all, forget_pages
from portal.session.state import Session
from portal.shell.feature import Feature

pytestmark = pytest.mark.fast


@pytest.fixture
def session() -> Any:
    """The states of one tab, of which three pages have been visited."""
    with app.set_contexts():
        # Reflex alone makes states elsewhere, and says how it does so with this argument
        root = cast(Any, rx.State)(_reflex_internal_init=True)
        session = root.get_substate([*Session.get_full_name().split(".")[1:]])
        session.person = "Sample person"
        of(session, Corrections).action, of(session, Corrections).phase = "amend", "ready"
        of(session, Corrections).problems = {"reason": "Give a reason."}
        of(session, Corrections)._names["app"] = "Search"
        of(session, Keys).dialog = "create"
        kept = of(session, Conversation)
        kept._kept, of(kept, Playground).draft = "cnv_1", "Half a question"
        root._clean()
        yield session


def of(session: Any, state: type[rx.State]) -> Any:
    return session.substates[state.get_name()]


def test_other_pages_go_and_the_page_itself_and_the_person_stay(session: Any) -> None:
    forget_pages(session, within="portal.features.keys")
    assert of(session, Corrections).action == "void"
    assert of(session, Corrections).phase == "loading"
    assert set(of(session, Corrections).problems.values()) == {""}
    assert of(session, Corrections)._names == {}
    assert of(session, Keys).dialog == "create"
    assert session.person == "Sample person"


def test_a_conversation_stays(session: Any) -> None:
    forget_pages(session)
    kept = of(session, Conversation)
    assert kept._kept == "cnv_1"
    # It is shown anew when its page is loaded
    assert of(kept, Playground).draft == ""
    assert of(session, Keys).dialog == ""


def test_only_what_differs_is_sent(session: Any) -> None:
    forget_pages(session)
    assert of(session, Corrections).dirty_vars == {"action", "phase", "problems", "_names"}
    assert of(session, Keys).dirty_vars == {"dialog"}
    forget_pages(session)
    assert of(session, Keys).dirty_vars == {"dialog"}


def test_of_another_person_nothing_stays_and_what_was_never_held_is_not_sent(session: Any) -> None:
    forget_all(session)
    kept = of(session, Conversation)
    assert (session.person, kept._kept, of(kept, Playground).draft) == ("", "", "")
    assert session.dirty_vars == {"person"}
    sent = session.get_delta()
    assert Session.get_full_name() in sent
    assert of(session, Keys).get_full_name() in sent
    # Nobody has been at those pages
    assert not {name for name in sent if ".usage" in name or ".spend" in name}


def test_a_background_handler_may_be_the_first_that_forgets(session: Any) -> None:
    """Its state is a proxy, of another type."""
    forget_all(StateProxy.__mro__[1](session))
    assert session.person == ""
    assert of(session, Keys).dialog == ""


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.title)
def test_a_pages_own_states_are_in_its_package(feature: Feature) -> None:
    """Its load would otherwise be undone by its own entering."""
    state = feature.page().state
    assert state.__module__.startswith(f"{feature.package}.")
