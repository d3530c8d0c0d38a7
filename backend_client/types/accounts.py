"""Tenants, applications, members, sessions and API keys."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backend_client.types.common import (
    Answer,
    Currency,
    EmailAddress,
    Instant,
    Wire,
)
from backend_client.types.limits import KeyBudget, ModelLimits, ModelLimitsList, RateLimits
from backend_client.types.texts import Title
from backend_client.types.web_origins import WebOrigins


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
    slug: str = Field(
        description="A short name of small letters, digits and hyphens, which no other tenant "
        "has. Events may name the tenant by it, and it never changes."
    )
    name: str = Field(
        description="What the customer is called in lists and, if its billing details give no "
        "other name, on invoices."
    )
    time_zone: str
    currency: Currency
    is_sample: bool
    ingest: bool = Field(True, description="Whether the tenant's own keys may send events")
    created_at: Instant
    clock_at: Instant | None = Field(
        None, description="Where its test clock stands; null for all that live in real time"
    )


class TenantChange(Wire):
    """What the operator changes of a tenant; what is left out stays."""

    name: Title | None = Field(
        None, min_length=1, max_length=200, description="The customer's new name; null leaves it."
    )
    ingest: bool | None = Field(None, description="Whether the tenant's own keys may send events")


class OwnTenantChange(Wire):
    """What a tenant's owners and admins change of it."""

    name: Title = Field(min_length=1, max_length=200, description="The organization's new name.")


class TenantCreate(Wire):
    """What the operator gives to make a tenant; the first application comes with it.

    Its billing periods begin with ``billing_day`` of the month: the first if null, or the day on
    which it is made (``anniversary``). In a month without that day, its last day. Whoever signs in
    with the verified address ``owner`` becomes its owner.
    """

    slug: str = Field(
        pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$",
        description="A short name for programs, which no other tenant has: small letters, "
        "digits and hyphens, to 63 characters. It can't be changed later.",
    )
    name: Title = Field(min_length=1, max_length=200, description="What the customer is called.")
    time_zone: str | None = Field(
        None, description="IANA name, such as Europe/Berlin; the installation's default if null"
    )
    currency: Currency | None = Field(
        None, description="ISO 4217 code; the installation's default if null"
    )
    plan: str | None = Field(
        None, description="Plan to subscribe to; the catalog's default if none"
    )
    billing_day: Annotated[int, Field(ge=1, le=31)] | Literal["anniversary"] | None = Field(
        None,
        description="The day of the month, 1 to 31, that its billing periods begin with; in a "
        "shorter month its last day. `anniversary` takes the day on which it is made, null "
        "the first.",
    )
    owner: EmailAddress | None = Field(None, description="Who is invited to own it")
    is_sample: bool = False
    clock_at: Instant | None = Field(
        None,
        description="Makes a sample tenant on a test clock, which stands at this instant, within "
        "2000 and 2099",
    )


class Application(Answer):
    """A tenant's project; usage and keys belong to one. An archived one gets no new keys.

    All its keys share its limits and its budget.
    """

    id: str
    name: str
    created_at: Instant
    archived_at: Instant | None = Field(None, description="Since when; null if it is in use")
    limits: RateLimits = RateLimits()
    model_limits: list[ModelLimits] = []
    budget: KeyBudget | None = None


class ApplicationCreate(Wire):
    """What is given to make an application."""

    name: Title = Field(min_length=1, max_length=100)


class ApplicationChange(Wire):
    """What to change of an application; what is left out stays. ``limits`` replaces all three.

    It can be archived once none of its keys works, and taken back from the archive. Null takes its
    ``budget`` away; for the others it changes nothing.
    """

    name: Title | None = Field(None, min_length=1, max_length=100)
    archived: bool | None = None
    limits: RateLimits | None = None
    model_limits: ModelLimitsList | None = None
    budget: KeyBudget | None = None


class Member(Answer):
    """A person with a role in a tenant."""

    user_id: str
    email: str | None = Field(
        description="The address by which the person signs in; null if the identity provider "
        "tells none."
    )
    name: str = Field(description="The person's name, as the identity provider has it.")
    role: Role
    joined_at: Instant = Field(description="When the person became a member.")


class MemberChange(Wire):
    """The role to give a member."""

    role: Role


class Membership(Answer):
    """One of the signed-in person's tenants, and the role there."""

    tenant: Tenant = Field(description="The organization of which the person is a member.")
    role: Role


class Me(Answer):
    """Who is calling. ``tenant`` and ``role`` are those that the session or key acts as.

    ``viewing_until``: the person is an operator who only looks at the tenant, until then. They
    do nothing of an operator's in the meantime, so ``is_operator`` is false.
    """

    user_id: str | None
    name: str = Field(description="The person's name; of a key, its id.")
    email: str | None = Field(
        description="The person's address; null for a key, or if the identity provider tells none."
    )
    is_operator: bool = Field(
        description="Whether the caller may do what the API's seller does; false while an "
        "operator only views a tenant."
    )
    tenant: Tenant = Field(description="The organization that the session or key acts for.")
    role: Role
    viewing_until: Instant | None = Field(
        None,
        description="Until when an operator looks at this tenant, who can change nothing "
        "meanwhile; null for everybody else.",
    )
    memberships: list[Membership] = Field(
        [],
        description="All organizations that the person is a member of; a session can switch "
        "between them. Empty for a key.",
    )
    scopes: list[Scope] = Field(
        [], description="What an API key may be used for; empty for a person, whose `role` says it."
    )


class SignInSeen(Wire):
    """What the portal sees of who signs in, which lets the person know their sessions apart."""

    device: str | None = Field(None, max_length=300, description="The browser's User-Agent")
    address: str | None = Field(None, max_length=64, description="The browser's network address")


class SessionCreate(SignInSeen):
    """An ID token from the identity provider, and the nonce it must carry. It works once.

    With ``invitation``, the secret of an invitation's link, the person becomes a member by it.
    """

    id_token: str = Field(
        min_length=1,
        max_length=32_768,
        repr=False,
        description="The ID token of the identity provider, a signed JWT. It can be used once.",
    )
    nonce: str = Field(
        min_length=1,
        max_length=1_000,
        repr=False,
        description="The random text with which the sign-in was begun: the ID token has to "
        "carry the same.",
    )
    invitation: str | None = Field(
        None,
        min_length=1,
        max_length=200,
        repr=False,
        description="The secret of an invitation's link, by which the person becomes a member "
        "on signing in; null without one.",
    )


class LocalSessionCreate(SignInSeen):
    """Local sign-in: the secret that portal and API share through a file on one machine."""

    secret: str = Field(
        repr=False,
        description="The secret of local sign-in, which the API writes to a file that only "
        "programs of its own user can read.",
    )


class SessionCreated(Answer):
    """A session. ``token`` is shown this once; keep it in an HttpOnly cookie."""

    token: str = Field(
        repr=False,
        description="The session's secret, to send as `Authorization: Bearer`: shown this once.",
    )
    expires_at: Instant


class SessionChange(Wire):
    """Switch the session to another of the person's tenants."""

    tenant_id: str


class SignInOptions(Answer):
    """Which ways to sign in this installation offers."""

    local: bool = Field(
        description="Whether somebody at the machine itself can sign in without an identity "
        "provider."
    )
    oidc: bool = Field(
        description="Whether people sign in by an identity provider (OpenID Connect)."
    )


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise PydanticCustomError(
            "network", "Is no address or network, such as 203.0.113.7 or 203.0.113.0/24"
        ) from None


Network = Annotated[str, AfterValidator(_network)]
"""A network of IPv4 or IPv6 as CIDR writes it; of a single address, one of that address alone."""

Networks = Annotated[list[Network], Field(min_length=1, max_length=50)]


class ApiKey(Answer):
    """A key as it can be shown: never its secret.

    ``previous_until`` is until when a secret from before a rotation works too, ``previous_count``
    how many do.
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
    disabled_at: Instant | None = Field(None, description="Since when it is disabled; null if not")
    last_used_at: Instant | None = Field(description="To the minute")
    rotated_at: Instant | None = None
    previous_until: Instant | None = None
    previous_count: int = 0
    limits: RateLimits = RateLimits()
    model_limits: list[ModelLimits] = []
    budget: KeyBudget | None = None
    addresses: list[str] | None = Field(
        None, description="The networks that it is taken from; null for any"
    )
    origins: list[str] | None = Field(
        None,
        description="The web pages that it is taken from; null for those that the installation "
        "allows to every key, which are none unless it says otherwise",
    )
    service_account: bool = Field(
        False, description="Whether it is its application's and no person's"
    )


class ApiKeyCreate(Wire):
    """What is given to make a key."""

    name: Title = Field(min_length=1, max_length=100)
    application_id: str
    scopes: list[Scope] = Field([Scope.INFERENCE], min_length=1)
    models: list[str] | None = None
    expires_at: Instant | None = None
    limits: RateLimits = RateLimits()
    model_limits: ModelLimitsList = []
    budget: KeyBudget | None = None
    addresses: Networks | None = Field(
        None, description="Networks that it is taken from, such as 203.0.113.0/24; null for any"
    )
    origins: WebOrigins | None = Field(
        None,
        description="Origins of web pages that it is taken from, such as https://app.example.com, "
        "https://*.example.com or * for any; null for those of the installation",
    )
    service_account: bool = Field(
        False,
        description="Whether it is its application's, and stays when who made it leaves; for "
        "owners and admins to make",
    )


class ApiKeyChange(Wire):
    """What to change of a key; what is left out stays as it is. ``limits`` replaces all three,
    and ``model_limits`` all limits on models.

    Null lets a key use all ``models``, never expire, be used from any of ``addresses``, have the
    installation's ``origins`` and no ``budget``; for the others it changes nothing. A key that is
    not ``enabled`` is refused until it is again.
    """

    name: Title | None = Field(None, min_length=1, max_length=100)
    scopes: list[Scope] | None = Field(None, min_length=1)
    models: list[str] | None = None
    expires_at: Instant | None = None
    limits: RateLimits | None = None
    model_limits: ModelLimitsList | None = None
    budget: KeyBudget | None = None
    addresses: Networks | None = None
    origins: WebOrigins | None = None
    service_account: bool | None = None
    enabled: bool | None = None


class ApiKeyRotate(Wire):
    """How long the old secret works beside the new one: a day if not said, 30 at most.

    With 0 all earlier secrets end at once, those of earlier rotations too.
    """

    grace_seconds: int = Field(
        24 * 3600,
        ge=0,
        le=30 * 24 * 3600,
        description="How many seconds the present secret works beside the new one: a day if "
        "left out, 30 days at most. 0 ends it, and all earlier ones, at once.",
    )


class ApiKeyCreated(ApiKey):
    """A key with its new secret, which is shown this once and kept nowhere."""

    secret: str = Field(repr=False)


class InvitationCreate(Wire):
    """The role that whoever follows the link gets; ``note`` says whom it is for.

    With ``email`` only somebody whom the identity provider knows by this address can accept it.
    """

    role: Role
    email: EmailAddress | None = Field(
        None,
        description="The only address that can accept it, as the identity provider knows it; "
        "null lets whoever has the link.",
    )
    note: str = Field(
        "", max_length=200, description="Whom it is for, in your own words; up to 200 characters."
    )
    expires_in_seconds: int = Field(
        7 * 24 * 3600,
        ge=60,
        le=30 * 24 * 3600,
        description="After how many seconds the link works no more: from a minute to 30 days, "
        "a week if left out.",
    )


class Invitation(Answer):
    """An invitation to a tenant. It is open until accepted, revoked or expired.

    One ``by_operator`` with an ``email`` is also accepted by signing in with that address.
    """

    id: str
    role: Role
    note: str = Field(description="Whom it is for, in the words of who made it; may be empty.")
    email: str | None = Field(
        None, description="The only address that can accept it; null if whoever has the link can."
    )
    by_operator: bool = Field(
        False,
        description="Whether the API's seller made it. Then signing in with `email` accepts "
        "it too, without the link.",
    )
    created_by: str
    created_at: Instant
    expires_at: Instant
    accepted_at: Instant | None = Field(
        description="When somebody became a member by it; null if nobody has."
    )
    accepted_by: str | None = Field(
        description="Who became a member by it, by id (`usr_…`); null if nobody has."
    )
    revoked_at: Instant | None


class InvitationCreated(Invitation):
    """An invitation with the secret of its link, which is shown this once and kept nowhere."""

    secret: str = Field(
        repr=False, description="The secret of the link, which is what accepts it: shown this once."
    )
    link: str = Field("", repr=False, description="The portal's page that accepts it")


class TenantCreated(Tenant):
    """A tenant that was just made, with the invitation of its first owner if one was named."""

    invitation: InvitationCreated | None = Field(
        None,
        description="The invitation of the first owner, with the secret of its link; null if "
        "no `owner` was named.",
    )


class InvitationAccept(Wire):
    """The secret of an invitation's link."""

    secret: str = Field(
        min_length=1,
        max_length=200,
        repr=False,
        description="The secret that is at the end of the invitation's link.",
    )
