"""Lets one build of the pages be served from any host and port.

Reflex writes the server's address into the pages when they are built. The pages and the
websocket of this portal always share an origin, so the browser can fill it in.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Unpack

import reflex as rx
from reflex_base.plugins.base import PostBuildContext


class SameOriginPlugin(rx.plugins.Plugin):
    """Replaces the placeholder address in the built scripts by the page's own origin."""

    PLACEHOLDER: ClassVar = "http://same-origin.invalid"

    def post_build(self, **context: Unpack[PostBuildContext]) -> None:
        """Rewrite the scripts that name the placeholder.

        Raises:
            RuntimeError: the websocket's address was in no script, so that no page would work;
                the bundler's output has changed its form.
        """
        rewritten = [use_page_origin(script) for script in context["static_dir"].rglob("*.js")]
        if not any(rewritten):
            raise RuntimeError("The built pages don't contain the server's placeholder address.")


def use_page_origin(script: Path) -> bool:
    """Rewrite one script in place. Tell whether it named the placeholder's websocket."""
    text = script.read_text(encoding="utf-8")
    replaced = text
    for scheme, origin in (
        ("ws", 'location.origin.replace("http","ws")'),
        ("http", "location.origin"),
    ):
        placeholder = SameOriginPlugin.PLACEHOLDER.replace("http", scheme, 1)
        for quote in ('"', "'", "`"):
            replaced = replaced.replace(f"{quote}{placeholder}", f"{origin}+{quote}")
    if replaced != text:
        script.write_text(replaced, encoding="utf-8")
    return 'replace("http","ws")+' in replaced and "_event" in replaced
