"""An environment that holds Farebox's wheels and the distributions that they ask for alone.

Nothing is downloaded: the distributions are those of this environment, linked one by one, each
because the metadata of another asks for it. What is not declared is not there.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]


OWN = {"farebox": ROOT, "farebox-client": ROOT / "backend_client"}
"""Our distributions, and where each is built from."""


def build_wheel(name: str, directory: Path) -> Path:
    """The wheel of one of our distributions, built from the checkout."""
    # The program and not `-m`: a package of the client's is called as a module of Python's
    hatchling = Path(sys.executable).with_name("hatchling")
    subprocess.run(
        [hatchling, "build", "-t", "wheel", "-d", directory],
        cwd=OWN[name],
        check=True,
        capture_output=True,
    )
    (wheel,) = directory.glob(f"{name.replace('-', '_')}-*.whl")
    return wheel


def install(wheels: Sequence[Path], directory: Path) -> Path:
    """An environment with our wheels and what they need, linked; the path of its Python."""
    venv.create(directory, with_pip=False, symlinks=True)
    python = directory / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, *wheels],
        check=True,
    )
    (packages,) = directory.glob("lib/python3.*/site-packages")
    ours = [Distribution.at(metadata) for metadata in packages.glob("farebox*.dist-info")]
    for needed in closure(ours):
        _link(needed, packages)
    return python


def closure(ours: Sequence[Distribution]) -> list[Distribution]:
    """The distributions that ours need, without extras of their own, and those that these need."""
    needed: dict[str, Distribution] = {}
    waiting = [requirement for root in ours for requirement in _requirements(root, set())]
    seen: set[tuple[str, str]] = set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in OWN:
            continue
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
