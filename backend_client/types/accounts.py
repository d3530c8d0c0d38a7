"""Tenants, applications, members, sessions and API keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

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
    """A customer organization. Its time zone decides where days and billing periods begin."""

    id: str
    slug: str
    name: str
    time_zone: str
    currency: Currency
    is_sample: bool
    ingest: bool = Field(True, description="Whether the tenant's own keys may send events")
    created_at: Instant


class TenantChange(Wire):
    """What the operator changes of a tenant; what is left out stays."""

    ingest: bool | None = Field(None, description="Whether the tenant's own keys may send events")


class TenantCreate(Wire):
    """What the operator gives to make a tenant; the first application comes with it.

    Its billing periods begin with ``billing_day`` of the month: the first if null, or the day on
    which it is made (``anniversary``). In a month without that day, its last day.
    """

    slug: str = Field(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")
    name: str = Field(min_length=1, max_length=200)
    time_zone: str = Field("UTC", description="IANA name, such as Europe/Berlin")
    currency: Currency = "USD"
    plan: str | None = Field(
        None, description="Plan to subscribe to; the catalog's default if none"
    )
    billing_day: Annotated[int, Field(ge=1, le=31)] | Literal["anniversary"] | None = None
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


class RateLimits(Wire):
    """What a key, or a plan's tenant, may do at a time; null for no limit of its own.

    ``tokens_per_minute`` counts what is asked and what is answered.
    """

    requests_per_minute: int | None = Field(None, ge=1, le=1_000_000)
    tokens_per_minute: int | None = Field(None, ge=1, le=1_000_000_000)
    concurrent_requests: int | None = Field(None, ge=1, le=100_000)


class ApiKey(Answer):
    """A key as it can be shown: never its secret.

    ``previous_until`` is until when the secret from before the last rotation works too.
    """

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
    rotated_at: Instant | None = None
    previous_until: Instant | None = None
    limits: RateLimits = RateLimits()


class ApiKeyCreate(Wire):
    """What is given to make a key."""

    name: str = Field(min_length=1, max_length=100)
    application_id: str
    scopes: list[Scope] = Field([Scope.INFERENCE], min_length=1)
    models: list[str] | None = None
    expires_at: Instant | None = None
    limits: RateLimits = RateLimits()


class ApiKeyChange(Wire):
    """What to change of a key; what is null stays as it is. ``limits`` replaces all three."""

    name: str | None = Field(None, min_length=1, max_length=100)
    limits: RateLimits | None = None


class ApiKeyRotate(Wire):
    """How long the old secret works beside the new one: a day if not said, 30 at most."""

    grace_seconds: int = Field(24 * 3600, ge=0, le=30 * 24 * 3600)


class ApiKeyCreated(ApiKey):
    """A key with its new secret, which is shown this once and kept nowhere."""

    secret: str = Field(repr=False)


class InvitationCreate(Wire):
    """The role that whoever follows the link gets; ``note`` says whom it is for."""

    role: Role
    note: str = Field("", max_length=200)
    expires_in_seconds: int = Field(7 * 24 * 3600, ge=60, le=30 * 24 * 3600)


class Invitation(Answer):
    """An invitation to a tenant. It is open until accepted, revoked or expired."""

    id: str
    role: Role
    note: str
    created_by: str
    created_at: Instant
    expires_at: Instant
    accepted_at: Instant | None
    accepted_by: str | None
    revoked_at: Instant | None


class InvitationCreated(Invitation):
    """An invitation with the secret of its link, which is shown this once and kept nowhere."""

    secret: str = Field(repr=False)


class InvitationAccept(Wire):
    """The secret of an invitation's link."""

    secret: str = Field(min_length=1, max_length=200, repr=False)


class AuditEntry(Answer):
    """Who did what. ``actor`` is a person's or a key's id; ``actor_name`` a person's name."""

    id: str
    at: Instant
    actor: str
    actor_name: str | None
    action: str
    target: str
    detail: dict[str, object]
