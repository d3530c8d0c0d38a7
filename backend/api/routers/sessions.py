"""Signing in and out."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.errors import PersonRequired
from backend.accounts.members import upsert_user
from backend.accounts.sessions import (
    begin_session,
    end_session,
    local_user,
    own_tenant,
    switch_tenant,
    who_is,
)
from backend.api.dependencies import Caller, ServicesNow, bearer_token
from backend.api.errors import IdentityProviderNotConfigured, LocalSignInOff, WrongLocalSecret
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

    A new person gets a tenant of their own.
    """
    if services.identity_provider is None:
        raise IdentityProviderNotConfigured()
    identity = await services.identity_provider.verify(wanted.id_token, wanted.nonce)
    async with services.database.begin() as connection:
        user_id = await upsert_user(
            connection,
            issuer=identity.issuer,
            subject=identity.subject,
            name=identity.name,
            email=identity.email,
        )
        tenant, created = await own_tenant(connection, user_id, identity.name)
        if created:
            await _subscribe(connection, tenant)
        return await begin_session(
            connection, user_id, tenant.id, seconds=services.settings.session_seconds
        )


@router.post("/v1/sessions/local", status_code=201)
async def post_local_session(services: ServicesNow, wanted: LocalSessionCreate) -> SessionCreated:
    """Begin a session for the person at this machine; refused where others can reach it."""
    if not services.settings.local_sign_in_allowed:
        raise LocalSignInOff("Local sign-in works on a loopback-only installation alone.")
    try:
        secret = services.settings.local_sign_in_secret_file.read_text().strip()
    except OSError:
        raise LocalSignInOff("Local sign-in has not been set up here.") from None
    if not secret or not hmac.compare_digest(secret.encode(), wanted.secret.encode()):
        raise WrongLocalSecret()
    async with services.database.begin() as connection:
        user_id, tenant, created = await local_user(connection)
        if created:
            await _subscribe(connection, tenant)
        return await begin_session(
            connection, user_id, tenant.id, seconds=services.settings.session_seconds
        )


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
    services.authenticator.forget(token)
    switched = await services.authenticator.authenticate(token)
    async with services.database.begin() as connection:
        return await who_is(connection, switched)


@router.delete("/v1/sessions/current", status_code=204)
async def delete_session(request: Request, services: ServicesNow, caller: Caller) -> None:
    """Sign out."""
    if caller.kind != "user":
        raise PersonRequired("Only a person's session can sign out.")
    token = bearer_token(request)
    async with services.database.begin() as connection:
        await end_session(connection, token)
    services.authenticator.forget(token)
