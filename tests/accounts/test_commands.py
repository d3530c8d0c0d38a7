"""``farebox operator-key``, ``tenant`` and ``key``, as an operator runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from sqlalchemy import insert, select

from backend.accounts.authenticator import Authenticator
from backend.accounts.members.members import upsert_user
from backend.accounts.principal import Permission
from backend.catalog.published import apply_catalog, load_catalog
from backend.engines.runfile import RunFile, run_file_path
from backend.errors import Unauthenticated
from backend.storage.database import Database
from backend.storage.tables import tenants, users
from tests.accounts.conftest import Headers
from tests.support.commands import run_farebox
from tests.support.paths import CATALOG

pytestmark = pytest.mark.engine

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def farebox(database_url: str, tmp_path: Path) -> Run:
    def run(*arguments: str, typed: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        environment = {"DATABASE_URL": database_url, "FAREBOX_HOME": str(tmp_path)} | changes
        settings = {name: value for name, value in environment.items() if value}
        return run_farebox(*arguments, environment=settings, typed=typed)

    return run


async def test_an_operators_key_is_made_listed_and_revoked(
    farebox: Run, database: Database
) -> None:
    process = farebox("operator-key", "create", "ingest of the model servers", "--scope", "ingest")
    assert process.returncode == 0, process.stderr
    secret = process.stdout.strip()
    principal = await Authenticator(database).authenticate(secret)
    assert principal.permissions == {Permission.EVENTS_WRITE}
    assert process.stderr.startswith(principal.id)

    listed = farebox("operator-key", "list").stdout
    assert secret not in listed
    row = next(line for line in listed.splitlines() if line.startswith(principal.id))
    assert "ingest of the model servers" in row
    assert secret[-4:] in row
    assert " ingest " in row
    assert farebox("operator-key", "create", "of no scope").returncode == 2

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


async def test_names_of_older_rows_do_not_reach_the_terminal_as_they_are(
    farebox: Run, database: Database
) -> None:
    """An identity provider's name colored the operator's terminal and set its title."""
    async with database.begin() as connection:
        name = "\x1b[31mRED\x1b]0;title\x07\nforged line \u202eback"
        await connection.execute(insert(tenants).values(id="ten_1", slug="old", name=name))
    listed = farebox("tenant", "list").stdout
    assert "RED" in listed
    for hidden in "\x1b\x07\u202e":
        assert hidden not in listed
    assert not any(line.startswith("forged") for line in listed.splitlines())
    refused = farebox("tenant", "create", "new", "--name", name)
    assert (refused.returncode, "U+001B" in refused.stderr) == (1, True)
    async with database.begin() as connection:
        for given, kept in (("\x1b[31mRed\n", "[31mRed"), ("\x00", "subject")):
            user = await upsert_user(
                connection, issuer="i", subject="subject", name=given, email="a@b.example"
            )
            shown = await connection.scalar(select(users.c.name).where(users.c.id == user))
            assert shown == kept


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
    process = farebox(
        "operator-key", "create", "test", "--scope", "read", "--scope", "admin", DATABASE_URL=""
    )
    assert (await Authenticator(database).authenticate(process.stdout.strip())).kind == "operator"


async def test_where_a_customers_key_is_taken_from_is_set_and_listed(
    farebox: Run, api: httpx.AsyncClient, operator: Headers, tenant_id: str
) -> None:
    at = f"/v1/tenants/{tenant_id}"
    application = await api.post(f"{at}/applications", headers=operator, json={"name": "Jobs"})
    body = {"name": "web site", "application_id": application.json()["id"]}
    key = (await api.post(f"{at}/keys", headers=operator, json=body)).json()["id"]
    pages = farebox("key", "origins", "one", key, "https://App.example.com", "https://*.a.example")
    assert "https://app.example.com, https://*.a.example" in pages.stdout, pages.stderr
    assert "203.0.113.0/24" in farebox("key", "addresses", "one", key, "203.0.113.9/24").stdout
    listed = farebox("key", "list", "one").stdout.splitlines()[1]
    assert all(text in listed for text in (key, "203.0.113.0/24", "https://*.a.example"))
    wrong = farebox("key", "origins", "one", key, "here")
    assert (wrong.returncode, wrong.stderr.startswith("farebox: origins")) == (1, True)
    assert farebox("key", "origins", "one", key).returncode == 0
    changed = (await api.get(f"{at}/keys/{key}", headers=operator)).json()
    assert (changed["origins"], changed["addresses"]) == (None, ["203.0.113.0/24"])


async def test_a_leaked_key_is_ended_by_its_secret_from_standard_input(
    farebox: Run, api: httpx.AsyncClient, operator: Headers, tenant_id: str
) -> None:
    at = f"/v1/tenants/{tenant_id}"
    application = await api.post(f"{at}/applications", headers=operator, json={"name": "Jobs"})
    body = {"name": "web site", "application_id": application.json()["id"]}
    key = (await api.post(f"{at}/keys", headers=operator, json=body)).json()

    def report(secret: str) -> subprocess.CompletedProcess[str]:
        way = {"FAREBOX_LEAKED_KEYS": "disable"}
        return farebox("key", "leaked", "--url", "https://a.example", typed=secret, **way)

    ended = report(f"{key['secret']}\n")
    assert ended.stdout == f"{key['id']} of {tenant_id}: disabled.\n", ended.stderr
    shown = (await api.get(f"{at}/keys/{key['id']}", headers=operator)).json()
    assert shown["disabled_at"] is not None
    assert shown["revoked_at"] is None
    assert "worked no more" in report(key["secret"]).stdout
    unknown = report("fb_live_nobody")
    assert (unknown.returncode, "Nobody has such a key" in unknown.stderr) == (1, True)
    assert key["secret"] not in ended.stdout + ended.stderr


async def test_operators_are_granted_listed_and_revoked(farebox: Run) -> None:
    for person in ("sam@seller.example", "sub-7"):
        granted = farebox("operator", "grant", person)
        assert (granted.returncode, granted.stdout) == (0, f"{person} is an operator.\n")
    refused = farebox("operator", "grant", "sam@")
    assert (refused.returncode, "--subject" in refused.stderr) == (1, True)
    assert farebox("operator", "revoke", "sub-7").returncode == 0
    unknown = farebox("operator", "revoke", "sub-7")
    assert (unknown.returncode, "no grant" in unknown.stderr) == (1, True)
    sam, sub = farebox("operator", "list").stdout.splitlines()[1:]
    assert (sam.split()[:2], sub.split()[:2]) == (
        ["sam@seller.example", "grant"],
        ["sub-7", "grant"],
    )
    assert (sam.count("Z"), sub.count("Z")) == (1, 2)


async def test_a_tenants_owner_is_invited_by_a_link_that_is_printed_once(
    farebox: Run, api: httpx.AsyncClient, operator: Headers
) -> None:
    address = {
        "FAREBOX_PUBLIC_URL": "https://portal.example",
        "FAREBOX_DEFAULT_TIME_ZONE": "Asia/Tokyo",
    }
    process = farebox("tenant", "create", "acme", "--owner", "ada@mail.example", **address)
    assert process.returncode == 0, process.stderr
    tenant_id, link = process.stdout.split()
    assert link.startswith("https://portal.example/invitation/#fbi_")
    more = farebox("tenant", "invite", "acme", "ben@mail.example", "--role", "billing", **address)
    assert more.stdout.startswith("https://portal.example/invitation/#fbi_")
    wrong = farebox("tenant", "invite", "acme", "nobody")
    assert (wrong.returncode, wrong.stderr.startswith("farebox: email: ")) == (1, True)
    tenant = (await api.get(f"/v1/tenants/{tenant_id}", headers=operator)).json()
    assert tenant["time_zone"] == "Asia/Tokyo"
    listed = await api.get(f"/v1/tenants/{tenant_id}/invitations", headers=operator)
    invited = [(item["email"], item["role"]) for item in listed.json()["items"]]
    assert invited == [("ben@mail.example", "billing"), ("ada@mail.example", "owner")]
