"""What is known of one upstream, and what can be done with it."""

from __future__ import annotations

import reflex as rx

from portal.features.upstreams.rows import IN_SETTINGS, CircuitRow, ModelRow, TestedKey
from portal.features.upstreams.state import Upstreams
from portal.kit.blocks import dialog_lead, facts
from portal.kit.dialogs import confirmation, dialog
from portal.kit.tables import wide_table
from portal.kit.vars import each, length, pick

_about = Upstreams.about


def details_dialog() -> rx.Component:
    """The dialog that a row opens; its address can be shared."""
    return dialog(
        Upstreams.opened,
        dialog_lead(
            "Its settings, and how calls to it went in the last hour, at all processes of the API."
        ),
        rx.cond(
            _about.name != "",
            rx.flex(
                rx.flex(
                    rx.badge(_about.state, color_scheme=_about.color),
                    rx.cond(
                        _about.own,
                        rx.fragment(),
                        rx.text(IN_SETTINGS, size="2", color_scheme="gray"),
                    ),
                    spacing="2",
                    align="center",
                    wrap="wrap",
                ),
                facts(Upstreams.details.facts),
                _models(),
                rx.cond(length(Upstreams.details.circuits) > 0, _circuits()),
                _outcome(),
                rx.cond(_about.retired, rx.fragment(), _acts()),
                direction="column",
                spacing="4",
                margin_top="var(--space-4)",
            ),
            rx.text("There is no such upstream.", size="2", margin_top="var(--space-4)"),
        ),
        rx.flex(
            rx.dialog.close(rx.button("Close", variant="soft", color_scheme="gray")),
            justify="end",
            margin_top="var(--space-5)",
        ),
        opened=Upstreams.opened != "",
        close=Upstreams.close,
        width="46rem",
    )


def _models() -> rx.Component:
    def row(model: ModelRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(
                rx.text(model.name, size="2"),
                rx.cond(
                    model.own_name != "",
                    rx.text("as ", model.own_name, size="1", color_scheme="gray"),
                ),
                overflow_wrap="anywhere",
            ),
            rx.table.cell(model.attempts, class_name="fb-number"),
            rx.table.cell(model.errors, class_name="fb-number"),
            rx.table.cell(model.first_token, class_name="fb-number"),
            key=model.name,
        )

    headings = ("Model", "Attempts", "Failed", "First token")
    return wide_table(
        "upstream-models",
        headings,
        each(Upstreams.details.models, row),
        numbers=headings[1:],
        size="1",
    )


def _circuits() -> rx.Component:
    def row(circuit: CircuitRow) -> rx.Component:
        return rx.table.row(
            rx.table.row_header_cell(circuit.model),
            rx.table.cell(circuit.state),
            rx.table.cell(circuit.until, white_space="nowrap"),
            rx.table.cell(circuit.resting),
            rx.table.cell(circuit.process, overflow_wrap="anywhere"),
            key=circuit.key,
        )

    return rx.box(
        rx.heading("Not well", as_="h2", size="2", weight="medium", margin_bottom="var(--space-2)"),
        wide_table(
            "upstream-circuits",
            ("Model", "State", "Tried again", "Keys", "Process"),
            each(Upstreams.details.circuits, row),
            size="1",
        ),
    )


def _outcome() -> rx.Component:
    """How a test went, read out once it is over."""
    return rx.box(
        rx.cond(
            Upstreams.tested != "",
            rx.callout.root(
                rx.callout.text(Upstreams.tested, overflow_wrap="anywhere"),
                color_scheme=pick(Upstreams.test_failed, "red", "green"),
                size="1",
            ),
        ),
        rx.cond(
            length(Upstreams.tested_keys) > 0,
            rx.el.ul(
                each(Upstreams.tested_keys, _tested_key),
                aria_label="By key",
                margin_top="var(--space-2)",
                padding_left="var(--space-4)",
            ),
        ),
        role="status",
        id="upstream-tested",
    )


def _tested_key(key: TestedKey) -> rx.Component:
    return rx.el.li(
        rx.text(
            rx.text.strong(key.name),
            ": ",
            rx.text.span(key.text, color_scheme=pick(key.works, "green", "red")),
            size="2",
            overflow_wrap="anywhere",
        )
    )


def _acts() -> rx.Component:
    name = Upstreams.opened
    return rx.flex(
        rx.button(
            pick(Upstreams.testing, "Testing…", "Test"),
            on_click=Upstreams.test(name),
            disabled=Upstreams.testing,
            variant="soft",
        ),
        rx.cond(
            _about.own,
            rx.fragment(
                rx.button("Edit", on_click=Upstreams.ask_edit(name), variant="soft"),
                rx.cond(
                    _about.active,
                    _stop(),
                    rx.button("Enable", on_click=Upstreams.enable(name), variant="soft"),
                ),
                _retire(),
            ),
        ),
        spacing="3",
        wrap="wrap",
    )


def _stop() -> rx.Component:
    name = Upstreams.opened
    return confirmation(
        rx.button("Disable", variant="soft", color_scheme="gray"),
        "Disable " + name + "?",
        "It takes no more calls until you enable it; calls under way end as they would. "
        + _about.warning,
        rx.button("Disable it", color_scheme="red", on_click=Upstreams.disable(name)),
    )


def _retire() -> rx.Component:
    name = Upstreams.opened
    return confirmation(
        rx.button("Retire", variant="soft", color_scheme="red"),
        "Retire " + name + "?",
        "It takes no calls ever again, and its keys are destroyed. It stays in the list, since "
        "usage names it. " + _about.warning,
        rx.button("Retire it", color_scheme="red", on_click=Upstreams.retire(name)),
    )
