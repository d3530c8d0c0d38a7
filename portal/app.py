"""The portal's app: the table of its features, its style, and the routes beside Reflex's own.

The table makes everything that differs by feature: addresses, titles, the navigation in its
order, what a page loads, and the routes that it needs beside Reflex's own.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, cast

import reflex as rx
from reflex.event import EventSpec
from starlette.applications import Starlette
from starlette.types import ASGIApp

from portal.documentation.routes import Documentation
from portal.features import (
    accounting,
    applications,
    audit,
    chargeback,
    clock,
    compare,
    corrections,
    credit,
    customer,
    customers,
    events,
    invitation,
    invoices,
    keys,
    model,
    models,
    not_found,
    notifications,
    operations,
    organization,
    overview,
    platforms,
    playground,
    reconciliation,
    requests,
    sessions,
    sign_in,
    spend,
    team,
    upstreams,
    usage,
    webhooks,
)
from portal.search.routes import Search
from portal.server.brand import brand_routes
from portal.server.build import static_directory
from portal.server.security import SecurityHeaders, content_security_policy
from portal.server.sign_in_routes import AuthRoutes
from portal.server.sockets import BoundedSockets
from portal.server.tab_states import own_tabs
from portal.server.visitors import Visitors
from portal.session.guard import callers
from portal.session.state import PAGE_LOADS, Session
from portal.settings import portal_settings
from portal.shell.arrival import arrival
from portal.shell.feature import BarePage
from portal.shell.frame import framed
from portal.shell.toasts import toasts_place

log = logging.getLogger(__name__)

FEATURES = (
    overview.FEATURE,
    playground.FEATURE,
    models.FEATURE,
    model.FEATURE,
    keys.FEATURE,
    usage.FEATURE,
    requests.FEATURE,
    events.FEATURE,
    spend.FEATURE,
    credit.FEATURE,
    invoices.FEATURE,
    compare.FEATURE,
    chargeback.FEATURE,
    organization.FEATURE,
    applications.FEATURE,
    team.FEATURE,
    webhooks.FEATURE,
    audit.FEATURE,
    sessions.FEATURE,
    customers.FEATURE,
    customer.FEATURE,
    clock.FEATURE,
    operations.FEATURE,
    upstreams.FEATURE,
    notifications.FEATURE,
    corrections.FEATURE,
    reconciliation.FEATURE,
    accounting.FEATURE,
    platforms.FEATURE,
)
BARE_PAGES = (sign_in.FEATURE, invitation.FEATURE, not_found.FEATURE)


def secured(app: ASGIApp) -> ASGIApp:
    """The app with the headers that its built pages need, and bounds on its websockets."""
    settings = portal_settings()
    bounded = BoundedSockets(app, Visitors(settings, callers))
    policy = content_security_policy(static_directory())
    return SecurityHeaders(bounded, policy, https=settings.secure)


def on_failure(exception: Exception) -> EventSpec:
    """Log what no handler expected, and tell the person that something did not happen."""
    log.error("An event failed.", exc_info=exception)
    return cast(EventSpec, Session.stumble())


documentation = Documentation(portal_settings())
app = rx.App(
    stylesheets=["/portal.css"],
    head_components=[
        rx.el.script(src="/early.js"),
        rx.el.link(rel="icon", href="/brand/logo"),
        rx.el.link(rel="stylesheet", href="/brand.css"),
        rx.el.meta(name="color-scheme", content="light dark"),
    ],
    toaster=toasts_place(),
    backend_exception_handler=on_failure,
    api_transformer=[
        Starlette(
            routes=[
                AuthRoutes(portal_settings()).mount(),
                *brand_routes(portal_settings()),
                *documentation.routes,
                *Search(portal_settings(), documentation).routes,
                *(route for feature in FEATURES for route in feature.routes),
            ]
        ),
        secured,
    ],
)

add_page = partial(
    app.add_page, description="Keys, usage and spend of an AI API.", image="/brand/logo"
)


def unframed(bare: BarePage) -> rx.Component:
    """A page without the frame, which names the document all the same."""
    return rx.fragment(bare.page(), arrival(page=bare.title))


def script_of_its_own(page: partial[rx.Component], module: str) -> partial[rx.Component]:
    """A page as if it were from ``module``: Reflex writes the script of a module's pages as one."""
    page.__module__ = module
    return page


for bare in BARE_PAGES:
    add_page(
        script_of_its_own(partial(unframed, bare), bare.page.__module__),
        route=bare.route,
        title=bare.title,
        on_load=[*bare.on_load],
    )
for feature in FEATURES:
    # A class gives its handlers as what Reflex makes of them
    PAGE_LOADS[feature.package] = cast(Any, feature.on_load)
    add_page(
        script_of_its_own(partial(framed, feature, FEATURES), feature.page.__module__),
        route=feature.route,
        title=feature.title,
        on_load=[Session.enter(feature.package)],
    )

own_tabs(app)
