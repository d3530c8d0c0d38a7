"""The customer's members and invitations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend_client.types.accounts import Member, MemberChange, Role
from portal.features.customer.forms import invitation_from
from portal.features.customer.state import LOADS, CustomerPage
from portal.kit.formatting import date
from portal.session.guard import Caller, NextEvents, signed_in
from portal.shared.invitations import InvitationRow, invitation_row

ROLES = [role.value for role in Role if role is not Role.OPERATOR]


@dataclass(frozen=True)
class MemberRow:
    """A member as the list shows them."""

    id: str
    name: str
    email: str
    role: str
    since: str


def member_row(member: Member, time_zone: str) -> MemberRow:
    """A member as the list shows them."""
    since = date(member.joined_at, time_zone)
    return MemberRow(member.user_id, member.name, member.email or "", member.role.value, since)


class PeopleTab(CustomerPage):
    """Who is in, and who is invited."""

    members: list[MemberRow] = []
    invitations: list[InvitationRow] = []

    @signed_in(operator=True, background=True)
    async def load(self, caller: Caller) -> None:
        """Load members and invitations."""
        tenant = self._wanted
        members = await caller.client.members.list(tenant=tenant).all()
        invitations = await caller.client.invitations.list(tenant=tenant, limit=50).page()
        now = datetime.now(UTC)
        async with self:
            if self._is_about_another(tenant):
                return
            zone = self.customer.time_zone
            self.members = [member_row(member, zone) for member in members]
            self.invitations = [
                invitation_row(invitation, zone, now) for invitation in invitations.items
            ]
            self._show("people")

    @signed_in(operator=True)
    async def open_invite(self, caller: Caller) -> None:
        """Ask whom to invite."""
        self._open("invite")

    @signed_in(operator=True)
    async def invite(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Invite somebody, and show the link this once."""

        async def act() -> str:
            wanted = invitation_from(form)
            invitation = await caller.client.invitations.create(wanted, tenant=self._wanted)
            self._show_once(invitation.email or "", invitation.link)
            return ""

        return await self._try(act, PeopleTab.load)

    @signed_in(operator=True)
    async def revoke_invitation(self, caller: Caller, invitation_id: str) -> NextEvents:
        """Close an invitation."""

        async def act() -> str:
            await caller.client.invitations.revoke(invitation_id, tenant=self._wanted)
            return "The invitation is closed."

        return await self._try(act, PeopleTab.load)

    @signed_in(operator=True)
    async def change_role(self, caller: Caller, user_id: str, role: str) -> NextEvents:
        """Give a member another role."""

        async def act() -> str:
            change = MemberChange(role=Role(role))
            member = await caller.client.members.update(user_id, change, tenant=self._wanted)
            return f"{member.name} has the role {member.role.value} now."

        return await self._try(act, PeopleTab.load) if role in ROLES else None

    @signed_in(operator=True)
    async def remove_member(self, caller: Caller, user_id: str) -> NextEvents:
        """End a membership, and the keys that the member made."""

        async def act() -> str:
            await caller.client.members.remove(user_id, keys="revoke", tenant=self._wanted)
            return "The membership has ended, and the keys that they made are revoked."

        return await self._try(act, PeopleTab.load)


LOADS["people"] = PeopleTab.load
