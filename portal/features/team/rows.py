"""Members as the list shows them, and what is asked of a removal. Plain functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backend_client.types.accounts import ApiKey, InvitationCreate, Member, Role
from portal.kit.choice import Choice
from portal.kit.form_problems import FormProblems, checked, text_of
from portal.kit.formatting import date
from portal.session.guard import DEVELOPERS

ROLES = {
    Role.OWNER: "Owner",
    Role.ADMIN: "Admin",
    Role.DEVELOPER: "Developer",
    Role.BILLING: "Billing",
    Role.VIEWER: "Viewer",
}


@dataclass(frozen=True)
class MemberRow:
    """A member as the list shows them; ``key_count`` is of
    those that they made and that still work."""

    id: str = ""
    name: str = ""
    email: str = ""
    role: str = ""
    role_name: str = ""
    joined: str = ""
    is_me: bool = False
    key_count: int = 0
    keys_text: str = ""


@dataclass(frozen=True)
class Removal:
    """What becomes of the keys of a member who is removed; None if there are none."""

    keys: Literal["revoke", "hand_over"] | None = None
    hand_over_to: str | None = None


def member_rows(
    members: Sequence[Member], keys: Sequence[ApiKey], me: str | None, time_zone: str
) -> list[MemberRow]:
    """The members as the list shows them."""
    made_by = Counter(key.created_by for key in keys if key.revoked_at is None)
    return [
        MemberRow(
            id=member.user_id,
            name=member.name,
            email=member.email or "",
            role=member.role.value,
            role_name=ROLES.get(member.role, member.role.value),
            joined=date(member.joined_at, time_zone),
            is_me=member.user_id == me,
            key_count=made_by[member.user_id],
            keys_text=_keys_text(made_by[member.user_id]),
        )
        for member in members
    ]


def heirs(members: Sequence[MemberRow], leaving: str) -> list[Choice]:
    """Who may get the keys of a member who is removed: others who may make keys."""
    able = {role.value for role in DEVELOPERS}
    return [
        Choice(member.id, f"{member.name} ({member.role_name})")
        for member in members
        if member.id != leaving and member.role in able
    ]


def removal_from_form(form: Mapping[str, Any], keys: int) -> Removal:
    """What the dialog says; the keys are revoked unless it hands them over.

    Raises:
        FormProblems: it hands them over to nobody.
    """
    if not keys:
        return Removal()
    if text_of(form, "keys") != "hand_over":
        return Removal("revoke")
    heir = text_of(form, "heir")
    if not heir:
        raise FormProblems({"form": "Choose who gets the keys."})
    return Removal("hand_over", heir)


INVITATION_FIELDS = ("email", "role", "note", "expiry", "form")
EXPIRIES = {"1": "In a day", "7": "In a week", "30": "In 30 days"}


def invitation_from_form(form: Mapping[str, Any]) -> InvitationCreate:
    """Whom the dialog invites, as what, and for how long.

    Raises:
        FormProblems: a field can't be used.
    """
    days = text_of(form, "expiry")
    values = {
        "role": text_of(form, "role"),
        "email": text_of(form, "email") or None,
        "note": text_of(form, "note"),
        "expires_in_seconds": int(days if days in EXPIRIES else "7") * 24 * 3600,
    }
    return checked(InvitationCreate, values, {}, invitation_field)


def invitation_field(paths: list[tuple[str, str]]) -> dict[str, str]:
    """The dialog's fields for problems that name them by path."""
    problems: dict[str, str] = {}
    for path, detail in paths:
        if path == "email":
            problems["email"] = "Write an address such as ada@example.com."
        else:
            problems.setdefault(path if path in INVITATION_FIELDS else "form", detail)
    return problems


def _keys_text(number: int) -> str:
    if not number:
        return "None"
    return "1 key" if number == 1 else f"{number} keys"
