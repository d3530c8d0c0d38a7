"""What every page's state has: whether it is loading, shows its content, or has failed."""

from __future__ import annotations

import reflex as rx

LOADING, READY, FAILED = "loading", "ready", "failed"


class PageState(rx.State, mixin=True):
    """``problem`` is a sentence for the person; shown in place of what could not be loaded, or
    above what was loaded before."""

    phase: str = LOADING
    problem: str = ""

    def _fail(self, why: str) -> None:
        """Show ``why``; keep what is on the page already."""
        self.problem = why
        if self.phase == LOADING:
            self.phase = FAILED

    def _ready(self) -> None:
        """Show the page's content."""
        self.problem = ""
        self.phase = READY
