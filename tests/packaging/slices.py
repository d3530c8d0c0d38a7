"""An environment that holds Farebox's wheel and the distributions of some extras alone.

Nothing is downloaded: the distributions are those of this environment, linked one by one, each
because the metadata of another asks for it. What is not declared is not there.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


def build_wheel(directory: Path) -> Path:
    """Farebox's wheel, built from the checkout."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = directory.glob("farebox-*.whl")
    return wheel


def install(wheel: Path, directory: Path) -> Path:
    """An environment with the wheel and what it needs, linked; the path of its Python."""
    venv.create(directory, with_pip=False, symlinks=True)
    python = directory / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel],
        check=True,
    )
    (packages,) = directory.glob("lib/python3.*/site-packages")
    (metadata,) = packages.glob("farebox-*.dist-info")
    for needed in closure(Distribution.at(metadata)):
        _link(needed, packages)
    return python


def closure(root: Distribution) -> list[Distribution]:
    """The distributions that one needs, without extras of its own, and those that these need."""
    needed: dict[str, Distribution] = {}
    waiting = list(_requirements(root, set()))
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in requirement.extras or {""}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                needed[name] = distribution(name)
                waiting += _requirements(needed[name], {extra})
    return list(needed.values())


def _requirements(of: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for line in of.requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield requirement


def _link(needed: Distribution, packages: Path) -> None:
    """Link the files and folders that a distribution has at the top of site-packages."""
    for name in {file.parts[0] for file in needed.files or [] if file.parts[0] != ".."}:
        target = Path(str(needed.locate_file(name))).resolve()
        link = packages / name
        if target.exists() and not link.exists():
            link.symlink_to(target, target_is_directory=target.is_dir())
