"""Who is calling, and what they may do. The one table of permissions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from backend.accounts.errors import PermissionMissing
from backend_client.types.accounts import RateLimits, Role, Scope


class Permission(StrEnum):
    """What a route needs of its caller."""

    INFERENCE = "inference"
    EVENTS_WRITE = "events:write"
    USAGE_READ = "usage:read"
    SPEND_READ = "spend:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    APPLICATIONS_WRITE = "applications:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    SUBSCRIPTION_WRITE = "subscription:write"
    AUDIT_READ = "audit:read"
    OPERATE = "operate"


_READ = frozenset({Permission.USAGE_READ, Permission.KEYS_READ, Permission.MEMBERS_READ})
_DEVELOP = _READ | {
    Permission.INFERENCE,
    Permission.KEYS_WRITE,
    Permission.SPEND_READ,
    Permission.APPLICATIONS_WRITE,
}
_MANAGE = _DEVELOP | {Permission.MEMBERS_WRITE, Permission.SUBSCRIPTION_WRITE}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _MANAGE | {Permission.AUDIT_READ},
    Role.ADMIN: _MANAGE,
    Role.DEVELOPER: _DEVELOP,
    Role.BILLING: _READ | {Permission.SPEND_READ, Permission.SUBSCRIPTION_WRITE},
    Role.VIEWER: _READ,
    Role.OPERATOR: frozenset(Permission),
}

SCOPE_PERMISSIONS: dict[Scope, frozenset[Permission]] = {
    Scope.INFERENCE: frozenset({Permission.INFERENCE}),
    Scope.USAGE_READ: frozenset({Permission.USAGE_READ, Permission.SPEND_READ}),
    Scope.EVENTS_WRITE: frozenset({Permission.EVENTS_WRITE}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    ``kind`` is how it authenticates: a person's session, an API key, or an operator key.
    ``tenant_id`` is the tenant it acts for; empty for an operator key, which acts for none.
    ``models`` limits an API key to those models; None allows all. ``limits`` are an API key's own.
    """

    kind: Literal["user", "key", "operator"]
    id: str
    tenant_id: str
    permissions: frozenset[Permission]
    role: Role
    scopes: frozenset[Scope] = frozenset()
    application_id: str | None = None
    models: frozenset[str] | None = None
    limits: RateLimits = field(default_factory=RateLimits)

    def require(self, permission: Permission) -> None:
        """Raise ``Forbidden`` unless the caller has ``permission``."""
        if permission not in self.permissions:
            who = "key" if self.kind == "key" else "role"
            raise PermissionMissing(
                f"This {who} does not have the permission {permission.value!r}."
            )


COMMAND_LINE = Principal(
    kind="operator",
    id="command-line",
    tenant_id="",
    permissions=ROLE_PERMISSIONS[Role.OPERATOR],
    role=Role.OPERATOR,
)
"""Whoever runs ``farebox`` on a machine that reaches the database: the operator."""
