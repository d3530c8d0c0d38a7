"""What docs/api.md says: its examples are run, its tables compared with the code."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections import defaultdict
from pathlib import Path
from string import Template
from typing import Any

import httpx
import pytest

from backend.accounts.principal import ROLE_PERMISSIONS, SCOPE_PERMISSIONS, Permission
from backend.api.causes import causes
from backend_client import InvalidInput
from backend_client.types.accounts import Role

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose heading begins so."""
    table = DOCUMENT[DOCUMENT.index(heading) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in table]


def asked(line: str, variables: dict[str, str]) -> tuple[dict[str, Any], int]:
    """A curl command as arguments for httpx, and the status that the comment promises."""
    command, _, status = line.rpartition("#")
    words = shlex.split(Template(command).safe_substitute(variables))
    assert words[0] == "curl"
    request: dict[str, Any] = {"method": "GET", "url": words[1], "headers": {}}
    for option, value in zip(words[2::2], words[3::2], strict=True):
        if option == "-H":
            name, _, text = value.partition(": ")
            request["headers"][name] = text
        elif option == "-X":
            request["method"] = value
        else:
            assert option == "-d", line
            request["content"] = value
            if request["method"] == "GET":
                request["method"] = "POST"
    return request, int(status)


@pytest.fixture
async def variables(
    api: httpx.AsyncClient, session: dict[str, str], operator: dict[str, str]
) -> dict[str, str]:
    answer = await api.get("/v1/applications", headers=session)
    application = answer.json()["items"][0]["id"]
    # One calls, the other is rotated, whose secret ends by that
    keys = [
        await api.post(
            "/v1/keys", headers=session, json={"name": name, "application_id": application}
        )
        for name in ("Of the documentation", "Rotated")
    ]
    key, rotated = (answer.json() for answer in keys)
    return {
        "FAREBOX": "",
        "SESSION": session["authorization"].removeprefix("Bearer "),
        "OPERATOR": operator["authorization"].removeprefix("Bearer "),
        "KEY": key["secret"],
        "KEY_ID": rotated["id"],
        "APPLICATION": application,
    }


@pytest.mark.engine
async def test_the_commands_answer_as_promised(
    api: httpx.AsyncClient, variables: dict[str, str]
) -> None:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) > 10
    answers = {}
    for line in lines:
        request, promised = asked(line, variables)
        answers[line] = await api.request(**request)
        assert answers[line].status_code == promised, (line, answers[line].text)
    refused = next(answer for line, answer in answers.items() if '{"name": ""}' in line)
    shown = json.loads(blocks("json")[0])
    assert refused.json() | {"request_id": shown["request_id"]} == shown
    applications = [answer.json() for line, answer in answers.items() if "Mobile" in line]
    assert len({application["id"] for application in applications}) == 1


@pytest.mark.engine
async def test_the_python_example_runs(url: str, variables: dict[str, str]) -> None:
    names: dict[str, Any] = {"url": url, "session": variables["SESSION"]}
    example = compile(blocks("python")[0], "docs/api.md", "exec")
    await asyncio.to_thread(exec, example, names)
    assert names["key"].name == "Worker"
    assert names["refused"] == ["models"]
    assert names["InvalidInput"] is InvalidInput


@pytest.mark.fast
def test_the_table_of_permissions_is_the_codes() -> None:
    by_permission: dict[Permission, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for scope, allowed in SCOPE_PERMISSIONS.items():
        for permission in allowed:
            by_permission[permission][0].append(f"`{scope.value}`")
    for role, allowed in ROLE_PERMISSIONS.items():
        for permission in allowed if role is not Role.OPERATOR else ():
            by_permission[permission][1].append(role.value)
    permissions = {
        name.strip("`"): (scopes, roles) for name, scopes, roles in rows("| Permission |")
    }
    assert permissions == {
        permission.value: tuple(", ".join(part) for part in by_permission[permission])
        for permission in Permission
    }


@pytest.mark.fast
def test_the_table_of_statuses_is_the_codes() -> None:
    served = {cause.status for cause in causes()}
    assert [int(status) for status, _ in rows("| Status |")] == sorted(served)
