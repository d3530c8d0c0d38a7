"""Who is calling, and what they may do. The one table of permissions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from backend.accounts.errors import PermissionMissing
from backend_client.types.accounts import Role, Scope
from backend_client.types.audit import ActorKind
from backend_client.types.limits import KeyBudget, ModelLimits, RateLimits
from backend_client.types.operator_keys import OperatorScope


class Permission(StrEnum):
    """What a route needs of its caller."""

    INFERENCE = "inference"
    PLAYGROUND = "playground"
    EVENTS_WRITE = "events:write"
    USAGE_READ = "usage:read"
    SPEND_READ = "spend:read"
    REQUEST_BODIES_READ = "request_bodies:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    APPLICATIONS_WRITE = "applications:write"
    TENANT_WRITE = "tenant:write"
    MEMBERS_READ = "members:read"
    MEMBERS_WRITE = "members:write"
    SUBSCRIPTION_WRITE = "subscription:write"
    CHARGEBACK_WRITE = "chargeback:write"
    AUDIT_READ = "audit:read"
    WEBHOOKS_READ = "webhooks:read"
    WEBHOOKS_WRITE = "webhooks:write"
    OPERATE_READ = "operate:read"
    OPERATE_BILLING = "operate:billing"
    OPERATE_ADMIN = "operate:admin"


_READ = frozenset({Permission.USAGE_READ, Permission.KEYS_READ, Permission.MEMBERS_READ})
_DEVELOP = _READ | {
    Permission.INFERENCE,
    Permission.PLAYGROUND,
    Permission.KEYS_WRITE,
    Permission.REQUEST_BODIES_READ,
    Permission.SPEND_READ,
    Permission.APPLICATIONS_WRITE,
    Permission.WEBHOOKS_READ,
    Permission.WEBHOOKS_WRITE,
}
_FINANCE = frozenset({Permission.SUBSCRIPTION_WRITE, Permission.CHARGEBACK_WRITE})
_MANAGE = _DEVELOP | _FINANCE | {Permission.TENANT_WRITE, Permission.MEMBERS_WRITE}

OPERATOR_PERMISSIONS = frozenset(
    {Permission.OPERATE_READ, Permission.OPERATE_BILLING, Permission.OPERATE_ADMIN}
)
"""Those of the API's seller, which no role or key of a tenant's has."""

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: _MANAGE | {Permission.AUDIT_READ},
    Role.ADMIN: _MANAGE | {Permission.AUDIT_READ},
    Role.DEVELOPER: _DEVELOP,
    Role.BILLING: _READ | _FINANCE | {Permission.SPEND_READ, Permission.WEBHOOKS_READ},
    Role.VIEWER: _READ,
    Role.OPERATOR: frozenset(Permission),
}

SCOPE_PERMISSIONS: dict[Scope, frozenset[Permission]] = {
    Scope.INFERENCE: frozenset({Permission.INFERENCE}),
    Scope.USAGE_READ: frozenset({Permission.USAGE_READ, Permission.SPEND_READ}),
    Scope.EVENTS_WRITE: frozenset({Permission.EVENTS_WRITE}),
}

OPERATOR_SCOPE_PERMISSIONS: dict[OperatorScope, frozenset[Permission]] = {
    OperatorScope.INGEST: frozenset({Permission.EVENTS_WRITE}),
    OperatorScope.READ: frozenset({Permission.OPERATE_READ}),
    OperatorScope.BILLING: frozenset({Permission.OPERATE_READ, Permission.OPERATE_BILLING}),
    OperatorScope.ADMIN: frozenset({Permission.OPERATE_READ, Permission.OPERATE_ADMIN}),
}


VIEWING_PERMISSIONS = ROLE_PERMISSIONS[Role.OWNER] - {
    Permission.INFERENCE,
    Permission.PLAYGROUND,
    Permission.REQUEST_BODIES_READ,
}
"""Of an operator who looks at a tenant's portal: what its owners see, but for conversations, which
are a person's own, and for what was asked and answered in calls. That they change
nothing is seen to where requests come in."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    ``kind`` is how it authenticates: a person's session, an API key, or an operator key.
    ``tenant_id`` is the tenant it acts for; empty for an operator key, which acts for none.
    ``models`` limits an API key to those models; None allows all. ``limits``, ``model_limits`` and
    ``budget`` are an API key's own; it is taken from the networks ``addresses``, with None from
    any, and from web pages of ``origins``, with None from those that the installation allows to
    every key.
    ``operates`` says that it does what only the operator may; see ``as_operator``. ``valid_until``
    is when the credential expires, None for never. ``viewing_until`` is that of an operator who
    looks at the tenant and may change nothing.
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
    model_limits: tuple[ModelLimits, ...] = ()
    budget: KeyBudget | None = None
    addresses: tuple[str, ...] | None = None
    origins: tuple[str, ...] | None = None
    operates: bool = False
    valid_until: datetime | None = None
    viewing_until: datetime | None = None

    @property
    def actor_kind(self) -> ActorKind:
        """As what it acts: a person with the operator's permission acts as the operator by it."""
        return "operator" if self.operates else self.kind

    def as_operator(self) -> Principal:
        """Return the caller doing what only the operator may."""
        return replace(self, operates=True)

    @property
    def reads_as_operator(self) -> bool:
        """Whether it may read what only the API's seller sees."""
        return Permission.OPERATE_READ in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise ``Forbidden`` unless the caller has ``permission``."""
        if permission not in self.permissions:
            who = "role" if self.kind == "user" else "key"
            raise PermissionMissing(
                f"This {who} does not have the permission {permission.value!r}."
            )

    def acting_for(self, tenant_id: str) -> Principal:
        """Return the operator as who acts for a tenant: under their own id, in their own role.

        So nothing that an operator does is recorded as if a member of the tenant had done it, not
        even where the operator is one.
        """
        return replace(self, tenant_id=tenant_id, role=Role.OPERATOR, operates=True)


COMMAND_LINE = Principal(
    kind="operator",
    id="command-line",
    tenant_id="",
    permissions=ROLE_PERMISSIONS[Role.OPERATOR],
    role=Role.OPERATOR,
)
"""Whoever runs ``farebox`` on a machine that reaches the database: the operator."""
