"""What the app needs to know of a feature: its address, its place in the navigation, its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import reflex as rx
from reflex.event import EventType
from starlette.routing import Route

from portal.session.page import PageState


class Group(Enum):
    """Where a page stands in the navigation; its value is the heading, empty for none.

    Pages of ``OPERATOR`` have a navigation to themselves: the operator mode.
    """

    START = ""
    BUILD = "Build"
    OBSERVE = "Observe"
    BILLING = "Billing"
    SETTINGS = "Settings"
    OPERATOR = "Operator"


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows inside the frame.

    ``state`` is whose problems stand above the content. ``lead`` says below the heading what the
    page is for; ``actions`` stand beside it. ``query`` is what is shown as the query of an address,
    which the page's own load reads; the browser's address follows it. ``heading`` stands in
    place of the feature's title.
    """

    state: type[PageState]
    content: Sequence[rx.Component]
    lead: str = ""
    actions: rx.Component | None = None
    query: str | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A page inside the frame, for people who are signed in.

    ``icon`` is one of Lucide's. ``on_load`` runs after the session's own handler, which shows who
    is signed in. ``routes`` are what the page needs beside Reflex's own: downloads, uploads, pages
    for strangers; each asks by itself who is there. ``within`` is the address of the page
    that leads to this one, which is then not in the navigation itself. ``words`` are other words
    that people search the page by.
    """

    route: str
    title: str
    icon: str
    page: Callable[[], Page]
    on_load: Sequence[EventType[()]]
    group: Group
    routes: Sequence[Route] = ()
    within: str = ""
    words: str = ""

    @property
    def package(self) -> str:
        """Where the page and its states are."""
        return self.page.__module__.rpartition(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarePage:
    """A page without the frame, for people who may not be signed in."""

    route: str
    title: str
    page: Callable[[], rx.Component]
    on_load: Sequence[EventType[()]] = ()
