"""The portal's app: the table of its features, its style, and the routes beside Reflex's own.

The table makes everything that differs by feature: addresses, titles, the navigation in its
order, what a page loads, and the files it offers.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import cast

import reflex as rx
from reflex.event import EventSpec
from starlette.applications import Starlette
from starlette.types import ASGIApp

from portal.features import (
    corrections,
    credit,
    events,
    invoices,
    keys,
    not_found,
    operations,
    overview,
    playground,
    reconciliation,
    sign_in,
    spend,
    usage,
)
from portal.server.build import static_directory
from portal.server.security import SecurityHeaders, content_security_policy
from portal.server.sign_in_routes import AuthRoutes
from portal.session.state import Session
from portal.settings import portal_settings
from portal.shell.frame import framed

log = logging.getLogger(__name__)

FEATURES = (
    overview.FEATURE,
    playground.FEATURE,
    keys.FEATURE,
    usage.FEATURE,
    events.FEATURE,
    spend.FEATURE,
    credit.FEATURE,
    invoices.FEATURE,
    operations.FEATURE,
    corrections.FEATURE,
    reconciliation.FEATURE,
)
BARE_PAGES = (sign_in.FEATURE, not_found.FEATURE)


def secured(app: ASGIApp) -> ASGIApp:
    """The app with the headers that its built pages need, and no more."""
    return SecurityHeaders(app, content_security_policy(static_directory()))


def on_failure(exception: Exception) -> EventSpec:
    """Log what no handler expected, and tell the person that something did not happen."""
    log.error("An event failed.", exc_info=exception)
    return cast(EventSpec, Session.stumble())


app = rx.App(
    stylesheets=["/portal.css"],
    head_components=[
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.meta(name="color-scheme", content="light dark"),
    ],
    backend_exception_handler=on_failure,
    api_transformer=[
        Starlette(
            routes=[
                AuthRoutes(portal_settings()).mount(),
                *(route for feature in FEATURES for route in feature.downloads),
            ]
        ),
        secured,
    ],
)

add_page = partial(
    app.add_page, description="Keys, usage and spend of an AI API.", image="/logo.svg"
)

for bare in BARE_PAGES:
    add_page(bare.page, route=bare.route, title=f"{bare.title} · Farebox", on_load=[*bare.on_load])
for feature in FEATURES:
    add_page(
        partial(framed, feature, FEATURES),
        route=feature.route,
        title=f"{feature.title} · Farebox",
        on_load=[Session.enter, *feature.on_load],
    )
