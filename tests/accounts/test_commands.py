"""``farebox operator-key`` and ``farebox tenant``, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from backend.accounts.authenticator import Authenticator
from backend.accounts.principal import Permission
from backend.catalog.published import apply_catalog, load_catalog
from backend.engines.runfile import RunFile, run_file_path
from backend.errors import Unauthenticated
from backend.storage.database import Database
from tests.accounts.conftest import Headers
from tests.support.paths import CATALOG

pytestmark = pytest.mark.engine

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def farebox(database_url: str, tmp_path: Path) -> Run:
    def run(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {"DATABASE_URL": database_url, "FAREBOX_HOME": str(tmp_path)} | changes
        return subprocess.run(
            [sys.executable, "-m", "backend.cli", *arguments],
            env={name: value for name, value in environment.items() if value},
            cwd=CATALOG.parent,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


async def test_an_operators_key_is_made_listed_and_revoked(
    farebox: Run, database: Database
) -> None:
    process = farebox("operator-key", "create", "ingest of the model servers")
    assert process.returncode == 0, process.stderr
    secret = process.stdout.strip()
    principal = await Authenticator(database).authenticate(secret)
    assert Permission.OPERATE in principal.permissions
    assert process.stderr.startswith(principal.id)

    listed = farebox("operator-key", "list").stdout
    assert secret not in listed
    row = next(line for line in listed.splitlines() if line.startswith(principal.id))
    assert "ingest of the model servers" in row
    assert secret[-4:] in row

    revoked = farebox("operator-key", "revoke", principal.id)
    assert (revoked.returncode, revoked.stdout) == (0, f"{principal.id} is revoked.\n")
    with pytest.raises(Unauthenticated):
        await Authenticator(database).authenticate(secret)
    assert farebox("operator-key", "list").stdout.count("Z") > listed.count("Z")
    unknown = farebox("operator-key", "revoke", "key_none")
    assert (unknown.returncode, unknown.stderr) == (1, "farebox: There is no such operator key.\n")


async def test_a_tenant_is_made_listed_and_deleted(
    farebox: Run, api: httpx.AsyncClient, operator: Headers
) -> None:
    process = farebox(
        "tenant", "create", "acme", "--name", "Acme [bold]", "--plan", "pay-as-you-go"
    )
    assert process.returncode == 0, process.stderr
    tenant_id = process.stdout.strip()
    tenants = (await api.get("/v1/tenants", headers=operator)).json()["items"]
    assert [(tenant["id"], tenant["name"]) for tenant in tenants] == [(tenant_id, "Acme [bold]")]

    again = farebox("tenant", "create", "acme")
    assert (again.returncode, "already" in again.stderr) == (1, True)
    wrong = farebox("tenant", "create", "Not a slug")
    assert (wrong.returncode, wrong.stderr.startswith("farebox: slug: ")) == (1, True)
    assert "Traceback" not in wrong.stderr + again.stderr

    row = next(line for line in farebox("tenant", "list").stdout.splitlines() if "acme" in line)
    assert row.split() == [tenant_id, "acme", "Acme", "[bold]", "UTC", "USD"]
    unanswered = farebox("tenant", "delete", "acme")
    assert unanswered.returncode == 1
    assert len((await api.get("/v1/tenants", headers=operator)).json()["items"]) == 1
    deleted = farebox("tenant", "delete", "acme", "--yes")
    assert (deleted.returncode, deleted.stdout) == (0, "Removed acme.\n")
    assert (await api.get("/v1/tenants", headers=operator)).json()["items"] == []


async def test_a_second_terminal_finds_what_farebox_up_runs(
    farebox: Run, database: Database, database_url: str, tmp_path: Path
) -> None:
    for command in (("operator-key", "list"), ("tenant", "list"), ("catalog", "apply")):
        nothing = farebox(*command, DATABASE_URL="")
        assert (nothing.returncode, "Nothing runs on" in nothing.stderr) == (1, True), command
    run_file_path(tmp_path).parent.mkdir(exist_ok=True)
    addresses = {"database_url": database_url}
    RunFile(run_file_path(tmp_path), os.getpid(), "http://127.0.0.1:3000", addresses).write()
    async with database.begin() as connection:
        await apply_catalog(connection, load_catalog(CATALOG))
    applied = farebox("catalog", "apply", DATABASE_URL="")
    assert applied.stdout == "Nothing changed: this catalog is on sale already.\n", applied.stderr
    process = farebox("operator-key", "create", "test", DATABASE_URL="")
    assert (await Authenticator(database).authenticate(process.stdout.strip())).kind == "operator"
