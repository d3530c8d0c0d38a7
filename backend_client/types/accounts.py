"""Tenants, applications, members, sessions and API keys."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from backend_client.types.common import Answer, Currency, Instant, Wire


class Role(StrEnum):
    """What a member may do in a tenant; ``operator`` is the API's seller."""

    OWNER = "owner"
    ADMIN = "admin"
    DEVELOPER = "developer"
    BILLING = "billing"
    VIEWER = "viewer"
    OPERATOR = "operator"


class Scope(StrEnum):
    """What an API key may be used for."""

    INFERENCE = "inference"
    USAGE_READ = "usage:read"
    EVENTS_WRITE = "events:write"


class Tenant(Answer):
    """A customer organisation. Its time zone decides where days and billing periods begin."""

    id: str
    slug: str
    name: str
    time_zone: str
    currency: Currency
    is_sample: bool
    created_at: Instant


class TenantCreate(Wire):
    """What the operator gives to make a tenant; the first application comes with it."""

    slug: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
    name: str = Field(min_length=1, max_length=200)
    time_zone: str = Field("UTC", description="IANA name, such as Europe/Berlin")
    currency: Currency = "USD"
    plan: str | None = Field(
        None, description="Plan to subscribe to; the catalog's default if none"
    )
    is_sample: bool = False


class Application(Answer):
    """A tenant's project; usage and keys belong to one."""

    id: str
    name: str
    created_at: Instant


class ApplicationCreate(Wire):
    """What is given to make an application."""

    name: str = Field(min_length=1, max_length=100)


class Member(Answer):
    """A person with a role in a tenant."""

    user_id: str
    email: str | None
    name: str
    role: Role
    joined_at: Instant


class MemberChange(Wire):
    """The role to give a member."""

    role: Role


class Membership(Answer):
    """One of the signed-in person's tenants, and the role there."""

    tenant: Tenant
    role: Role


class Me(Answer):
    """Who is calling. ``tenant`` and ``role`` are those that the session or key acts as."""

    user_id: str | None
    name: str
    email: str | None
    is_operator: bool
    tenant: Tenant
    role: Role
    memberships: list[Membership] = []
    scopes: list[Scope] = []


class SessionCreate(Wire):
    """An ID token from the identity provider, and the nonce it must carry."""

    id_token: str = Field(repr=False)
    nonce: str = Field(repr=False)


class LocalSessionCreate(Wire):
    """Local sign-in: the secret that portal and API share through a file on one machine."""

    secret: str = Field(repr=False)


class SessionCreated(Answer):
    """A session. ``token`` is shown this once; keep it in an HttpOnly cookie."""

    token: str = Field(repr=False)
    expires_at: Instant


class SessionChange(Wire):
    """Switch the session to another of the person's tenants."""

    tenant_id: str


class SignInOptions(Answer):
    """Which ways to sign in this installation offers."""

    local: bool
    oidc: bool


class ApiKey(Answer):
    """A key as it can be shown: never its secret."""

    id: str
    name: str
    application_id: str
    prefix: str = Field(description="The first characters of the key, such as fb_live_")
    last_four: str
    scopes: list[Scope]
    models: list[str] | None = Field(description="Models the key may use; null for all")
    created_at: Instant
    created_by: str | None
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


class ApiKeyCreate(Wire):
    """What is given to make a key."""

    name: str = Field(min_length=1, max_length=100)
    application_id: str
    scopes: list[Scope] = Field([Scope.INFERENCE], min_length=1)
    models: list[str] | None = None
    expires_at: Instant | None = None


class ApiKeyCreated(ApiKey):
    """A new key with its secret, which is shown this once and kept nowhere."""

    secret: str = Field(repr=False)
