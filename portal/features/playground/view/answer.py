"""An answer beside its question: its text, what it took, what it asks for."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.playground.rows import AnswerRow, CallRow, TurnRow
from portal.features.playground.state import Playground
from portal.features.playground.view.drawn_text import live_answer
from portal.kit.blocks import code
from portal.kit.copy_button import copy_button
from portal.kit.icon import icon
from portal.kit.vars import each, negated, pick


def answer_view(turn: TurnRow, answer: AnswerRow) -> rx.Component:
    """An answer, with what it took and what can be done with it."""
    return rx.box(
        rx.flex(
            rx.text(answer.name, size="1", weight="medium", color_scheme="gray"),
            rx.cond(
                answer.state != "",
                rx.badge(
                    answer.state,
                    color_scheme=pick(answer.problem != "", "red", "orange"),
                    size="1",
                ),
            ),
            align="center",
            spacing="2",
            min_height="24px",
        ),
        live_answer(text=answer.text, ticket=answer.ticket, price=answer.price),
        each(answer.calls, _call),
        rx.cond(answer.problem != "", _failure(answer)),
        rx.cond(answer.ticket == "", _after(turn, answer)),
        class_name="fb-answer",
        key=answer.key,
    )


def _after(turn: TurnRow, answer: AnswerRow) -> rx.Component:
    """What the answer took, and what can be done with it."""
    return rx.flex(
        rx.box(
            _measure("in", answer.tokens_in, "Input tokens", suffix=" in"),
            _measure("out", answer.tokens_out, "Output tokens", suffix=" out"),
            _measure("first", answer.first, "Time to the first token", suffix=" to first"),
            _measure("took", answer.took, "Time to the end"),
            _measure("speed", answer.speed, "Tokens a second after the first"),
            _measure("cost", answer.cost, "Cost at your plan’s price, before included units"),
            class_name="fb-measures",
        ),
        rx.spacer(),
        rx.flex(
            rx.cond(
                answer.text != "",
                copy_button(text=answer.text, variant="ghost", size="1", color="gray"),
            ),
            rx.cond(
                Playground.develops & negated(Playground.busy),
                rx.fragment(
                    rx.cond(
                        answer.text != "",
                        act(
                            "blocks",
                            "Show the tokens",
                            Playground.show_pieces(turn.id, answer.model),
                        ),
                    ),
                    act("refresh-cw", "Regenerate", Playground.regenerate(turn.id)),
                ),
            ),
            align="center",
            spacing="3",
        ),
        align="center",
        wrap="wrap",
        spacing="2",
    )


def _measure(called: str, value: str, about: str, *, suffix: str = "") -> rx.Component:
    return rx.cond(
        value != "",
        rx.el.span(
            rx.el.span(value, custom_attrs={"data-measure": called}),
            suffix,
            title=about,
        ),
    )


def _call(call: CallRow) -> rx.Component:
    return rx.box(
        rx.text(
            "Calls ",
            rx.code(call.name, variant="ghost"),
            size="2",
            weight="medium",
            margin_bottom="var(--space-1)",
        ),
        code(call.arguments, label="Arguments of the call"),
        margin_top="var(--space-3)",
    )


def return_form(turn: TurnRow) -> rx.Component:
    """A field for what each function returned, and the way to go on with it."""
    return rx.form(
        each(
            turn.answers,
            lambda answer: each(
                answer.calls,
                lambda call: rx.box(
                    rx.el.label(
                        rx.text("What ", call.name, " returned", size="2", weight="medium"),
                        html_for=call.id,
                    ),
                    rx.text_area(
                        id=call.id, name=call.id, rows="2", placeholder='{"temperature": 21}'
                    ),
                    margin_top="var(--space-3)",
                ),
            ),
        ),
        rx.button("Go on", type="submit", size="2", margin_top="var(--space-3)"),
        on_submit=Playground.return_results,
    )


def _failure(answer: AnswerRow) -> rx.Component:
    return rx.callout.root(
        rx.callout.icon(icon("circle-alert", size=16)),
        rx.callout.text(
            answer.problem,
            " ",
            answer.advice,
            rx.cond(
                answer.advice_page != "",
                rx.fragment(" ", rx.link(answer.advice_page, href=answer.advice_link)),
            ),
        ),
        color_scheme="red",
        size="1",
        margin_top="var(--space-2)",
        role="alert",
    )


def act(symbol: str, label: str, on_click: EventType[()]) -> rx.Component:
    """A small button that says what it does when it is pointed at."""
    return rx.icon_button(
        icon(symbol, size=14),
        on_click=on_click,
        variant="ghost",
        color_scheme="gray",
        size="1",
        aria_label=label,
        title=label,
    )
