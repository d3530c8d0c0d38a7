"""What is compared: numbers to write, or to draw by sliders."""

from __future__ import annotations

import reflex as rx

from portal.features.compare.state import Compare, Share
from portal.features.compare.workload import (
    MOST_CHATS,
    MOST_GROWTH,
    MOST_MONTHS,
    MOST_PAST,
    MOST_SEATS,
    MOST_SHARE,
    MOST_TOKENS,
    STEPS,
)
from portal.kit.blocks import card
from portal.kit.fields import SLIDING_MS, slider
from portal.kit.tables import remark
from portal.kit.vars import as_text, each, length


def form() -> rx.Component:
    """The workload or the past, whichever is chosen."""
    return card(
        rx.flex(
            rx.segmented_control.root(
                rx.segmented_control.item("A workload", value="workload"),
                rx.segmented_control.item("My past", value="past"),
                value=Compare.basis,
                on_change=Compare.choose_basis,
                aria_label="What to compare by",
                width="100%",
            ),
            rx.cond(Compare.basis == "workload", _workload(), _past()),
            _number("Seats", "seats", Compare.seats, least=0, most=MOST_SEATS),
            direction="column",
            spacing="4",
        ),
    )


def _workload() -> rx.Component:
    return rx.flex(
        _quantity("Chats a day", "chats", Compare.chats, Compare.chats_step, most=MOST_CHATS),
        _quantity(
            "Input tokens a chat",
            "tokens_in",
            Compare.tokens_in,
            Compare.input_step,
            most=MOST_TOKENS,
        ),
        _quantity(
            "Output tokens a chat",
            "tokens_out",
            Compare.tokens_out,
            Compare.output_step,
            most=MOST_TOKENS,
        ),
        slider(
            "Cached part of the input",
            Compare.cached,
            Compare.slide("cached").debounce(SLIDING_MS),
            low=0,
            high=100,
            step=5,
            id_="cached",
            suffix="%",
            version=Compare.typed,
        ),
        rx.cond(
            length(Compare.mix) > 1,
            rx.el.fieldset(
                rx.el.legend(rx.text("Models", size="2", weight="medium")),
                each(Compare.mix, _share),
                rx.cond(
                    Compare.more_models > 0,
                    remark(Compare.more_models, " more models are not in this comparison."),
                ),
                class_name="fb-fieldset",
            ),
        ),
        slider(
            "Growth a month",
            Compare.growth,
            Compare.slide("growth").debounce(SLIDING_MS),
            low=-50,
            high=MOST_GROWTH,
            step=5,
            id_="growth",
            suffix="%",
            version=Compare.typed,
        ),
        slider(
            "Months to come",
            Compare.months,
            Compare.slide("months").debounce(SLIDING_MS),
            low=1,
            high=MOST_MONTHS,
            step=1,
            id_="months",
            version=Compare.typed,
        ),
        direction="column",
        spacing="4",
    )


def _past() -> rx.Component:
    return slider(
        "Months that are over",
        Compare.past,
        Compare.slide("past").debounce(SLIDING_MS),
        low=1,
        high=MOST_PAST,
        step=1,
        id_="past",
        version=Compare.typed,
    )


def _share(part: Share) -> rx.Component:
    return slider(
        part.name,
        part.share,
        Compare.share(part.model).debounce(SLIDING_MS),
        low=0,
        high=MOST_SHARE,
        step=5,
        id_="share-" + part.model,
        shown=part.percent,
        version=Compare.typed,
    )


def _number(label: str, field: str, value: int, *, least: int, most: int) -> rx.Component:
    return rx.box(
        rx.el.label(
            rx.text(label, size="2", weight="medium", margin_bottom="var(--space-1)"),
            html_for=field,
        ),
        _written(field, value, least=least, most=most),
    )


def _written(field: str, value: int, *, least: int, most: int) -> rx.Component:
    return rx.input(
        type="number",
        id=field,
        default_value=as_text(value),
        key=f"{field}-" + as_text(Compare.slid),
        min=least,
        max=most,
        input_mode="numeric",
        # Not debounced: that goes by handler, and the next field's number would drop this one's
        on_change=Compare.write(field),
    )


def _quantity(label: str, field: str, value: int, step: int, *, most: int) -> rx.Component:
    """A quantity by a slider over magnitudes, and to the unit by its field."""
    return rx.box(
        _number(label, field, value, least=0, most=most),
        rx.el.input(
            type="range",
            aria_label=f"{label}, by magnitude",
            custom_attrs={"aria-valuetext": as_text(value)},
            default_value=as_text(step),
            key=f"{field}-slider-" + as_text(Compare.typed),
            min=0,
            max=len(STEPS) - 1,
            step=1,
            on_change=Compare.slide_to_step(field).debounce(SLIDING_MS),
            class_name="fb-range",
        ),
    )
