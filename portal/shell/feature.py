"""What the app needs to know of a feature: its address, its place in the navigation, its page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

import reflex as rx
from reflex.event import EventType
from starlette.routing import Route

from portal.session.page import PageState


class Audience(Enum):
    """In whose part of the navigation a page stands."""

    TENANT = "tenant"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows inside the frame.

    ``state`` is whose problems stand above the content. ``lead`` says below the heading what the
    page is for; ``actions`` stand beside it.
    """

    state: type[PageState]
    content: Sequence[rx.Component]
    lead: str = ""
    actions: rx.Component | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A page inside the frame, for people who are signed in.

    ``icon`` is one of Lucide's. ``on_load`` runs after the session's own handler, which shows who
    is signed in. ``downloads`` are the routes of the page's files.
    """

    route: str
    title: str
    icon: str
    page: Callable[[], Page]
    on_load: Sequence[EventType[()]]
    audience: Audience = Audience.TENANT
    downloads: Sequence[Route] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BarePage:
    """A page without the frame, for people who may not be signed in."""

    route: str
    title: str
    page: Callable[[], rx.Component]
    on_load: Sequence[EventType[()]] = ()
