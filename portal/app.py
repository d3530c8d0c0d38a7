"""The portal's app: its pages, its style, and the routes beside Reflex's own."""

from __future__ import annotations

import logging
from types import ModuleType

import reflex as rx
from reflex.event import EventSpec
from starlette.applications import Starlette
from starlette.types import ASGIApp

from portal.features.corrections import page as corrections
from portal.features.credit import page as credit
from portal.features.events import page as events
from portal.features.invoices import page as invoices
from portal.features.keys import page as keys
from portal.features.not_found import page as not_found
from portal.features.operations import page as operations
from portal.features.overview import page as overview
from portal.features.playground import page as playground
from portal.features.reconciliation import page as reconciliation
from portal.features.sign_in import page as sign_in
from portal.features.spend import page as spend
from portal.features.usage import page as usage
from portal.server import downloads
from portal.server.build import static_directory
from portal.server.security import SecurityHeaders, content_security_policy
from portal.server.sign_in_routes import AuthRoutes
from portal.session.state import Session
from portal.settings import portal_settings

log = logging.getLogger(__name__)

SIGNED_IN: tuple[ModuleType, ...] = (
    overview,
    playground,
    keys,
    usage,
    events,
    spend,
    credit,
    invoices,
    operations,
    corrections,
    reconciliation,
)


def secured(app: ASGIApp) -> ASGIApp:
    """The app with the headers that its built pages need, and no more."""
    return SecurityHeaders(app, content_security_policy(static_directory()))


def on_failure(exception: Exception) -> EventSpec:
    """Log what no handler expected, and tell the person that something did not happen."""
    log.error("An event failed.", exc_info=exception)
    told: EventSpec = Session.stumble()
    return told


app = rx.App(
    stylesheets=["/portal.css"],
    head_components=[
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.meta(name="color-scheme", content="light dark"),
    ],
    backend_exception_handler=on_failure,
    api_transformer=[
        Starlette(routes=[AuthRoutes(portal_settings()).mount(), *downloads.routes]),
        secured,
    ],
)

DESCRIPTION, IMAGE = "Keys, usage and spend of an AI API.", "/logo.svg"

app.add_page(
    not_found.page,
    route="404",
    title="Not found · Farebox",
    description=DESCRIPTION,
    image=IMAGE,
)
app.add_page(
    sign_in.page,
    route=sign_in.ROUTE,
    title=f"{sign_in.TITLE} · Farebox",
    on_load=sign_in.ON_LOAD,
    description=DESCRIPTION,
    image=IMAGE,
)
for module in SIGNED_IN:
    app.add_page(
        module.page,
        route=module.ROUTE,
        title=f"{module.TITLE} · Farebox",
        on_load=[Session.enter, *module.ON_LOAD],
        description=DESCRIPTION,
        image=IMAGE,
    )
