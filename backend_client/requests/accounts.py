"""Requests about sessions, accounts, keys and tenants."""

from __future__ import annotations

from backend_client.requests.call import (
    Call,
    Params,
    create,
    get,
    nothing,
    of_tenant,
    reader,
    segment,
    send,
)
from backend_client.types.accounts import (
    ApiKey,
    ApiKeyChange,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyRotate,
    Application,
    ApplicationCreate,
    AuditEntry,
    Invitation,
    InvitationAccept,
    InvitationCreate,
    InvitationCreated,
    LocalSessionCreate,
    Me,
    Member,
    MemberChange,
    Membership,
    SessionChange,
    SessionCreate,
    SessionCreated,
    SignInOptions,
    Tenant,
    TenantCreate,
)
from backend_client.types.common import Page


def sign_in_options() -> Call[SignInOptions]:
    return get("/v1/sign-in", SignInOptions)


def create_session(wanted: SessionCreate) -> Call[SessionCreated]:
    return send("POST", "/v1/sessions", wanted, SessionCreated, repeatable=False)


def create_local_session(wanted: LocalSessionCreate) -> Call[SessionCreated]:
    return send("POST", "/v1/sessions/local", wanted, SessionCreated, repeatable=False)


def switch_tenant(change: SessionChange) -> Call[Me]:
    return send("PATCH", "/v1/sessions/current", change, Me, repeatable=True)


def end_session() -> Call[None]:
    return Call("DELETE", "/v1/sessions/current", nothing, repeatable=False)


def me() -> Call[Me]:
    return get("/v1/me", Me)


def applications(tenant: str | None = None) -> Call[Page[Application]]:
    return get(of_tenant(tenant, "applications"), Page[Application])


def create_application(wanted: ApplicationCreate) -> Call[Application]:
    return create("/v1/applications", wanted, Application)


def keys() -> Call[Page[ApiKey]]:
    return get("/v1/keys", Page[ApiKey])


def key(key_id: str) -> Call[ApiKey]:
    return get(f"/v1/keys/{segment(key_id)}", ApiKey)


def create_key(wanted: ApiKeyCreate) -> Call[ApiKeyCreated]:
    # Not repeated: the secret is in the first answer alone, and a second could not show it.
    return send("POST", "/v1/keys", wanted, ApiKeyCreated, repeatable=False)


def change_key(key_id: str, change: ApiKeyChange) -> Call[ApiKey]:
    return send("PATCH", f"/v1/keys/{segment(key_id)}", change, ApiKey, repeatable=True)


def rotate_key(key_id: str, wanted: ApiKeyRotate) -> Call[ApiKeyCreated]:
    path = f"/v1/keys/{segment(key_id)}/rotate"
    return send("POST", path, wanted, ApiKeyCreated, repeatable=False)


def revoke_key(key_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/keys/{segment(key_id)}", nothing)


def members() -> Call[Page[Member]]:
    return get("/v1/members", Page[Member])


def change_member(user_id: str, change: MemberChange) -> Call[Member]:
    return send("PATCH", f"/v1/members/{segment(user_id)}", change, Member, repeatable=True)


def remove_member(user_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/members/{segment(user_id)}", nothing, repeatable=False)


def invitations() -> Call[Page[Invitation]]:
    return get("/v1/invitations", Page[Invitation])


def invite(wanted: InvitationCreate) -> Call[InvitationCreated]:
    return send("POST", "/v1/invitations", wanted, InvitationCreated, repeatable=False)


def accept_invitation(wanted: InvitationAccept) -> Call[Membership]:
    return send("POST", "/v1/invitations/accept", wanted, Membership, repeatable=False)


def revoke_invitation(invitation_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/invitations/{segment(invitation_id)}", nothing)


def audit() -> Call[Page[AuditEntry]]:
    return get("/v1/audit", Page[AuditEntry])


def tenants(search: str | None = None, limit: int | None = None) -> Call[Page[Tenant]]:
    given = {"search": search, "limit": limit}
    params: Params = {name: value for name, value in given.items() if value is not None}
    return Call("GET", "/v1/tenants", reader(Page[Tenant]), params)


def create_tenant(wanted: TenantCreate) -> Call[Tenant]:
    return send("POST", "/v1/tenants", wanted, Tenant, repeatable=False)


def delete_tenant(tenant_id: str) -> Call[None]:
    return Call("DELETE", f"/v1/tenants/{segment(tenant_id)}", nothing, repeatable=False)
