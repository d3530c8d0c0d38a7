"""The portal's log: bounded lines to standard error."""

from __future__ import annotations

import logging
import sys

from edge.log_bounds import BoundedFormatter, FloodGate

_OF_SOCKETS = ("engineio.server", "socketio.server")
"""Without a level of their own they would write past the bounds, by a handler of their own."""


def configure_logs() -> None:
    """Write warnings and errors, each a bounded line. Call it before Reflex is imported."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(BoundedFormatter())
    handler.addFilter(FloodGate())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _OF_SOCKETS:
        logging.getLogger(name).setLevel(logging.ERROR)
