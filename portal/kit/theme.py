"""The look: Radix Themes' tokens, one accent, one typeface. ``assets/portal.css`` has the rest."""

from __future__ import annotations

from collections.abc import Sequence

import reflex as rx

THEME = rx.theme(
    accent_color="indigo",
    gray_color="slate",
    radius="medium",
    scaling="100%",
    has_background=True,
    # The other choice blurs what is behind each card, 64 pixels wide, in every frame: without a
    # graphics card, three frames a second. Behind our cards is one color.
    panel_background="solid",
)


class Typeface(rx.plugins.Plugin):
    """Geist, for text and for code, served from here: no page asks another host for a font."""

    def get_frontend_dependencies(self, **context: object) -> tuple[str, ...]:
        """The packages that carry the fonts."""
        return ("@fontsource-variable/geist@5.3.0", "@fontsource-variable/geist-mono@5.3.0")

    def get_stylesheet_paths(self, **context: object) -> Sequence[str]:
        """Their style sheets."""
        return ("@fontsource-variable/geist/index.css", "@fontsource-variable/geist-mono/index.css")
