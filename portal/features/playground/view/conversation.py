"""The conversation: questions, the answers beside one another, and what can be done with each."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.rows import ResultRow, TurnRow
from portal.features.playground.state import Playground
from portal.features.playground.view.answer import act, answer_view, return_form
from portal.features.playground.view.pictures import thumbnails
from portal.kit.blocks import code, empty
from portal.kit.vars import each, length, negated, pick

SUGGESTIONS = (
    "Why is the sky blue?",
    "Explain a token in one sentence.",
    "Write a haiku about rain.",
)


def conversation() -> rx.Component:
    """All turns, the newest at the end and in view."""
    return rx.auto_scroll(
        rx.cond(
            length(Playground.turns) > 0,
            rx.flex(
                each(Playground.turns, _turn),
                _totals(),
                direction="column",
                class_name="fb-turns",
            ),
            empty(
                "message-square-text",
                "Ask the model something",
                "Answers stream in, with their tokens, times and cost. Put up to four models "
                "beside one another to compare them on one question.",
                *[_suggestion(question) for question in SUGGESTIONS],
                min_height="100%",
            ),
        ),
        class_name="fb-conversation",
        tab_index=0,
        role="log",
        aria_label="Conversation",
    )


def _suggestion(question: str) -> rx.Component:
    return rx.button(
        question,
        on_click=Playground.ask({"question": question}),
        variant="soft",
        color_scheme="gray",
        size="2",
        disabled=negated(Playground.develops),
    )


def _turn(turn: TurnRow) -> rx.Component:
    return rx.box(
        rx.cond(
            length(turn.results) > 0,
            each(turn.results, _result),
            rx.cond(Playground.editing == turn.id, _editor(turn), _question(turn)),
        ),
        rx.box(
            each(turn.answers, lambda answer: answer_view(turn, answer)),
            class_name=pick(length(turn.answers) > 1, "fb-answers fb-beside", "fb-answers"),
        ),
        rx.cond(
            turn.last & (Playground.calls_open > 0),
            return_form(turn),
        ),
        class_name="fb-turn",
        custom_attrs={"data-turn": turn.id},
        key=turn.id,
    )


def _question(turn: TurnRow) -> rx.Component:
    return rx.box(
        rx.flex(
            rx.text("You", size="1", weight="medium", color_scheme="gray"),
            rx.spacer(),
            rx.cond(
                Playground.develops & negated(Playground.busy),
                rx.flex(
                    act("blocks", "Show the tokens", Playground.show_pieces(turn.id, "")),
                    act("pencil", "Edit", Playground.edit(turn.id)),
                    act("git-branch", "Branch from here", Playground.branch(turn.id)),
                    act("trash-2", "Delete", Playground.delete(turn.id)),
                    class_name="fb-acts",
                ),
            ),
            align="center",
            min_height="24px",
        ),
        rx.text(turn.question, as_="div", size="3", class_name="fb-asked"),
        thumbnails(turn.images),
        class_name="fb-question",
    )


def _editor(turn: TurnRow) -> rx.Component:
    return rx.form(
        rx.text_area(
            name="edited",
            default_value=turn.question,
            aria_label="The question, edited",
            rows="3",
            auto_focus=True,
        ),
        thumbnails(turn.images),
        rx.flex(
            rx.text("What came after it goes.", size="1", color_scheme="gray"),
            rx.spacer(),
            rx.button(
                "Cancel",
                type="button",
                on_click=Playground.edit(""),
                variant="soft",
                color_scheme="gray",
                size="1",
            ),
            rx.button("Ask again", type="submit", size="1"),
            spacing="3",
            align="center",
            margin_top="var(--space-2)",
        ),
        on_submit=Playground.ask_edited,
        class_name="fb-question",
    )


def _result(result: ResultRow) -> rx.Component:
    return rx.box(
        rx.text("Result of ", result.name, size="1", weight="medium", color_scheme="gray"),
        code(result.content, label="Result of a function"),
        class_name="fb-question",
    )


def _totals() -> rx.Component:
    return rx.cond(
        Playground.totals.answers > 1,
        rx.text(
            "This conversation: ",
            Playground.totals.tokens,
            " tokens",
            pick(Playground.totals.cost != "", " · " + Playground.totals.cost, ""),
            size="1",
            color_scheme="gray",
            align="right",
        ),
    )
