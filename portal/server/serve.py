"""Serves the built pages, their websocket and the sign-in routes on one port, in one process."""

from __future__ import annotations

import os
import subprocess
import sys

import uvicorn
from starlette.types import ASGIApp

from edge.http_bounds import BoundedHttp
from portal.server.build import is_built, prepare_environment
from portal.settings import portal_settings

# Reflex's own switches: use what is built, serve it beside the websocket, as in production
SERVING = {
    "__REFLEX_SKIP_COMPILE": "true",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
    "REFLEX_ENV_MODE": "prod",
    "REFLEX_SSR": "true",
}


def prepare_to_serve() -> None:
    """Build the pages if this source has not been built, and have Reflex serve what is built.

    Reflex reads its environment on import, so this comes before the app's.
    """
    if not is_built():
        # In a process of its own: building leaves Reflex set up to build, not to serve
        subprocess.run([sys.executable, "-P", "-m", "portal", "build"], check=True)
    prepare_environment()
    os.environ.update(SERVING)


def serve(app: ASGIApp) -> None:
    """Serve until SIGTERM or SIGINT.

    Host and port are ``FAREBOX_PORTAL_HOST`` and ``FAREBOX_PORTAL_PORT``; the pages don't depend
    on them, so that one build serves anywhere.
    """
    settings = portal_settings()
    uvicorn.run(
        app,
        host=settings.portal_host,
        port=settings.portal_port,
        http=BoundedHttp,
        # Said, so that it does not depend on what else is installed here
        ws="wsproto",
        ws_max_size=1024 * 1024,
        timeout_graceful_shutdown=3,
        forwarded_allow_ips=settings.trusted_addresses,
        log_config=None,
        access_log=False,  # it would hold the tokens of tabs
        server_header=False,
    )
