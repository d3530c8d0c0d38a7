"""``python -m portal build`` and ``python -m portal serve``, for people and supervisors."""

from __future__ import annotations

import argparse
import gc

from portal.server.build import build
from portal.server.logs import configure_logs
from portal.server.serve import prepare_to_serve, serve


def main() -> None:
    """Build the pages, or serve them; serving builds first what is not built."""
    parser = argparse.ArgumentParser(prog="python -m portal", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="build the pages if the source has changed")
    building.add_argument("--force", action="store_true", help="build in any case")
    commands.add_parser("serve", help="serve the built pages at FAREBOX_PORTAL_HOST and _PORT")
    chosen = parser.parse_args()
    if chosen.command == "serve":
        gc.disable()  # what is imported stays: to go through it took a fifth of a start
        configure_logs()
        prepare_to_serve()
        # Reflex reads its environment on import
        from portal.app import app

        pages = app()
        gc.collect()
        gc.freeze()
        gc.enable()
        serve(pages)
    else:
        build(force=chosen.force)


if __name__ == "__main__":
    main()
