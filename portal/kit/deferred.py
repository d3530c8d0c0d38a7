"""A part of a page whose script the browser gets when the part is first shown."""

from __future__ import annotations

from collections.abc import Callable

import reflex as rx


def deferred(content: Callable[[], rx.Component]) -> rx.Component:
    """What ``content`` makes, in a script of its own.

    For what a page shows only now and then: a tab's content, where the page is large. The script is
    named by ``content``'s module, so that a module has no other component like it.
    """
    part = rx.memo(content)()
    later = rx.NoSSRComponent.create()
    later.library, later.tag = part.library, part.tag
    return later
