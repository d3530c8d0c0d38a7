"""The clients' methods for sessions, accounts, keys and tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from backend_client.requests import accounts as requests
from backend_client.sending import AsyncSender, Sender
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


class AccountsMethods(Sender):
    """Those of the synchronous client."""

    def sign_in_options(self) -> SignInOptions:
        """Say which ways to sign in there are."""
        return self._do(requests.sign_in_options())

    def create_session(self, wanted: SessionCreate) -> SessionCreated:
        """Begin a session with the identity provider's ID token."""
        return self._do(requests.create_session(wanted))

    def create_local_session(self, wanted: LocalSessionCreate) -> SessionCreated:
        """Begin a session for the person at this machine."""
        return self._do(requests.create_local_session(wanted))

    def switch_tenant(self, change: SessionChange) -> Me:
        """Let the session act for another of one's tenants."""
        return self._do(requests.switch_tenant(change))

    def end_session(self) -> None:
        """Sign out."""
        self._do(requests.end_session())

    def me(self) -> Me:
        """Say who the credential belongs to."""
        return self._do(requests.me())

    def applications(self, tenant: str | None = None) -> list[Application]:
        """All applications, oldest first; of another tenant, for the operator."""
        return self._all(requests.applications(tenant))

    def create_application(self, wanted: ApplicationCreate) -> Application:
        """Make an application."""
        return self._do(requests.create_application(wanted))

    def keys(self) -> list[ApiKey]:
        """All keys, newest first."""
        return self._all(requests.keys())

    def key(self, key_id: str) -> ApiKey:
        """One key."""
        return self._do(requests.key(key_id))

    def create_key(self, wanted: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key; its secret is in this answer alone."""
        return self._do(requests.create_key(wanted))

    def change_key(self, key_id: str, change: ApiKeyChange) -> ApiKey:
        """Change a key's name or limits."""
        return self._do(requests.change_key(key_id, change))

    def rotate_key(self, key_id: str, wanted: ApiKeyRotate) -> ApiKeyCreated:
        """Give a key a new secret; the old one works through the grace period."""
        return self._do(requests.rotate_key(key_id, wanted))

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key for good."""
        self._do(requests.revoke_key(key_id))

    def members(self) -> list[Member]:
        """All members."""
        return self._all(requests.members())

    def change_member(self, user_id: str, change: MemberChange) -> Member:
        """Give a member another role."""
        return self._do(requests.change_member(user_id, change))

    def remove_member(self, user_id: str) -> None:
        """End a membership."""
        self._do(requests.remove_member(user_id))

    def invitations(self) -> list[Invitation]:
        """All invitations, newest first."""
        return self._all(requests.invitations())

    def invite(self, wanted: InvitationCreate) -> InvitationCreated:
        """Make an invitation; its link's secret is in this answer alone."""
        return self._do(requests.invite(wanted))

    def accept_invitation(self, wanted: InvitationAccept) -> Membership:
        """Become a member by an invitation's secret."""
        return self._do(requests.accept_invitation(wanted))

    def revoke_invitation(self, invitation_id: str) -> None:
        """Close an invitation."""
        self._do(requests.revoke_invitation(invitation_id))

    def audit(self) -> Iterator[AuditEntry]:
        """What was done in the tenant, the latest first; fetched as it is come to."""
        return self._items(requests.audit())

    def tenants(self) -> list[Tenant]:
        """All tenants; for the operator."""
        return self._all(requests.tenants())

    def find_tenants(self, search: str, limit: int = 20) -> list[Tenant]:
        """Up to ``limit`` tenants with ``search`` in name or slug, or as id; for the operator."""
        return self._do(requests.tenants(search, limit)).items

    def create_tenant(self, wanted: TenantCreate) -> Tenant:
        """Make a tenant; for the operator."""
        return self._do(requests.create_tenant(wanted))

    def delete_tenant(self, tenant_id: str) -> None:
        """Remove a tenant with all that it has; for the operator."""
        self._do(requests.delete_tenant(tenant_id))


class AsyncAccountsMethods(AsyncSender):
    """Those of the asynchronous client."""

    async def sign_in_options(self) -> SignInOptions:
        """Say which ways to sign in there are."""
        return await self._do(requests.sign_in_options())

    async def create_session(self, wanted: SessionCreate) -> SessionCreated:
        """Begin a session with the identity provider's ID token."""
        return await self._do(requests.create_session(wanted))

    async def create_local_session(self, wanted: LocalSessionCreate) -> SessionCreated:
        """Begin a session for the person at this machine."""
        return await self._do(requests.create_local_session(wanted))

    async def switch_tenant(self, change: SessionChange) -> Me:
        """Let the session act for another of one's tenants."""
        return await self._do(requests.switch_tenant(change))

    async def end_session(self) -> None:
        """Sign out."""
        await self._do(requests.end_session())

    async def me(self) -> Me:
        """Say who the credential belongs to."""
        return await self._do(requests.me())

    async def applications(self, tenant: str | None = None) -> list[Application]:
        """All applications, oldest first; of another tenant, for the operator."""
        return await self._all(requests.applications(tenant))

    async def create_application(self, wanted: ApplicationCreate) -> Application:
        """Make an application."""
        return await self._do(requests.create_application(wanted))

    async def keys(self) -> list[ApiKey]:
        """All keys, newest first."""
        return await self._all(requests.keys())

    async def key(self, key_id: str) -> ApiKey:
        """One key."""
        return await self._do(requests.key(key_id))

    async def create_key(self, wanted: ApiKeyCreate) -> ApiKeyCreated:
        """Make a key; its secret is in this answer alone."""
        return await self._do(requests.create_key(wanted))

    async def change_key(self, key_id: str, change: ApiKeyChange) -> ApiKey:
        """Change a key's name or limits."""
        return await self._do(requests.change_key(key_id, change))

    async def rotate_key(self, key_id: str, wanted: ApiKeyRotate) -> ApiKeyCreated:
        """Give a key a new secret; the old one works through the grace period."""
        return await self._do(requests.rotate_key(key_id, wanted))

    async def revoke_key(self, key_id: str) -> None:
        """Revoke a key for good."""
        await self._do(requests.revoke_key(key_id))

    async def members(self) -> list[Member]:
        """All members."""
        return await self._all(requests.members())

    async def change_member(self, user_id: str, change: MemberChange) -> Member:
        """Give a member another role."""
        return await self._do(requests.change_member(user_id, change))

    async def remove_member(self, user_id: str) -> None:
        """End a membership."""
        await self._do(requests.remove_member(user_id))

    async def invitations(self) -> list[Invitation]:
        """All invitations, newest first."""
        return await self._all(requests.invitations())

    async def invite(self, wanted: InvitationCreate) -> InvitationCreated:
        """Make an invitation; its link's secret is in this answer alone."""
        return await self._do(requests.invite(wanted))

    async def accept_invitation(self, wanted: InvitationAccept) -> Membership:
        """Become a member by an invitation's secret."""
        return await self._do(requests.accept_invitation(wanted))

    async def revoke_invitation(self, invitation_id: str) -> None:
        """Close an invitation."""
        await self._do(requests.revoke_invitation(invitation_id))

    def audit(self) -> AsyncIterator[AuditEntry]:
        """What was done in the tenant, the latest first; fetched as it is come to."""
        return self._items(requests.audit())

    async def tenants(self) -> list[Tenant]:
        """All tenants; for the operator."""
        return await self._all(requests.tenants())

    async def find_tenants(self, search: str, limit: int = 20) -> list[Tenant]:
        """Up to ``limit`` tenants with ``search`` in name or slug, or as id; for the operator."""
        return (await self._do(requests.tenants(search, limit))).items

    async def create_tenant(self, wanted: TenantCreate) -> Tenant:
        """Make a tenant; for the operator."""
        return await self._do(requests.create_tenant(wanted))

    async def delete_tenant(self, tenant_id: str) -> None:
        """Remove a tenant with all that it has; for the operator."""
        await self._do(requests.delete_tenant(tenant_id))
