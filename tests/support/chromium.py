"""Find a Chromium for the browser tests; run as a script, install one if there is none.

A Chromium of the machine's own is preferred to Playwright's, which it has to download. Of those,
the headless shell is: the same engine without a browser's windows around it, which draws a page for
half of the processor's time. Playwright's own is that too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_SHELL = "chromium-headless-shell"
_WHOLE = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ASKED = Path(sys.prefix, ".headless-shell-asked-for")
"""Says that the machine has no such package, so that not every run asks for it."""


def chromium_executable(*, whole: bool = False) -> str | None:
    """The machine's own Chromium (or what ``FAREBOX_CHROMIUM`` names); None: Playwright's.

    ``whole`` asks for what a person would start, where there is one.
    """
    if named := os.environ.get("FAREBOX_CHROMIUM"):
        return named
    names = (*_WHOLE, _SHELL) if whole else (_SHELL, *_WHOLE)
    return next((path for name in names if (path := shutil.which(name))), None)


def chromium_arguments() -> list[str]:
    """As root, Chromium refuses its sandbox; in a container /dev/shm is often too small."""
    return ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def _playwright_has_one() -> bool:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def install() -> None:
    """Install a Chromium: Debian's when this user may, else Playwright's."""
    if _may_install() and (_install_packages(_SHELL) or _install_packages("chromium")):
        return
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if os.geteuid() == 0 and subprocess.run([*command, "--with-deps"], check=False).returncode == 0:
        return
    subprocess.run(command, check=True)


def install_shell() -> None:
    """Add the headless shell to a Chromium that is there, if this user may, and ask for it once."""
    if _may_install() and not shutil.which(_SHELL) and not _ASKED.exists():
        _ASKED.touch()
        _install_packages(_SHELL)


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _install_packages(package: str) -> bool:
    """Install a package of Debian's; tell whether it is there now (Ubuntu has neither)."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("install", "-qq", "-y", "--no-install-recommends", package)
    for command in (("update", "-qq"), install):
        subprocess.run(["apt-get", *command], env=environment, stdout=sys.stderr, check=False)
    return shutil.which(package) is not None


if __name__ == "__main__":
    if chromium_executable() is None and not _playwright_has_one():
        sys.stdout.write("Installing a Chromium for the browser tests\n")
        sys.stdout.flush()
        install()
    elif chromium_executable():
        install_shell()
