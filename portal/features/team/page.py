"""The team: members, pending invitations, and the dialogs that remove and invite."""

from __future__ import annotations

import reflex as rx

from portal.features.team.rows import EXPIRIES, ROLES, MemberRow
from portal.features.team.state import Team
from portal.kit.blocks import card, dialog_lead, form_error, loading_rows
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import select_field, text_field
from portal.kit.icon import icon
from portal.kit.tables import actions, row_action, several_actions, wide_table
from portal.kit.vars import as_text, each, length, pick
from portal.session.guard import FRESH_SECONDS
from portal.shared.invitations import InvitationRow
from portal.shared.once import shown_once
from portal.shell.feature import Page
from portal.shell.loaded import loaded


def page() -> Page:
    """The page."""
    return Page(
        state=Team,
        content=(
            loaded(
                Team,
                rx.flex(_table(), _invitations(), direction="column", spacing="5"),
                skeleton=card(loading_rows(3)),
            ),
            _removal(),
            _invitation(),
        ),
        actions=rx.cond(
            Team.manages,
            rx.button(icon("user-plus", size=16), "Invite", on_click=Team.ask_invitation),
        ),
        lead="Who belongs to this organization, and what each may do.",
    )


def _table() -> rx.Component:
    return card(
        wide_table(
            "members",
            ("Person", "Role", "Keys made", "Joined", "Actions"),
            each(Team.members, _row),
        ),
        heading="Members",
    )


def _row(member: MemberRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.flex(
                rx.text(member.name, weight="medium"),
                rx.cond(member.is_me, rx.badge("You", color_scheme="gray")),
                spacing="2",
                align="center",
            ),
            rx.text(member.email, size="1", color_scheme="gray"),
        ),
        rx.table.cell(rx.cond(Team.manages, _role(member), rx.text(member.role_name))),
        rx.table.cell(member.keys_text, white_space="nowrap"),
        rx.table.cell(member.joined, white_space="nowrap"),
        actions(
            rx.cond(
                Team.manages,
                row_action(
                    "Remove",
                    Team.ask(member.id),
                    label="Remove " + member.name,
                    color_scheme="red",
                ),
            )
        ),
        vertical_align="middle",
    )


def _role(member: MemberRow) -> rx.Component:
    return rx.select.root(
        rx.select.trigger(aria_label="Role of " + member.name, variant="soft", color_scheme="gray"),
        rx.select.content(
            *[rx.select.item(name, value=role.value) for role, name in ROLES.items()]
        ),
        value=member.role,
        on_change=lambda role: Team.change_role(member.id, role),
    )


def _removal() -> rx.Component:
    return dialog(
        rx.fragment("Remove ", Team.leaving.name, "?"),
        dialog_lead(
            f"Within {FRESH_SECONDS:.0f} seconds they can do nothing more here, and the API "
            "refuses their session within one. They can be invited again."
        ),
        rx.form(
            rx.flex(
                rx.cond(Team.leaving.key_count > 0, _keys()),
                form_error(Team.form_problem),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button("Remove from the team", color_scheme="red", type="submit")),
            on_submit=Team.remove,
            margin_top="var(--space-4)",
        ),
        opened=Team.asking,
        close=Team.close,
        width="31rem",
    )


def _keys() -> rx.Component:
    return rx.flex(
        rx.text(
            "They made ",
            as_text(Team.leaving.keys_text),
            " that can still be used. What is to become of them?",
            size="2",
        ),
        rx.radio_group.root(
            rx.flex(
                rx.radio_group.item("Revoke them: what uses them stops at once", value="revoke"),
                rx.radio_group.item(
                    "Hand them over: they go on working, so rotate them soon", value="hand_over"
                ),
                direction="column",
                spacing="2",
            ),
            name="keys",
            default_value="revoke",
            on_change=Team.choose_keys,
            aria_label="What becomes of their keys",
        ),
        rx.cond(
            Team.hands_over,
            rx.cond(
                length(Team.heirs) > 0,
                select_field(
                    "To",
                    "heir",
                    Team.heirs[0].id,
                    each(Team.heirs, lambda heir: rx.select.item(heir.name, value=heir.id)),
                    of="removal",
                ),
                rx.text("Nobody else here may have keys.", size="2", color_scheme="red"),
            ),
        ),
        direction="column",
        spacing="3",
    )


def _invitations() -> rx.Component:
    return rx.cond(
        length(Team.invitations) > 0,
        card(
            wide_table(
                "invitations",
                ("Invited", "Role", "Until", "State", "Actions"),
                each(Team.invitations, _pending),
            ),
            heading="Pending invitations",
        ),
    )


def _pending(invitation: InvitationRow) -> rx.Component:
    return rx.table.row(
        rx.table.row_header_cell(
            rx.text(invitation.whom, weight="medium", overflow_wrap="anywhere"),
            rx.cond(
                invitation.by == "A member",
                rx.fragment(),
                rx.text("By the seller", size="1", color_scheme="gray"),
            ),
            max_width="18rem",
        ),
        rx.table.cell(invitation.role),
        rx.table.cell(invitation.until, white_space="nowrap"),
        rx.table.cell(rx.badge(invitation.state, color_scheme=invitation.color)),
        several_actions(
            row_action(
                "New link",
                Team.renew(invitation.id),
                label="New link for " + invitation.whom,
            ),
            confirmation(
                rx.button(
                    "Revoke",
                    variant="ghost",
                    color_scheme="red",
                    aria_label="Revoke the invitation of " + invitation.whom,
                ),
                "Revoke the invitation of " + invitation.whom + "?",
                "Its link opens nothing any more. You can invite them again.",
                rx.button(
                    "Revoke the invitation",
                    color_scheme="red",
                    on_click=Team.revoke(invitation.id),
                ),
            ),
        ),
        vertical_align="middle",
    )


def _invitation() -> rx.Component:
    return dialog(
        pick(Team.secret != "", "The invitation is open", "Invite to the team"),
        dialog_lead(
            pick(
                Team.secret != "",
                "Send this link to "
                + pick(Team.secret_name != "", Team.secret_name, "them")
                + " now: it can’t be shown again.",
                "You get a link to send. With an e-mail address only they can use it.",
            )
        ),
        rx.cond(
            Team.secret != "",
            shown_once(Team.secret, "Copy the link", called="invitation-link"),
            rx.form(
                rx.flex(
                    text_field(
                        "E-mail",
                        "email",
                        of="invitation",
                        type="email",
                        auto_focus=True,
                        note="Empty: whoever has the link can use it, once.",
                        problem=Team.problems["email"],
                    ),
                    rx.grid(
                        select_field(
                            "Role",
                            "role",
                            "developer",
                            *[
                                rx.select.item(name, value=role.value)
                                for role, name in ROLES.items()
                            ],
                            of="invitation",
                            problem=Team.problems["role"],
                        ),
                        select_field(
                            "Ends",
                            "expiry",
                            "7",
                            *[rx.select.item(text, value=days) for days, text in EXPIRIES.items()],
                            of="invitation",
                        ),
                        columns=rx.breakpoints(initial="1", xs="2"),
                        spacing="4",
                    ),
                    text_field(
                        "Note",
                        "note",
                        of="invitation",
                        note="Whom it is for; shown in this list.",
                        problem=Team.problems["note"],
                    ),
                    form_error(Team.problems["form"]),
                    direction="column",
                    spacing="4",
                ),
                dialog_buttons(rx.button("Invite", type="submit")),
                no_validate=True,
                on_submit=Team.invite,
                margin_top="var(--space-4)",
            ),
        ),
        opened=Team.inviting,
        close=Team.close_invitation,
        width="31rem",
    )
