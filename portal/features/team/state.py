"""The team: members, their roles, removing one with a word on their keys, and invitations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from backend_client import ClientError
from backend_client.types.accounts import InvitationCreate, MemberChange, Role
from portal.features.team.rows import (
    INVITATION_FIELDS,
    MemberRow,
    heirs,
    invitation_field,
    invitation_from_form,
    member_rows,
    removal_from_form,
)
from portal.kit.choice import Choice
from portal.kit.form_problems import FormProblems, problems_by_field
from portal.session.guard import MANAGERS, Caller, NextEvents, may_change, signed_in
from portal.session.page import PageState
from portal.session.shown_once import ShownOnce
from portal.session.state import Session
from portal.shared.invitations import InvitationRow, invitation_row
from portal.shell.toasts import toast

_NO_PROBLEMS = dict.fromkeys(INVITATION_FIELDS, "")
_INVITATIONS = 50


class Team(ShownOnce, PageState, Session):
    """The team page. ``leaving`` is the member whom the dialog is about; an invitation's link is
    for the dialog that made it alone. ``invitations`` are those that are open or have expired."""

    members: list[MemberRow] = []
    heirs: list[Choice] = []
    leaving: MemberRow = MemberRow()
    asking: bool = False
    hands_over: bool = False
    form_problem: str = ""
    manages: bool = False
    invitations: list[InvitationRow] = []
    inviting: bool = False
    problems: dict[str, str] = _NO_PROBLEMS

    def _fail(self, why: str) -> None:
        """Say why in the dialog while one is open, for it covers the page."""
        if self.inviting:
            self.problems = {**_NO_PROBLEMS, "form": why}
        elif self.asking:
            self.form_problem = why
        else:
            super()._fail(why)

    @signed_in()
    async def arrive(self, caller: Caller) -> None:
        """Begin without the dialog that was open before, and without the link in it."""
        self.asking, self.form_problem = False, ""
        self._close_invitation()

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the members, and how many keys each made."""
        members = await caller.client.members.list().all()
        keys = await caller.client.keys.list().all()
        me = caller.me
        rows = member_rows(members, keys, me.user_id, me.tenant.time_zone)
        manages = may_change(me, MANAGERS)
        invitations = await _pending(caller) if manages else []
        async with self:
            self.members, self.invitations = rows, invitations
            self.asking, self.form_problem = False, ""
            self.manages = manages
            self._ready()

    @signed_in(roles=MANAGERS)
    async def change_role(self, caller: Caller, user_id: str, role: str) -> NextEvents:
        """Give a member another role; the list shows again what is so."""
        try:
            await caller.client.members.update(user_id, MemberChange(role=Role(role)))
        finally:
            self.members = list(self.members)
        return [Team.load, toast(f"The role is {role} now.")]

    @signed_in(roles=MANAGERS)
    async def ask(self, caller: Caller, user_id: str) -> None:
        """Open the dialog that removes a member."""
        member = next((row for row in self.members if row.id == user_id), None)
        if member is not None:
            self.leaving, self.heirs = member, heirs(self.members, user_id)
            self.asking, self.hands_over, self.form_problem = True, False, ""

    @signed_in(roles=MANAGERS)
    async def choose_keys(self, caller: Caller, choice: str) -> None:
        """Show who may get the keys, if they are to be handed over."""
        self.hands_over = choice == "hand_over"

    @signed_in(roles=MANAGERS)
    async def close(self, caller: Caller) -> None:
        """Leave everything as it is."""
        self.asking = False

    @signed_in(roles=MANAGERS)
    async def remove(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Remove the member, and do with their keys as the dialog says."""
        try:
            removal = removal_from_form(form, self.leaving.key_count)
            await caller.client.members.remove(
                self.leaving.id, keys=removal.keys, hand_over_to=removal.hand_over_to
            )
        except (FormProblems, ClientError) as problem:
            problems = problems_by_field(problem, dict)
            self.form_problem = "; ".join(problems.values())
            return None
        self.asking = False
        return [Team.load, toast(f"{self.leaving.name} is no member any more.")]

    @signed_in(roles=MANAGERS)
    async def ask_invitation(self, caller: Caller) -> None:
        """Open the dialog that invites somebody."""
        self._close_invitation()
        self.inviting = True

    @signed_in(roles=MANAGERS)
    async def close_invitation(self, caller: Caller) -> None:
        """Close the dialog; a link in it is forgotten."""
        self._close_invitation()

    @signed_in(roles=MANAGERS)
    async def invite(self, caller: Caller, form: dict[str, Any]) -> NextEvents:
        """Invite somebody, and show the link this once."""
        try:
            invitation = await caller.client.invitations.create(invitation_from_form(form))
        except (FormProblems, ClientError) as problem:
            self.problems = {**_NO_PROBLEMS, **problems_by_field(problem, invitation_field)}
            return None
        self.problems = _NO_PROBLEMS
        self._show_once(invitation.email or invitation.note, invitation.link)
        return Team.load

    @signed_in(roles=MANAGERS)
    async def renew(self, caller: Caller, invitation_id: str) -> NextEvents:
        """Invite the same person again, with a new link, and close the earlier invitation."""
        listed = await caller.client.invitations.list(limit=_INVITATIONS).page()
        before = next((item for item in listed.items if item.id == invitation_id), None)
        if before is None or before.accepted_at is not None or before.revoked_at is not None:
            return Team.load
        again = InvitationCreate(role=before.role, email=before.email, note=before.note)
        invitation = await caller.client.invitations.create(again)
        await caller.client.invitations.revoke(invitation_id)
        self._close_invitation()
        self.inviting = True
        self._show_once(invitation.email or invitation.note, invitation.link)
        return Team.load

    @signed_in(roles=MANAGERS)
    async def revoke(self, caller: Caller, invitation_id: str) -> NextEvents:
        """Close an invitation; its link opens nothing any more."""
        await caller.client.invitations.revoke(invitation_id)
        return [Team.load, toast("The invitation is revoked.")]

    def _close_invitation(self) -> None:
        self.inviting, self.problems = False, _NO_PROBLEMS
        self._forget_secret()


async def _pending(caller: Caller) -> list[InvitationRow]:
    """The invitations that nobody has accepted and that were not revoked, newest first."""
    listed = await caller.client.invitations.list(limit=_INVITATIONS).page()
    now, zone = datetime.now(UTC), caller.me.tenant.time_zone
    return [
        invitation_row(invitation, zone, now)
        for invitation in listed.items
        if invitation.accepted_at is None and invitation.revoked_at is None
    ]
