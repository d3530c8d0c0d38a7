"""``farebox api``, ``worker`` and ``portal``: one role each, in any number of replicas.

Each imports only what it needs, when it runs.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path

from backend.logs import configure_logs
from backend.settings import Settings


def api() -> None:
    """Serve the API and the gateway, after bringing the schema up to date."""
    gc.disable()
    import uvicorn

    from backend.api.app import create_app
    from backend.commands.prepare import prepare_database
    from backend.engines.home import make_secret_file
    from edge.http_bounds import BoundedHttp

    settings = Settings()
    configure_logs(settings)
    if settings.local_sign_in_allowed:
        make_secret_file(settings.local_sign_in_secret_file)
    asyncio.run(prepare_database(settings))
    app = create_app(settings)
    _spare_the_collector()
    uvicorn.run(
        app,
        host=settings.api_host,
        port=settings.api_port,
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        log_config=None,  # as all else
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_addresses,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )


def worker() -> None:
    """Count usage events; and invoice, keep credit, notify, forecast, archive, measure drift."""
    gc.disable()
    from backend.commands.prepare import prepare_database
    from backend.worker import run_worker

    settings = Settings()
    configure_logs(settings)
    asyncio.run(prepare_database(settings))
    _spare_the_collector()
    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        runner.run(run_worker(settings))


def _spare_the_collector() -> None:
    """Begin to collect garbage, past imported objects: they are many, and they stay.

    Until then there is hardly any, and to look for it took a sixth of a start.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def _event_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def portal() -> None:
    """Serve the portal, which reaches the API at FAREBOX_API_URL."""
    from backend.engines.environment import for_role
    from backend.kit.extras import has_extra, missing_extra

    if not has_extra("portal"):
        raise missing_extra("portal", "The portal")
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "rxconfig.py").exists():  # a wheel's portal has its project in FAREBOX_HOME
        os.chdir(checkout)
    os.execve(
        sys.executable,
        [sys.executable, "-P", "-m", "portal", "serve"],
        for_role("portal")(os.environ),
    )
