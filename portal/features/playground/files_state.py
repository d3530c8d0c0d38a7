"""The conversation as code, and as files."""

from __future__ import annotations

import json
from dataclasses import replace

import reflex as rx

from portal.features.playground.calls.model_call import as_markdown, request_body
from portal.features.playground.calls.parameters import to_content as parameters_content
from portal.features.playground.code import compiled_samples, samples
from portal.features.playground.conversation.content import to_content
from portal.features.playground.conversation.transcript import Image, title_of
from portal.features.playground.pictures.pictures import is_held, with_images
from portal.features.playground.settings_state import SettingsState
from portal.session.guard import Caller, NextEvents, signed_in


def _named(image: Image) -> Image:
    """An image by its name: a file of its own, which the person has, and not a part of this one."""
    return replace(image, url="") if is_held(image.url) else image


class FilesState(SettingsState, mixin=True):
    """Samples are made when their dialog opens: each has the whole conversation in it."""

    showing_code: bool = False
    as_curl: str = ""
    as_python: str = ""
    as_javascript: str = ""
    as_go: str = ""
    as_java: str = ""

    @signed_in()
    async def show_code(self, caller: Caller, shown: bool) -> None:
        """Show the next request as code, or put it away."""
        self.showing_code = shown and bool(self.chosen) and self._check()
        if not self.showing_code:
            self.as_curl = self.as_python = self.as_javascript = self.as_go = self.as_java = ""
            return
        body = request_body(self._turns, self._catalog[self.chosen[0]], self.parameters)
        request = samples.shown_request(self.api_url, body)
        self.as_curl = samples.curl(request)
        self.as_python = samples.python(request)
        self.as_javascript = samples.javascript(request)
        self.as_go = compiled_samples.go(request)
        self.as_java = compiled_samples.java(request)

    @signed_in()
    async def export(self, caller: Caller, kind: str) -> NextEvents:
        """Download the conversation as Markdown, or as JSON with its parameters."""
        if not self._turns:
            return None
        title = title_of(self._turns)
        if kind == "markdown":
            return rx.download(data=as_markdown(self._turns, title), filename="conversation.md")
        content = {
            "title": title,
            "models": self.chosen,
            "parameters": parameters_content(self.parameters),
            "turns": to_content(with_images(self._turns, _named)),
        }
        text = json.dumps(content, indent=2, ensure_ascii=False)
        return rx.download(data=text, filename="conversation.json")
