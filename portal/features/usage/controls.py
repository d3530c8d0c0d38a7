"""What is chosen on the usage page: the measure, the time, what it is divided by, filters."""

from __future__ import annotations

import reflex as rx
from reflex.event import EventType

from portal.features.usage.choices import RANGES, SHOWN, STATUSES
from portal.features.usage.filters_state import ANY, METERS
from portal.features.usage.state import Usage
from portal.kit.choice import Choice
from portal.kit.fields import choice, text_field
from portal.kit.icon import icon
from portal.kit.vars import as_text, each, length, negated, pick


def controls() -> rx.Component:
    """All controls, above the chart."""
    return rx.flex(_measure(), _time(), _between(), _filters(), direction="column", spacing="3")


def _measure() -> rx.Component:
    return rx.flex(
        rx.box(
            rx.segmented_control.root(
                *[rx.segmented_control.item(name, value=key) for key, name in SHOWN.items()],
                value=Usage.show,
                on_change=Usage.choose_show,
                aria_label="What to measure",
                min_width="max-content",
            ),
            class_name="fb-tabs",
        ),
        # A phone shows half of the measures: there all are in a list
        rx.box(
            choice(
                "Measure",
                Usage.show,
                Usage.choose_show,
                *[rx.select.item(name, value=key) for key, name in SHOWN.items()],
            ),
            class_name="fb-tab-choice",
            width="100%",
        ),
        rx.spacer(),
        rx.cond(
            Usage.last_event != "",
            rx.flex(
                rx.box(class_name=pick(Usage.problem == "", "fb-live", "fb-still")),
                rx.text(Usage.last_event, size="1", color_scheme="gray"),
                align="center",
                spacing="2",
            ),
        ),
        spacing="3",
        wrap="wrap",
        align="center",
    )


def _time() -> rx.Component:
    return rx.flex(
        choice(
            "Range",
            Usage.chosen,
            Usage.choose_range,
            *[rx.select.item(name, value=key) for key, name in RANGES.items()],
            width="auto",
        ),
        _list("Bar width", Usage.width, Usage.choose_width, Usage.widths),
        _list("Time zone", Usage.zone, Usage.choose_filter("zone"), Usage.zones),
        _list("Split by", Usage.split, Usage.choose_split, Usage.splits),
        rx.cond(
            length(Usage.further_splits) > 0,
            choice(
                "Then by",
                Usage.then,
                Usage.choose_filter("then"),
                rx.select.item("No second split", value=ANY),
                each(Usage.further_splits, lambda item: rx.select.item(item.name, value=item.id)),
                width="auto",
            ),
        ),
        spacing="3",
        wrap="wrap",
        align="center",
    )


def _between() -> rx.Component:
    """A calendar for each end of the time."""
    return rx.cond(
        Usage.chosen == "between",
        rx.form(
            rx.flex(
                _moment("since", "From", Usage.since, problem=""),
                _moment("until", "To", Usage.until, problem=Usage.times_problem),
                rx.button(icon("search", size=16), "Show", type="submit", variant="soft"),
                spacing="3",
                wrap="wrap",
                align="end",
            ),
            on_submit=Usage.choose_times,
            role="search",
            aria_label="Between two times",
        ),
    )


def _moment(name: str, label: str, value: str, *, problem: str) -> rx.Component:
    return text_field(
        label,
        name,
        of="usage",
        problem=problem,
        value=value,
        version=Usage.cleared,
        type="datetime-local",
        step="900",
    )


def _filters() -> rx.Component:
    return rx.flex(
        _only("application", "Application", "Any application", Usage.applications),
        _only("key", "API key", "Any key", Usage.keys),
        _only("model", "Model", "Any model", Usage.models),
        rx.cond(
            (Usage.show == "tokens") | (Usage.show == "cost"),
            choice(
                "Meter",
                Usage.meter,
                Usage.choose_filter("meter"),
                rx.select.item(pick(Usage.show == "tokens", "All tokens", "Any meter"), value=ANY),
                *[rx.select.item(meter.name, value=meter.id) for meter in METERS],
                width="auto",
            ),
        ),
        rx.cond(
            Usage.takes_status,
            choice(
                "Status",
                Usage.status,
                Usage.choose_filter("status"),
                rx.select.item("Any status", value=ANY),
                *[rx.select.item(name, value=key) for key, name in STATUSES.items()],
                width="auto",
                # There from the start, so that nothing moves when the labels are known
                disabled=negated(Usage.has_status),
            ),
        ),
        rx.cond(Usage.takes_labels, _label()),
        rx.cond(
            Usage.filtered,
            rx.button(
                icon("x", size=14),
                "Clear filters",
                on_click=Usage.clear_filters,
                variant="ghost",
                color_scheme="gray",
            ),
        ),
        rx.text(
            Usage.filters_note,
            size="1",
            color_scheme="gray",
            id="usage-filters-note",
            width="100%",
            min_height="var(--line-height-1)",
        ),
        spacing="3",
        wrap="wrap",
        align="center",
        role="search",
        aria_label="Filters",
    )


def _label() -> rx.Component:
    return rx.box(
        rx.input(
            aria_label="Label",
            aria_describedby="usage-label-problem",
            placeholder="Label: team=search",
            default_value=Usage.label,
            key="label-" + as_text(Usage.cleared),
            on_blur=Usage.choose_label,
            max_length=200,
            auto_complete="off",
            width="12rem",
            disabled=length(Usage.declared) == 0,
        ),
        rx.text(Usage.label_problem, size="1", color_scheme="red", id="usage-label-problem"),
    )


def _list(label: str, value: str, choose: EventType[()], offered: list[Choice]) -> rx.Component:
    return choice(
        label,
        value,
        choose,
        each(offered, lambda item: rx.select.item(item.name, value=item.id)),
        width="auto",
    )


def _only(field: str, label: str, everything: str, offered: list[Choice]) -> rx.Component:
    return choice(
        label,
        getattr(Usage, field),
        Usage.choose_filter(field),
        rx.select.item(everything, value=ANY),
        each(offered, lambda item: rx.select.item(item.name, value=item.id)),
        width="auto",
    )
