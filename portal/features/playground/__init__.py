"""Playground: a conversation with models side by side, its cost, and the same request as code.

Owns the conversation of a tab, and the answers that come in now.
"""

from __future__ import annotations

from portal import routes
from portal.features.playground.calls.routes import ROUTES as STREAMS
from portal.features.playground.page import page
from portal.features.playground.pictures.routes import ROUTES as PICTURES
from portal.features.playground.state import Playground
from portal.shell.feature import Feature, Group

FEATURE = Feature(
    route=routes.PLAYGROUND,
    title="Playground",
    icon="message-square-text",
    page=page,
    group=Group.BUILD,
    words="chat prompt test try",
    on_load=(Playground.load,),
    routes=(*STREAMS, *PICTURES),
)
