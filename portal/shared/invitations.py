"""Invitations as lists show them. Plain functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from backend_client.types.accounts import Invitation
from portal.kit.color import Color
from portal.kit.formatting import date


@dataclass(frozen=True)
class InvitationRow:
    """An invitation as the list shows it."""

    id: str
    whom: str
    role: str
    by: str
    state: str
    color: Color
    until: str
    open: bool


def invitation_row(invitation: Invitation, time_zone: str, now: datetime) -> InvitationRow:
    """An invitation as the list shows it."""
    state, color = _state(invitation, now)
    return InvitationRow(
        id=invitation.id,
        whom=invitation.email or invitation.note or "Whoever has the link",
        role=invitation.role.value.capitalize(),
        by="You, the operator" if invitation.by_operator else "A member",
        state=state,
        color=color,
        until=date(invitation.expires_at, time_zone),
        open=state == "Open",
    )


def _state(invitation: Invitation, now: datetime) -> tuple[str, Color]:
    if invitation.accepted_at is not None:
        return "Accepted", "green"
    if invitation.revoked_at is not None:
        return "Revoked", "gray"
    return ("Open", "blue") if invitation.expires_at > now else ("Expired", "gray")
