"""A question's pictures: where they are attached, and how they are shown."""

from __future__ import annotations

import reflex as rx

from portal.features.playground.pictures.pictures import MOST_BYTES, MOST_PICTURES
from portal.features.playground.rows import ImageRow
from portal.features.playground.state import Playground
from portal.kit.blocks import form_error
from portal.kit.icon import icon
from portal.kit.plain import plain_link
from portal.kit.vars import each, length, negated, pick


def _uploaded(picture_id: rx.Var[str], name: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (picture_id, name)


class PictureInput(rx.Component):
    """A button for pictures, which may be pasted into its form and dropped around it too.

    They are uploaded at once; ``on_attach`` gets the id and the name of each.
    """

    library = "$/public/pictures.js"
    tag = "PictureInput"
    lib_dependencies: list[str] = ["@radix-ui/themes@3.3.0"]

    attached: rx.Var[int]
    most: rx.Var[int]
    most_bytes: rx.Var[int]
    disabled: rx.Var[bool]
    # Reflex reads the arguments from a function in a type's place, which the checker can't
    on_attach: rx.EventHandler[_uploaded]  # type: ignore[type-arg, valid-type]


def picture_button() -> rx.Component:
    """Attaches pictures to the question that is being written."""
    return PictureInput.create(
        icon("image-plus", size=16),
        attached=length(Playground.attached),
        most=MOST_PICTURES,
        most_bytes=MOST_BYTES,
        disabled=negated(Playground.develops),
        on_attach=Playground.attach,
    )


def attached() -> rx.Component:
    """The pictures that go with the question; outside its form, which Enter would send."""
    return rx.box(
        form_error(Playground.picture_problem),
        rx.cond(
            length(Playground.attached) > 0,
            rx.fragment(
                rx.el.ul(
                    each(Playground.attached, _attached),
                    class_name="fb-attached",
                    aria_label="Attached pictures",
                ),
                rx.text(
                    "Not every model takes pictures: its answer says so. The description is kept "
                    "for readers, and not sent to the model.",
                    size="1",
                    color_scheme="gray",
                ),
            ),
        ),
        class_name="fb-attachments",
    )


def _attached(image: ImageRow) -> rx.Component:
    return rx.el.li(
        thumbnail(image),
        rx.el.input(
            default_value=image.alt,
            on_blur=Playground.describe(image.src),
            placeholder="Describe it",
            aria_label="Description of " + image.name + ", for who can’t see it",
            max_length=300,
            auto_complete="off",
            class_name="fb-plain-field",
        ),
        rx.icon_button(
            icon("x", size=14),
            type="button",
            on_click=Playground.detach(image.src),
            variant="ghost",
            color_scheme="gray",
            size="1",
            aria_label="Remove " + image.name,
            title="Remove",
        ),
        key=image.src,
    )


def thumbnails(images: list[ImageRow]) -> rx.Component:
    """A question's pictures; nothing without."""
    return rx.cond(
        length(images) > 0,
        rx.flex(
            each(images, thumbnail),
            spacing="2",
            wrap="wrap",
            margin_top="var(--space-2)",
        ),
    )


def thumbnail(image: ImageRow) -> rx.Component:
    """A picture, small, which opens large in a tab of its own; its name where it is not held."""
    shown_as = pick(image.alt != "", image.alt, image.name)
    return rx.cond(
        image.src != "",
        plain_link(
            rx.el.img(src=image.src, alt=shown_as),
            href=image.src,
            target="_blank",
            rel="noopener",
            title=image.name,
            class_name="fb-thumbnail",
        ),
        rx.badge(
            icon("image-off", size=12),
            shown_as,
            color_scheme="gray",
            title=image.name + " is not here: it was too large to be kept, or is no upload",
        ),
    )
