"""An answer drawn in the browser: Markdown, as it comes in and when it is whole."""

from __future__ import annotations

import reflex as rx


class LiveAnswer(rx.NoSSRComponent):
    """Markdown without HTML of its own, and code with a button that copies it.

    With a ``ticket`` the browser reads the text as it comes, and counts its cost along by
    ``price``, that of a token; else it is ``text``.
    """

    library = "$/public/answer.js"
    tag = "Answer"
    lib_dependencies: list[str] = [
        "react-markdown@10.1.0",
        "remark-gfm@4.0.1",
        "@radix-ui/themes@3.3.0",
    ]

    text: rx.Var[str]
    ticket: rx.Var[str]
    price: rx.Var[str]


class TokenText(rx.NoSSRComponent):
    """A text whose tokens are ``pieces``, each on a ground of its own."""

    library = "$/public/answer.js"
    tag = "TokenText"
    lib_dependencies = LiveAnswer.lib_dependencies

    pieces: rx.Var[list[str]]


live_answer = LiveAnswer.create
token_text = TokenText.create
