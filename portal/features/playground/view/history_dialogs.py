"""The conversations that were kept, and the prompts that were saved."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.history.rows import HistoryRow, PromptRow, VersionRow
from portal.features.playground.state import Playground
from portal.kit.blocks import dialog_lead, empty, form_error
from portal.kit.dialogs import confirmation, dialog, dialog_buttons
from portal.kit.fields import choice, labeled, text_field
from portal.kit.icon import icon
from portal.kit.tables import remark, row_action
from portal.kit.tick_box import tick_box
from portal.kit.vars import as_text, each, length, negated, pick


def history_buttons() -> rx.Component:
    """What opens both."""
    return rx.fragment(
        rx.button(
            icon("history", size=16),
            "History",
            on_click=Playground.show_history(True),
            variant="soft",
            color_scheme="gray",
        ),
        rx.button(
            icon("bookmark", size=16),
            "Prompts",
            on_click=Playground.show_prompts(True),
            variant="soft",
            color_scheme="gray",
        ),
    )


def history_dialog() -> rx.Component:
    """The conversations of the person, and those that others shared."""
    return dialog(
        "History",
        dialog_lead(
            pick(
                Playground.kept_days == 0,
                "Conversations are not kept here. Download what you want to keep.",
                "Conversations are kept for "
                + as_text(Playground.kept_days)
                + " days after you last went on with them. Others see what you share.",
            )
        ),
        rx.cond(
            length(Playground.history) > 0,
            rx.el.ul(each(Playground.history, _conversation), class_name="fb-rows"),
            empty("history", "Nothing here yet", "Your conversations are kept here as you go on."),
        ),
        rx.cond(Playground.history_more, remark("Older ones are not listed.")),
        dialog_buttons(
            rx.cond(
                length(Playground.history) > 0,
                confirmation(
                    rx.button("Delete all", color_scheme="red", variant="soft"),
                    "Delete all of your conversations?",
                    "Those that you shared go too. This can’t be undone.",
                    rx.button(
                        "Delete them", color_scheme="red", on_click=Playground.delete_history
                    ),
                ),
            ),
            leave="Close",
        ),
        opened=Playground.showing_history,
        close=Playground.show_history(False),
        width="38rem",
    )


def _conversation(row: HistoryRow) -> rx.Component:
    return rx.el.li(
        rx.box(
            rx.el.button(
                rx.text(row.title, size="2", weight="medium", truncate=True, title=row.title),
                rx.text(
                    row.when,
                    pick(row.author != "", " · shared by " + row.author, ""),
                    size="1",
                    color_scheme="gray",
                ),
                type="button",
                on_click=Playground.open_conversation(row.id),
                class_name="fb-row-button",
            ),
            min_width="0",
            flex_grow="1",
        ),
        rx.cond(row.current, rx.badge("Open", size="1")),
        rx.cond(
            row.shared & (row.author == ""), rx.badge("Shared", color_scheme="green", size="1")
        ),
        rx.cond(
            row.author == "",
            row_action(
                "Delete",
                Playground.delete_conversation(row.id),
                label="Delete " + row.title,
                color_scheme="gray",
                size="1",
            ),
        ),
    )


def prompts_dialog() -> rx.Component:
    """Saved prompts: use one, save what is set now as one, or as its next version."""
    return dialog(
        "Saved prompts",
        dialog_lead(
            "A saved prompt has a name, and keeps the system prompt, the parameters and the models."
        ),
        rx.cond(
            length(Playground.prompts) > 0,
            rx.el.ul(each(Playground.prompts, _prompt), class_name="fb-rows"),
        ),
        rx.cond(Playground.prompt != "", _versions()),
        rx.form(
            rx.flex(
                rx.box(
                    text_field("Save as", "name", of="prompt", max_length=120),
                    flex_grow="1",
                ),
                rx.button("Save", type="submit"),
                spacing="3",
                align="end",
            ),
            rx.box(
                labeled("Share it with the organization", tick_box(name="shared")),
                margin_top="var(--space-3)",
            ),
            form_error(Playground.prompt_problem, margin_top="var(--space-3)"),
            on_submit=Playground.save_prompt,
            margin_top="var(--space-4)",
        ),
        dialog_buttons(leave="Close"),
        opened=Playground.showing_prompts,
        close=Playground.show_prompts(False),
        width="38rem",
    )


def _prompt(row: PromptRow) -> rx.Component:
    return rx.el.li(
        rx.box(
            rx.el.button(
                rx.text(row.name, size="2", weight="medium", truncate=True, title=row.name),
                rx.text(
                    row.about,
                    pick(row.author != "", " · shared by " + row.author, ""),
                    size="1",
                    color_scheme="gray",
                ),
                type="button",
                on_click=Playground.use_prompt(row.id),
                class_name="fb-row-button",
            ),
            min_width="0",
            flex_grow="1",
        ),
        rx.cond(row.current, rx.badge("In use", size="1")),
        rx.cond(
            row.author == "",
            rx.fragment(
                row_action(
                    pick(row.shared, "Stop sharing", "Share"),
                    Playground.share_prompt(row.id, negated(row.shared)),
                    label=pick(row.shared, "Stop sharing ", "Share ") + row.name,
                    color_scheme="gray",
                    size="1",
                ),
                row_action(
                    "Delete",
                    Playground.delete_prompt(row.id),
                    label="Delete " + row.name,
                    color_scheme="gray",
                    size="1",
                ),
            ),
        ),
    )


def _versions() -> rx.Component:
    return rx.flex(
        rx.cond(
            length(Playground.versions) > 0,
            choice(
                "Version",
                Playground.prompt_version,
                Playground.use_version,
                each(Playground.versions, _version),
                width="16rem",
            ),
        ),
        rx.button(
            "Save as the next version of ",
            Playground.prompt_name,
            on_click=Playground.save_version,
            variant="soft",
        ),
        spacing="3",
        wrap="wrap",
        align="center",
        margin_top="var(--space-3)",
    )


def _version(row: VersionRow) -> rx.Component:
    return rx.select.item("Version " + row.version + ", " + row.about, value=row.version)
