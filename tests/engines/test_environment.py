"""A child process gets the settings that it reads, and none of the others' secrets."""

from __future__ import annotations

import ast
import asyncio
import os
import sys
from pathlib import Path

import pytest

from backend.engines import services
from backend.engines.environment import for_an_engine, for_role
from backend.engines.nats import nats_command
from backend.engines.processes import Command
from backend.settings import Settings
from portal.settings import PortalSettings
from tests.support.paths import ROOT

pytestmark = pytest.mark.fast

ENVIRONMENT = {
    "PATH": "/bin",
    "LC_ALL": "C",
    "HTTPS_PROXY": "http://proxy",
    "AWS_SECRET_ACCESS_KEY": "cloud",
    "DATABASE_URL": "postgresql://u:secret@h/d",
    "NATS_URL": "nats://secret@h",
    **{
        f"FAREBOX_{name}": "secret"
        for name in [
            "UPSTREAMS",
            "WEBHOOK_SECRET",
            "SMTP_URL",
            "TAX_SERVICE_TOKEN",
            "METRICS_TOKEN",
            "OIDC_CLIENT_SECRET",
            "COOKIE_SECRET",
            "SECRETS_KEY",
            "HOME",
        ]
    },
}


def test_an_engine_gets_nothing_of_fareboxs() -> None:
    assert for_an_engine(ENVIRONMENT) == {"PATH": "/bin", "LC_ALL": "C"}


def test_each_role_gets_its_own_secrets() -> None:
    api, worker, portal = (
        {name.removeprefix("FAREBOX_") for name in for_role(role)(ENVIRONMENT)}
        for role in ("api", "worker", "portal")
    )
    everywhere = {"PATH", "LC_ALL", "HTTPS_PROXY", "AWS_SECRET_ACCESS_KEY", "HOME"}
    stores = {"DATABASE_URL", "NATS_URL", "SECRETS_KEY"}
    assert api == everywhere | stores | {"UPSTREAMS", "TAX_SERVICE_TOKEN", "METRICS_TOKEN"}
    assert worker == everywhere | stores | {"WEBHOOK_SECRET", "SMTP_URL", "TAX_SERVICE_TOKEN"}
    assert portal == everywhere | {"OIDC_CLIENT_SECRET", "COOKIE_SECRET"}


def test_the_portal_gets_every_setting_that_it_reads() -> None:
    settings = {f"FAREBOX_{name.upper()}": "x" for name in PortalSettings.model_fields}
    assert for_role("portal")({**settings, "FAREBOX_UPSTREAMS": "x"}) == settings


def test_every_child_is_asked_to_import_nothing_from_where_it_is_started(tmp_path: Path) -> None:
    """A ``structlog.py`` beside the data was imported, and its code was run."""
    settings = Settings(home=tmp_path, database_url=None, nats_url=None, upstreams=[])
    installation = services.plan(settings, say=lambda _: None)
    for service in installation.services:
        if service.name != "postgres":
            first, *arguments = service.command().arguments
            if first == sys.executable:
                assert arguments[0] == "-P", service.name


def test_wherever_python_is_started_it_is_asked_so() -> None:
    """The portal's pages are built by a child too, which no service is."""
    asked: dict[str, bool] = {}
    for source in [*(ROOT / "backend").rglob("*.py"), *(ROOT / "portal").rglob("*.py")]:
        text = source.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if "sys.executable" in text else ():
            if isinstance(node, ast.List) and ast.unparse(node).startswith("[sys.executable"):
                place = f"{source.relative_to(ROOT)}:{node.lineno}"
                asked[place] = ast.unparse(node).startswith("[sys.executable, '-P'")
    assert len(asked) > 3
    assert [place for place, is_asked in asked.items() if not is_asked] == []


def test_the_api_has_the_time_that_its_answers_may_take(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path, database_url=None, nats_url=None, upstreams=[], shutdown_seconds=120
    )
    installation = services.plan(settings, say=lambda _: None)
    [api] = [service for service in installation.services if service.name == "api"]
    assert api.command().stop_seconds > 120


async def test_a_module_in_the_working_directory_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "structlog.py").write_text("print('PWNED')")
    command = services._farebox("api", {})()
    child = await asyncio.create_subprocess_exec(
        *command.arguments,
        "--help",
        cwd=tmp_path,
        env=command.inherits(os.environ),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    assert b"PWNED" not in out


def test_a_command_adds_what_is_for_it_alone(tmp_path: Path) -> None:
    command = Command(["x"], {"FAREBOX_HOME": "/h"}, inherits=for_role("api"))
    with (tmp_path / "log").open("ab") as log:
        assert command.options(log)["env"]["FAREBOX_HOME"] == "/h"
        engine = nats_command(tmp_path / "nats", port=1).options(log)["env"]
    assert not [name for name in engine if name.startswith("FAREBOX_")]
