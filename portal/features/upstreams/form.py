"""The form that adds or changes an upstream. What few need is folded away."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.event import EventType

from portal.features.upstreams.rows import KINDS
from portal.features.upstreams.state import Upstreams
from portal.kit.blocks import dialog_lead, form_error
from portal.kit.dialogs import dialog, dialog_buttons
from portal.kit.fields import labeled, select_field, text_field
from portal.kit.tick_box import tick_box

_TWO = rx.breakpoints(initial="1", xs="2")
_THREE = rx.breakpoints(initial="1", xs="3")
_edited = Upstreams.edited


def upstream_forms() -> rx.Component:
    """Both dialogs; one is open at a time."""
    return rx.fragment(
        _dialog(
            "add",
            "Add an upstream",
            "A model provider: where it is, what it serves, and a key.",
            Upstreams.add,
            "Add upstream",
            _new_keys(),
            _text(
                "name",
                "Name",
                note="Recorded with the usage that it serves; it can’t be changed.",
                max_length=100,
                auto_focus=True,
            ),
        ),
        _dialog(
            "edit",
            "Edit " + _edited.name,
            "Changes hold within two seconds. Calls under way end where they began.",
            Upstreams.save,
            "Save",
            _other_keys(),
        ),
    )


def _dialog(
    called: str,
    title: str,
    lead: str,
    on_submit: EventType[()],
    doing: str,
    keys: rx.Component,
    *first: rx.Component,
) -> rx.Component:
    return dialog(
        title,
        dialog_lead(lead),
        rx.form(
            rx.flex(
                *first,
                *_fields(keys),
                form_error(Upstreams.problems["form"]),
                direction="column",
                spacing="4",
            ),
            dialog_buttons(rx.button(doing, type="submit")),
            no_validate=True,
            on_submit=on_submit,
            margin_top="var(--space-4)",
        ),
        opened=Upstreams.form == called,
        close=Upstreams.close,
        width="40rem",
    )


def _fields(keys: rx.Component) -> tuple[rx.Component, ...]:
    return (
        rx.grid(
            select_field(
                "Kind",
                "kind",
                _edited.kind,
                *[rx.select.item(text, value=kind) for kind, text in KINDS.items()],
                of="upstream",
                problem=Upstreams.problems["kind"],
            ),
            _text(
                "base_url",
                "Address",
                _edited.base_url,
                placeholder="https://api.example.com/v1",
                input_mode="url",
                max_length=2000,
            ),
            columns=_TWO,
            spacing="4",
        ),
        _text(
            "models",
            "Models",
            _edited.models,
            lines=3,
            note="A model a line: the name that customers use. If the provider calls it "
            "otherwise, add = and its name there.",
        ),
        keys,
        rx.grid(
            _number("priority", "Priority", _edited.priority, note="Lower ones are tried first."),
            _number("weight", "Weight", _edited.weight, note="Its share among equals."),
            _number(
                "max_concurrency",
                "Calls at a time",
                _edited.max_concurrency,
                placeholder="No limit",
            ),
            columns=_THREE,
            spacing="4",
        ),
        _timeouts(),
        _rules(),
        _protocols(),
    )


def _timeouts() -> rx.Component:
    return _folded(
        "Timeouts",
        rx.grid(
            _number("connect_seconds", "To connect, s", _edited.connect_seconds),
            _number("first_token_seconds", "First token, s", _edited.first_token_seconds),
            _number("idle_seconds", "Idle, s", _edited.idle_seconds),
            _number("total_seconds", "In all, s", _edited.total_seconds),
            columns=_TWO,
            spacing="4",
        ),
        _tick(
            "stops_when_left",
            "It stops working when the connection is closed",
            _edited.stops_when_left,
        ),
    )


def _rules() -> rx.Component:
    return _folded(
        "Rules: what of a request reaches it",
        _text(
            "allow",
            "Let pass what costs extra",
            _edited.allow,
            placeholder="service_tier, tools.web_search",
        ),
        _text("only", "Let pass nothing but", _edited.only, note="Empty: everything."),
        _text("drop", "Never let pass", _edited.drop),
        _text(
            "force",
            "Always send",
            _edited.force,
            lines=2,
            placeholder='{"temperature": 0}',
            note="A JSON object, whatever the customer sent.",
        ),
        select_field(
            "Limit of an answer",
            "output_limit",
            _edited.output_limit,
            rx.select.item("By the customer’s name of it", value="as_sent"),
            rx.select.item("max_completion_tokens", value="max_completion_tokens"),
            rx.select.item("max_tokens", value="max_tokens"),
            of="upstream",
        ),
        _tick("stream_usage", "Ask for the usage of streams", _edited.stream_usage),
    )


def _protocols() -> rx.Component:
    return _folded(
        "Address and protocols in detail",
        _text("headers", "Headers", _edited.headers, lines=2, note="name: value. No secrets."),
        _text("query", "Query", _edited.query, lines=2, note="Such as api-version: 2024-10-21"),
        _text("paths", "Paths", _edited.paths, lines=2, note="By protocol: chat: talk/{model}"),
        _text("key_header", "Header of the key", _edited.key_header),
        rx.grid(
            _text("aws_region", "Sign for AWS region", _edited.aws_region),
            _text("aws_service", "AWS service", _edited.aws_service, placeholder="bedrock"),
            columns=_TWO,
            spacing="4",
        ),
        rx.text(
            "With a region each key is an access key, written id:secret, or id:secret:token of "
            "a temporary one. It signs calls and is not sent.",
            size="1",
            color_scheme="gray",
        ),
        _text("speaks", "Protocols", _edited.speaks, placeholder="chat, embeddings"),
    )


def _new_keys() -> rx.Component:
    return _keys(
        "A line each, sealed as soon as they are here and shown to nobody again. A line that "
        "begins with FAREBOX_UPSTREAM_KEY_ names a variable of the API’s environment."
    )


def _other_keys() -> rx.Component:
    return rx.box(
        _keys("Those that are kept stay, unless you write others: these take their place."),
        rx.text("Kept: ", _edited.kept_keys, size="1", color_scheme="gray"),
        rx.cond(_edited.kept_keys != "None", _tick("no_keys", "Remove the kept keys", False)),
    )


def _keys(note: str) -> rx.Component:
    # Seen by whoever passes by, else; nothing reads them back
    return _text("keys", "Keys", lines=2, class_name="fb-masked", spell_check=False, note=note)


def _text(name: str, label: str, value: str = "", **props: Any) -> rx.Component:
    return text_field(
        label,
        name,
        of="upstream",
        value=value,
        problem=Upstreams.problems[name],
        **{"max_length": 20_000, **props},
    )


def _number(name: str, label: str, value: str, **props: Any) -> rx.Component:
    return _text(name, label, value, **{"input_mode": "decimal", "max_length": 10, **props})


def _tick(name: str, label: str, on: bool) -> rx.Component:
    return labeled(label, tick_box(name=name, default_checked=on), margin_top="var(--space-2)")


def _folded(title: str, *content: rx.Component) -> rx.Component:
    """Fields that few need, under a line that opens them; they are sent folded too."""
    return rx.el.details(
        rx.el.summary(rx.text(title, as_="span", size="2", weight="medium")),
        rx.flex(*content, direction="column", spacing="4", padding_top="var(--space-3)"),
        class_name="fb-more",
    )
