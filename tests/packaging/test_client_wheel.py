"""The client as a distribution of its own: it needs httpx and pydantic alone, and is typed."""

from __future__ import annotations

import subprocess
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.packaging.slices import ROOT, build_wheel, install
from tests.support.flaky import FlakyServer, Reply

pytestmark = pytest.mark.slow

PROGRAM = """
import asyncio, importlib, pkgutil, sys
from importlib.util import find_spec
import backend_client
from backend_client import INTERACTIVE, AsyncFareboxClient, FareboxClient

for module in pkgutil.walk_packages(backend_client.__path__, "backend_client."):
    importlib.import_module(module.name)
with FareboxClient(sys.argv[1], profile=INTERACTIVE) as client:
    print(client.sessions.options().local)

async def over_asyncio():
    async with AsyncFareboxClient(sys.argv[1]) as client:
        print((await client.sessions.options()).local)

asyncio.run(over_asyncio())
print([name for name in ("backend", "portal", "tools", "fastapi") if find_spec(name)])
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("dist")
    return {name: build_wheel(name, directory) for name in ("farebox", "farebox-client")}


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_client_needs_httpx_and_pydantic_alone(wheels: dict[str, Path]) -> None:
    metadata = metadata_of(wheels["farebox-client"])
    needed = metadata.get_all("Requires-Dist", [])
    assert sorted(Requirement(line).name for line in needed) == ["httpx", "pydantic"]
    assert metadata.get_all("Provides-Extra", []) == []


def test_the_two_wheels_share_a_version_and_no_file(wheels: dict[str, Path]) -> None:
    farebox, client = metadata_of(wheels["farebox"]), metadata_of(wheels["farebox-client"])
    assert farebox["Version"] == client["Version"]
    assert f"farebox-client=={client['Version']}" in farebox.get_all("Requires-Dist", [])
    assert set(names_in(wheels["farebox"])).isdisjoint(names_in(wheels["farebox-client"]))
    assert not [name for name in names_in(wheels["farebox"]) if "backend_client" in name]


def test_both_ask_for_the_same_httpx_and_pydantic() -> None:
    farebox, client = (
        tomllib.loads((ROOT / path).read_text())["project"]["dependencies"]
        for path in ("pyproject.toml", "backend_client/pyproject.toml")
    )
    assert set(client) <= set(farebox)


def test_the_client_s_wheel_has_the_package_its_types_and_its_license(
    wheels: dict[str, Path],
) -> None:
    names = set(names_in(wheels["farebox-client"]))
    package = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "backend_client").rglob("*.py")
    }
    assert package | {"backend_client/py.typed"} == {
        name for name in names if name.startswith("backend_client/")
    }
    for name in ("LICENSE", "NOTICE"):
        assert any(path.endswith(f"licenses/{name}") for path in names)
        assert (ROOT / "backend_client" / name).read_bytes() == (ROOT / name).read_bytes()


def test_the_client_works_in_an_environment_of_its_own(
    wheels: dict[str, Path], tmp_path: Path
) -> None:
    python = install([wheels["farebox-client"]], tmp_path / "environment")
    with FlakyServer() as server:
        server.replies = [Reply(body=b'{"local": true, "oidc": false}')]
        done = subprocess.run(
            [python, "-c", PROGRAM, server.url],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout.split("\n"), done.stderr) == (["True", "True", "[]", ""], "")
