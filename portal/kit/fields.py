"""Fields of forms: a label, the control, and what is wrong with what was written in it."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from portal.kit.icon import icon
from portal.kit.vars import as_text, negated

SLIDING_MS = 100
"""How long a slider stands still before its value is taken."""
SCROLLING: dict[str, Any] = {"position": "popper", "max_height": "18rem"}


def field(
    label: str,
    control: rx.Component,
    *,
    html_for: str = "",
    problem: str | None = None,
    note: str = "",
) -> rx.Component:
    """A control under its label. A ``problem`` is read out as soon as it is there.

    The control names ``{html_for}-note`` and ``{html_for}-problem`` as what describes it.
    """
    return rx.box(
        rx.el.label(
            rx.text(label, size="2", weight="medium", margin_bottom="4px"),
            html_for=html_for or None,
        ),
        control,
        rx.cond(
            note != "",
            rx.text(
                note,
                size="1",
                color_scheme="gray",
                margin_top="4px",
                id=f"{html_for}-note" if html_for else None,
            ),
        ),
        rx.fragment()
        if problem is None
        else rx.box(
            rx.cond(problem != "", rx.text(problem, size="1", color_scheme="red")),
            id=f"{html_for}-problem",
            role="alert",
            margin_top="2px",
        ),
        min_width="0",
    )


def text_field(
    label: str,
    name: str,
    *inside: rx.Component,
    of: str,
    lines: int = 1,
    problem: str | None = None,
    note: str = "",
    value: str | None = None,
    version: int | None = None,
    **props: Any,
) -> rx.Component:
    """A line to write in, or some ``lines``. ``of`` is what the ids of its form begin with.

    ``value`` stands in it first, and again whenever ``version`` has changed. The ``props`` are the
    control's.
    """
    called = f"{of}-{name}"
    props = {"name": name, "id": called, **_description_of(called, problem, note), **props}
    if value is not None:
        props["default_value"] = value
    if version is not None:
        props["key"] = f"{name}-" + as_text(version)
    control: rx.Component
    if lines > 1:
        control = rx.text_area(rows=str(lines), **props)
    else:
        control = rx.input(*inside, **{"max_length": 200, "auto_complete": "off", **props})
    return field(label, control, html_for=called, problem=problem, note=note)


def _description_of(called: str, problem: str | None, note: str = "") -> dict[str, Any]:
    """What a control says of itself, besides its label, to those who don't see its field."""
    ids = [f"{called}-note"] if note else []
    wrong: dict[str, Any] = {}
    if problem is not None:
        ids.append(f"{called}-problem")
        wrong["aria_invalid"] = problem != ""
    return {**wrong, "aria_describedby": " ".join(ids)} if ids else {}


def labeled(label: str, box: rx.Component, **props: Any) -> rx.Component:
    """A switch or a tick box with what it means beside it.

    Its name is on it too: it is a button, and not every screen reader takes a button's name from
    a label around it.
    """
    box.custom_attrs.setdefault("aria-label", label)
    return rx.text(rx.flex(box, label, spacing="2", align="center"), as_="label", size="2", **props)


def select_field(
    label: str,
    name: str,
    value: str,
    *items: rx.Component,
    of: str,
    problem: str | None = None,
    long: bool = False,
    **props: Any,
) -> rx.Component:
    """A list to choose from in a form, with ``value`` chosen first; a ``long`` one scrolls."""
    called = f"{of}-{name}"
    return field(
        label,
        rx.select.root(
            rx.select.trigger(
                id=called,
                width="100%",
                **_description_of(called, problem),
            ),
            rx.select.content(*items, **(SCROLLING if long else {})),
            name=name,
            default_value=value,
            **props,
        ),
        html_for=called,
        problem=problem,
    )


def choice(
    label: str,
    value: str,
    choose: EventType[()],
    *items: rx.Component,
    width: str = "100%",
    disabled: bool = False,
) -> rx.Component:
    """A list to choose from, named for those who don't see what stands in it."""
    return rx.select.root(
        rx.select.trigger(aria_label=label, width=width),
        rx.select.content(*items),
        value=value,
        on_change=choose,
        disabled=disabled,
    )


def slider(
    name: str,
    value: float,
    change: EventType[float],
    *,
    low: float,
    high: float,
    step: float,
    id_: str,
    shown: str | None = None,
    suffix: str = "",
    version: int | None = None,
) -> rx.Component:
    """A range as browsers have it: Radix's slider has no name for a screen reader.

    ``value`` stands beside the name with its ``suffix``, or ``shown`` in its place. The slider is
    set to ``value`` again whenever ``version`` has changed.
    """
    called = id_ + "-slider"
    keyed: dict[str, Any] = {} if version is None else {"key": called + as_text(version)}
    return rx.box(
        rx.flex(
            rx.el.label(rx.text(name, size="2", weight="medium"), html_for=called),
            rx.text(
                as_text(value) + suffix if shown is None else shown,
                size="2",
                color_scheme="gray",
                id=id_,
            ),
            justify="between",
            margin_bottom="var(--space-1)",
        ),
        rx.el.input(
            type="range",
            id=called,
            default_value=as_text(value),
            min=low,
            max=high,
            step=step,
            on_change=change,
            class_name="fb-range",
            **keyed,
        ),
    )


def pager(
    number: int,
    older: bool,
    show_newer: EventType[()],
    show_older: EventType[()],
    *,
    back: str = "Newer",
    forth: str = "Older",
) -> rx.Component:
    """The way through a list that comes page by page, newest first unless it is said otherwise."""
    return rx.cond(
        older | (number > 1),
        rx.el.nav(
            rx.flex(
                rx.button(
                    icon("chevron-left", size=16),
                    back,
                    on_click=show_newer,
                    disabled=number <= 1,
                    variant="soft",
                    color_scheme="gray",
                ),
                rx.text("Page ", number, size="2", color_scheme="gray"),
                rx.button(
                    forth,
                    icon("chevron-right", size=16),
                    on_click=show_older,
                    disabled=negated(older),
                    variant="soft",
                    color_scheme="gray",
                ),
                justify="between",
                align="center",
                margin_top="var(--space-4)",
            ),
            aria_label="Pages of the list",
        ),
    )
