"""The operator invites people to a tenant, and its first owner above all."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from backend.accounts.members.invitations import invite
from backend.accounts.principal import Principal
from backend.outbox.notices import Notice
from backend.outbox.queue import enqueue_notices
from backend.settings import Settings
from backend_client.types.accounts import InvitationCreate, InvitationCreated, Tenant
from backend_client.types.notifications import InvitationSent, NotificationKind


async def invite_for(
    connection: AsyncConnection,
    settings: Settings,
    caller: Principal,
    tenant: Tenant,
    wanted: InvitationCreate,
) -> InvitationCreated:
    """Invite somebody to a tenant that the operator acts for, and have a letter sent.

    A letter needs an address; it says to sign in with it and has no secret. The link is in the
    answer alone. Raises as ``invite`` does.
    """
    invitation = await invite(connection, caller, wanted, settings.portal_url)
    if wanted.email is not None:
        data = InvitationSent(
            invitation_id=invitation.id,
            email=wanted.email,
            role=wanted.role,
            tenant_name=tenant.name,
            sign_in_url=f"{settings.portal_url}/sign-in/",
            expires_at=invitation.expires_at,
        )
        kind, at = NotificationKind.INVITATION_CREATED, datetime.now(UTC)
        await enqueue_notices(connection, [Notice(kind, tenant.id, invitation.id, data, at)])
    return invitation
