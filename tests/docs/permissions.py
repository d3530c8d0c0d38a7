"""Writes docs/permissions.md from the API itself: ``python -m tests.docs.permissions``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from fastapi import FastAPI

from backend.accounts.principal import (
    OPERATOR_SCOPE_PERMISSIONS,
    ROLE_PERMISSIONS,
    SCOPE_PERMISSIONS,
    Permission,
)
from backend_client.types.accounts import Role
from tests.docs.pages import DOCS
from tests.support.engineless import engineless_api

PAGE = DOCS / "permissions.md"
METHODS = ("get", "post", "put", "patch", "delete")

_HEAD = """\
# Which credential opens which route

The permission that each route needs, and who has it: members by their role, API keys and operator
keys by their scopes. A person who is the operator has the permissions of all scopes of an operator
key, in any role. Everything else is refused with 403, `permission_missing`.

This page is written from the code by `python -m tests.docs.permissions`, and the tests compare the
two.

| Route | Permission | Roles | Scopes of API keys | Scopes of operator keys |
|---|---|---|---|---|
"""


def needs_of(app: FastAPI) -> dict[tuple[str, str], Permission | None]:
    """What each route declares that it needs, by method and path; None without a permission."""
    needs: dict[tuple[str, str], Permission | None] = {}
    for path, item in app.openapi()["paths"].items():
        for method in METHODS:
            if method in item:
                security = item[method].get("security", [])
                scopes = [scope for need in security for scope in need["bearer"]]
                needs[method, path] = Permission(scopes[0]) if scopes else None
    return needs


def permissions_page() -> str:
    """The whole page."""
    app = engineless_api()
    document = app.openapi()["paths"]
    lines = []
    for (method, path), permission in sorted(needs_of(app).items(), key=lambda at: at[0][::-1]):
        if permission is not None:
            cells = (
                f"`{permission.value}`",
                _who(permission, {k: v for k, v in ROLE_PERMISSIONS.items() if k != Role.OPERATOR}),
                _who(permission, SCOPE_PERMISSIONS),
                _who(permission, OPERATOR_SCOPE_PERMISSIONS),
            )
        elif "security" in document[path][method]:
            cells = ("none: any credential", "all", "all", "all")
        else:
            cells = ("none: no credential", "", "", "")
        lines.append(f"| `{method.upper()} {path}` | {' | '.join(cells)} |")
    return _HEAD + "\n".join(lines) + "\n"


def _who(permission: Permission, table: Mapping[StrEnum, Collection[Permission]]) -> str:
    return ", ".join(name.value for name, allowed in table.items() if permission in allowed)


if __name__ == "__main__":
    PAGE.write_text(permissions_page())
