"""The table of features: every folder is in it, and what it makes is consistent."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from importlib import import_module

import pytest
from starlette.routing import Route

import portal.app
from portal import features, routes
from portal.app import BARE_PAGES, FEATURES, app
from portal.session.page import PageState
from portal.session.state import PAGE_LOADS
from portal.shell.feature import Feature
from portal.shell.frame import framed

pytestmark = pytest.mark.fast


def test_every_feature_is_in_the_table() -> None:
    folders = [module.name for module in pkgutil.iter_modules(features.__path__)]
    exported = [import_module(f"portal.features.{name}").FEATURE for name in folders]
    assert sorted(feature.route for feature in (*FEATURES, *BARE_PAGES)) == sorted(
        feature.route for feature in exported
    )


def test_no_two_pages_share_an_address_a_title_or_an_icon() -> None:
    for name in ("route", "title", "icon"):
        values = [getattr(feature, name) for feature in FEATURES]
        assert len(set(values)) == len(values)


def test_addresses_that_other_pages_link_to_are_pages() -> None:
    linked = {value for name, value in vars(routes).items() if name.isupper()}
    assert linked <= {feature.route for feature in (*FEATURES, *BARE_PAGES)}


def test_a_page_shows_who_is_signed_in_before_it_loads_anything_else() -> None:
    for feature in FEATURES:
        (first,) = app.get_load_events(feature.route)
        assert first.handler.fn.__name__ == "enter"
        assert PAGE_LOADS[feature.package] == feature.on_load


def test_a_page_whose_load_begins_again_is_the_one_that_failed() -> None:
    for feature in FEATURES:
        state = feature.page().state
        assert state.__module__.rpartition(".")[0] == feature.package
        loaded = {load.state for load in PAGE_LOADS[feature.package]}
        assert state in loaded
        assert all(issubclass(each, PageState) for each in loaded if each)


def test_routes_beside_the_pages_have_addresses_of_their_own() -> None:
    routes_of_features = [route for feature in FEATURES for route in feature.routes]
    assert {type(route) for route in routes_of_features} == {Route}
    paths = [route.path for route in routes_of_features]
    assert len(set(paths)) == len(paths)
    # What strangers see of plans is there only where the seller has it so
    prefixes = ("/downloads/", "/uploads/", "/plans")
    assert [path for path in paths if not path.startswith(prefixes)] == []
    pages = {feature.route for feature in (*FEATURES, *BARE_PAGES)}
    assert pages.isdisjoint(paths)


def test_the_app_knows_a_feature_by_its_table_alone() -> None:
    """A feature's routes are in its ``FEATURE``: the app mounts none by hand."""
    tree = ast.parse(inspect.getsource(portal.app))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "portal.features" in imported
    assert [name for name in imported if name and name.startswith("portal.features.")] == []


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.title)
def test_a_page_can_be_composed(feature: Feature) -> None:
    """Python's ``if``, ``not`` or ``len`` on a variable passes the type checker and fails here."""
    assert framed(feature, FEATURES).render()
