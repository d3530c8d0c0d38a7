"""Find a Chromium for the browser tests; run as a script, install one if there is none.

A Chromium of the machine's own is preferred to Playwright's, which it has to download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def chromium_executable() -> str | None:
    """The machine's own Chromium (or what ``FAREBOX_CHROMIUM`` names); None: Playwright's."""
    if named := os.environ.get("FAREBOX_CHROMIUM"):
        return named
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def chromium_arguments() -> list[str]:
    """As root, Chromium refuses its sandbox; in a container /dev/shm is often too small."""
    return ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


def _playwright_has_one() -> bool:
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def install() -> None:
    """Install a Chromium: Debian's when this user may, else Playwright's."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quietly = {"env": environment, "stdout": sys.stderr, "check": False}
        subprocess.run(["apt-get", "update", "-qq"], **quietly)
        subprocess.run(
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"], **quietly
        )
        if chromium_executable():
            return
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    if os.geteuid() == 0 and subprocess.run([*command, "--with-deps"], check=False).returncode == 0:
        return
    subprocess.run(command, check=True)


if __name__ == "__main__":
    if chromium_executable() is None and not _playwright_has_one():
        sys.stdout.write("Installing a Chromium for the browser tests\n")
        sys.stdout.flush()
        install()
