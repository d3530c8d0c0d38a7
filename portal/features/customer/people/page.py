"""A customer's members and invitations."""

from __future__ import annotations

import reflex as rx

from portal.features.customer.people.state import ROLES, MemberRow, PeopleTab
from portal.kit.blocks import card, dialog_lead, empty, form_error
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import actions, wide_table
from portal.kit.vars import each, length, pick
from portal.shared.invitations import InvitationRow
from portal.shared.once import shown_once


def people_tab() -> rx.Component:
    """The tab."""
    return rx.flex(_members(), _invitations(), _invite(), direction="column", spacing="5")


def _members() -> rx.Component:
    return card(
        rx.cond(
            length(PeopleTab.members) > 0,
            wide_table(
                "members",
                ("Member", "Role", "Since", "Actions"),
                each(PeopleTab.members, _member),
            ),
            empty(
                "users",
                "No members yet",
                "Invite the first owner: they get in by signing in with the address you give.",
            ),
        ),
        heading="Members",
        aside=rx.button(
            icon("user-plus", size=16), "Invite", on_click=PeopleTab.open_invite, variant="soft"
        ),
    )


def _member(member: MemberRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(member.name, weight="medium"),
            rx.text(member.email, size="1", color_scheme="gray"),
        ),
        rx.table.cell(
            rx.select.root(
                rx.select.trigger(aria_label="Role of " + member.name, variant="ghost"),
                rx.select.content(*[rx.select.item(role, value=role) for role in ROLES]),
                value=member.role,
                on_change=PeopleTab.change_role(member.id),
            )
        ),
        rx.table.cell(member.since, white_space="nowrap"),
        actions(
            confirmation(
                rx.button(
                    "Remove",
                    variant="ghost",
                    color_scheme="red",
                    aria_label="Remove " + member.name,
                ),
                "Remove " + member.name + "?",
                "They can no longer act for this customer. API keys that they made are revoked.",
                rx.button(
                    "Remove", color_scheme="red", on_click=PeopleTab.remove_member(member.id)
                ),
            )
        ),
        vertical_align="middle",
    )


def _invitations() -> rx.Component:
    return rx.cond(
        length(PeopleTab.invitations) > 0,
        card(
            wide_table(
                "invitations",
                ("Invited", "Role", "By", "Until", "State", "Actions"),
                each(PeopleTab.invitations, _invitation),
            ),
            heading="Invitations",
        ),
    )


def _invitation(invitation: InvitationRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(invitation.whom),
        rx.table.cell(invitation.role),
        rx.table.cell(invitation.by, white_space="nowrap"),
        rx.table.cell(invitation.until, white_space="nowrap"),
        rx.table.cell(rx.badge(invitation.state, color_scheme=invitation.color)),
        actions(
            rx.cond(
                invitation.open,
                rx.button(
                    "Close",
                    variant="ghost",
                    color_scheme="red",
                    aria_label="Close the invitation of " + invitation.whom,
                    on_click=PeopleTab.revoke_invitation(invitation.id),
                ),
            )
        ),
        vertical_align="middle",
    )


def _invite() -> rx.Component:
    return dialog(
        pick(PeopleTab.secret != "", "The invitation is open", "Invite somebody"),
        dialog_lead(
            pick(
                PeopleTab.secret != "",
                "You can also send this link; it can’t be shown again.",
                "They accept by signing in with this verified address, or by the link that you get "
                "next.",
            )
        ),
        rx.cond(
            PeopleTab.secret != "",
            shown_once(PeopleTab.secret, "Copy the link", called="invitation-link"),
            rx.form(
                rx.flex(
                    text_field(
                        "E-mail",
                        "email",
                        of="invite",
                        problem=PeopleTab.problems["email"],
                        note="Empty: whoever has the link can accept it.",
                        type="email",
                        auto_focus=True,
                    ),
                    select_field(
                        "Role",
                        "role",
                        "owner",
                        *[rx.select.item(role, value=role) for role in ROLES],
                        of="invite",
                        problem=PeopleTab.problems["role"],
                    ),
                    form_error(PeopleTab.problems["form"]),
                    direction="column",
                    spacing="4",
                ),
                dialog_buttons(rx.button("Invite", type="submit")),
                no_validate=True,
                on_submit=PeopleTab.invite,
                margin_top="var(--space-4)",
            ),
        ),
        opened=PeopleTab.dialog == "invite",
        close=PeopleTab.close_dialog,
        width="31rem",
    )
