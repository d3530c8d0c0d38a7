"""Playground: a conversation with a model, its cost, and the same request as code.

Owns the one conversation of a tab, which is kept nowhere else.
"""

from __future__ import annotations

from portal import routes
from portal.features.playground.page import page
from portal.features.playground.state import Playground
from portal.shell.feature import Feature

FEATURE = Feature(
    route=routes.PLAYGROUND,
    title="Playground",
    icon="message-square-text",
    page=page,
    on_load=(Playground.load,),
)
