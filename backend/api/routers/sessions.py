"""Signing in and out."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.audit.writing import record, record_sign_in
from backend.accounts.errors import PersonRequired
from backend.accounts.principal import Permission, Principal
from backend.accounts.sessions.identity import Identity
from backend.accounts.sessions.listing import (
    end_all_of,
    end_one,
    end_others,
    list_of_member,
    list_sessions,
)
from backend.accounts.sessions.sessions import (
    begin_session,
    begin_view,
    end_session,
    end_view,
    local_user,
    switch_tenant,
    who_is,
)
from backend.accounts.sessions.signing_in import sign_in
from backend.accounts.sessions.used_tokens import use_once
from backend.accounts.tenants import find_tenant, tenant_defaults
from backend.api.dependencies import (
    Caller,
    PageCursor,
    PageLimit,
    Services,
    ServicesNow,
    bearer_token,
    needs,
)
from backend.api.errors import IdentityProviderNotConfigured, LocalSignInOff, WrongLocalSecret
from backend.api.path_parameters import SessionId, TenantId, UserId
from backend.errors import Unauthenticated
from backend.settings import Settings
from backend.subscriptions.changes import start_subscription
from backend_client.types.accounts import (
    LocalSessionCreate,
    Me,
    SessionChange,
    SessionCreate,
    SessionCreated,
    SignInOptions,
    Tenant,
)
from backend_client.types.common import Page
from backend_client.types.sessions import Session

router = APIRouter(tags=["sessions"])


async def _subscribe(connection: AsyncConnection, tenant: Tenant) -> None:
    await start_subscription(connection, tenant.id, None, datetime.now(UTC))


@router.get("/v1/sign-in")
async def get_sign_in(services: ServicesNow) -> SignInOptions:
    """Return the ways to sign in."""
    return SignInOptions(
        local=services.settings.local_sign_in_allowed,
        oidc=services.identity_provider is not None,
    )


@router.post("/v1/sessions", status_code=201)
async def post_session(services: ServicesNow, wanted: SessionCreate) -> SessionCreated:
    """Begin a session for the person that the identity provider's ID token is about.

    Invitations that the operator sent to their verified address are accepted. Where sign-up is
    open, a new person gets a tenant of their own.
    """
    if services.identity_provider is None:
        raise IdentityProviderNotConfigured()
    guesses = services.guesses
    async with services.failed_sign_ins.watched("oidc"):
        with guesses.slowed("sign_in", guesses.network(), Unauthenticated):
            identity = await services.identity_provider.verify(wanted.id_token, wanted.nonce)
        return await _begin(services, identity, wanted)


async def _begin(services: Services, identity: Identity, wanted: SessionCreate) -> SessionCreated:
    async with services.database.begin() as connection:
        await use_once(connection, wanted.id_token, identity.valid_until)
        person = await sign_in(connection, services.settings, identity, wanted.invitation)
        if person.new:
            await _subscribe(connection, person.tenant)
        await record_sign_in(connection, person.user_id, person.tenant.id, "oidc")
        return await begin_session(
            connection,
            person.user_id,
            person.tenant.id,
            seconds=person.seconds,
            seen=wanted,
        )


@router.post("/v1/sessions/local", status_code=201)
async def post_local_session(services: ServicesNow, wanted: LocalSessionCreate) -> SessionCreated:
    """Begin a session for the person at this machine; refused where others can reach it."""
    guesses = services.guesses
    async with services.failed_sign_ins.watched("local"):
        with guesses.slowed("sign_in", guesses.network(), Unauthenticated):
            _check_local_secret(services.settings, wanted.secret)
    async with services.database.begin() as connection:
        defaults = tenant_defaults(services.settings)
        user_id, tenant, created = await local_user(connection, defaults)
        if created:
            await _subscribe(connection, tenant)
        await record_sign_in(connection, user_id, tenant.id, "local")
        return await begin_session(
            connection, user_id, tenant.id, seconds=services.settings.session_seconds, seen=wanted
        )


def _check_local_secret(settings: Settings, secret: str) -> None:
    if not settings.local_sign_in_allowed:
        raise LocalSignInOff("Local sign-in works on a loopback-only installation alone.")
    try:
        expected = settings.local_sign_in_secret_file.read_text().strip()
    except OSError:
        raise LocalSignInOff("Local sign-in has not been set up here.") from None
    if not expected or not hmac.compare_digest(expected.encode(), secret.encode()):
        raise WrongLocalSecret()


@router.patch("/v1/sessions/current")
async def patch_session(
    request: Request, services: ServicesNow, caller: Caller, change: SessionChange
) -> Me:
    """Switch the session to another of the person's tenants."""
    if caller.kind != "user":
        raise PersonRequired("Only a person's session can switch tenants.")
    token = bearer_token(request)
    async with services.database.begin() as connection:
        await switch_tenant(connection, token, caller, change.tenant_id)
        # Not from where: which other tenants somebody is in is not this one's business
        await record(connection, caller, "session.switch", caller.id, tenant_id=change.tenant_id)
    return await _who_is_now(services, token)


@router.post("/v1/tenants/{tenant_id}/view", tags=["operator"])
async def post_view(
    request: Request,
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
) -> Me:
    """Look at a tenant as its owners see it, for an hour, and change nothing.

    The tenant's audit has when it begins and when it is left. Conversations are not shown. It ends
    by `DELETE /v1/sessions/current/view`, by switching tenants, or by itself.
    """
    _require_person(caller)
    token = bearer_token(request)
    async with services.database.begin() as connection:
        await begin_view(connection, token, caller, tenant_id)
    return await _who_is_now(services, token)


@router.delete("/v1/sessions/current/view", status_code=204)
async def delete_view(request: Request, services: ServicesNow, caller: Caller) -> None:
    """Leave the tenant that the session looks at; may be repeated."""
    _require_person(caller)
    token = bearer_token(request)
    async with services.database.begin() as connection:
        await end_view(connection, token, caller)
    services.authenticator.forget(token)


async def _who_is_now(services: Services, token: str) -> Me:
    """Describe who a session that has just changed acts as."""
    services.authenticator.forget(token)
    changed = await services.authenticator.authenticate(token)
    async with services.database.begin() as connection:
        return await who_is(connection, changed)


@router.get("/v1/sessions")
async def get_sessions(
    request: Request,
    services: ServicesNow,
    caller: Caller,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Session]:
    """List the person's own sessions, newest first."""
    _require_person(caller)
    async with services.database.begin() as connection:
        return await list_sessions(
            connection, caller.id, token=bearer_token(request), cursor=cursor, limit=limit
        )


@router.delete("/v1/sessions", status_code=204)
async def delete_other_sessions(request: Request, services: ServicesNow, caller: Caller) -> None:
    """End all of the person's sessions but this one: sign out everywhere else, within a second."""
    _require_person(caller)
    async with services.database.begin() as connection:
        await end_others(connection, caller, bearer_token(request))


@router.delete("/v1/sessions/current", status_code=204)
async def delete_session(request: Request, services: ServicesNow, caller: Caller) -> None:
    """Sign out."""
    if caller.kind != "user":
        raise PersonRequired("Only a person's session can sign out.")
    token = bearer_token(request)
    async with services.database.begin() as connection:
        await end_session(connection, token)
        await record(connection, caller, "session.end", caller.id)
    services.authenticator.forget(token)


@router.delete("/v1/sessions/{session_id}", status_code=204)
async def delete_one_session(services: ServicesNow, caller: Caller, session_id: SessionId) -> None:
    """End one of the person's own sessions, within a second."""
    _require_person(caller)
    async with services.database.begin() as connection:
        await end_one(connection, caller, session_id)


@router.get("/v1/tenants/{tenant_id}/members/{user_id}/sessions", tags=["operator"])
async def get_sessions_of_member(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_READ))],
    tenant_id: TenantId,
    user_id: UserId,
    cursor: PageCursor = None,
    limit: PageLimit = 50,
) -> Page[Session]:
    """List a member's sessions, newest first."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        return await list_of_member(connection, tenant.id, user_id, cursor=cursor, limit=limit)


@router.delete(
    "/v1/tenants/{tenant_id}/members/{user_id}/sessions", status_code=204, tags=["operator"]
)
async def delete_sessions_of_member(
    services: ServicesNow,
    caller: Annotated[Principal, Depends(needs(Permission.OPERATE_ADMIN))],
    tenant_id: TenantId,
    user_id: UserId,
) -> None:
    """End all of a member's sessions, in every tenant of theirs, within a second."""
    async with services.database.begin() as connection:
        tenant = await find_tenant(connection, tenant_id)
        await end_all_of(connection, caller, tenant.id, user_id)


def _require_person(caller: Principal) -> None:
    if caller.kind != "user":
        raise PersonRequired("Only a person, signed in, has sessions.")
