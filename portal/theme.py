"""The look: Radix Themes' tokens, one accent, one type scale."""

from __future__ import annotations

import reflex as rx

THEME = rx.theme(
    accent_color="indigo", gray_color="slate", radius="medium", scaling="100%", has_background=True
)
