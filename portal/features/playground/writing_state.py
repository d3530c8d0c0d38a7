"""The question that is being written: its pictures, and what it would take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import reflex as rx

from portal.features.playground.calls.cost import draft_line
from portal.features.playground.calls.model_call import Asked, draft_of, request_body
from portal.features.playground.conversation.transcript import Image, Turn, new_turn
from portal.features.playground.pictures.pictures import (
    MOST_BYTES,
    MOST_PICTURES,
    address_of,
    pictures,
    with_images,
)
from portal.features.playground.rows import ImageRow
from portal.features.playground.settings_state import SettingsState
from portal.session.guard import DEVELOPERS, Caller, NextEvents, owner, signed_in

MOST_QUESTION: Final = 200_000
MOST_NAME: Final = 120
MOST_DESCRIPTION: Final = 300


class WritingState(SettingsState, mixin=True):
    """``attached`` are the pictures that go with the question, by their addresses."""

    attached: list[ImageRow] = []
    picture_problem: str = ""
    draft: str = ""

    _written: str = ""

    @signed_in(roles=DEVELOPERS, background=True, supersedes=True)
    async def count(self, caller: Caller, question: str) -> None:
        """Say what a question would take that is being written."""
        question = question[:MOST_QUESTION].strip()
        async with self:
            self._written = question
            if not (question or self.attached) or not self._check():
                self.draft = ""
                return
            turns = [*self._turns, new_turn(question, self.chosen, images=self._images())]
            calls = self._calls(turns, pictures.in_outline(owner(caller.me)))
            longest = self.parameters.max_tokens
        drafts = await asyncio.gather(*(draft_of(caller.client, asked) for asked in calls))
        async with self:
            self.draft = draft_line(drafts, longest)

    @signed_in(roles=DEVELOPERS)
    async def attach(self, caller: Caller, picture_id: str, name: str) -> NextEvents:
        """Let a picture that was uploaded go with the question."""
        whose, src = owner(caller.me), address_of(picture_id)
        self.picture_problem = ""
        if any(image.src == src for image in self.attached):
            return None
        sources = [*(image.src for image in self.attached), src]
        held = [pictures.at(whose, each) for each in sources]
        if held[-1] is None:
            self.picture_problem = "This picture is not here any more. Upload it again."
        elif len(sources) > MOST_PICTURES:
            self.picture_problem = f"A question has {MOST_PICTURES} pictures at most."
        elif sum(len(picture.content) for picture in held if picture) > MOST_BYTES:
            self.picture_problem = (
                f"A question’s pictures have {MOST_BYTES // 1_000_000} MB together at most. "
                "Make them smaller, or ask about fewer."
            )
        else:
            shown = "".join(letter for letter in name if letter.isprintable())[:MOST_NAME]
            self.attached = [*self.attached, ImageRow(shown or "Picture", src, "")]
            return type(self).count(self._written)
        return None

    @signed_in(roles=DEVELOPERS)
    async def describe(self, caller: Caller, src: str, description: str) -> None:
        """Say what a picture shows, for who can't see it."""
        alt = description.strip()[:MOST_DESCRIPTION]
        self.attached = [
            ImageRow(image.name, src, alt) if image.src == src else image for image in self.attached
        ]

    @signed_in(roles=DEVELOPERS)
    async def detach(self, caller: Caller, src: str) -> NextEvents:
        """Let a picture no longer go with the question."""
        self.attached = [image for image in self.attached if image.src != src]
        self.picture_problem = ""
        # The button that was pressed is gone
        return [type(self).count(self._written), rx.set_focus("question")]

    def _images(self) -> list[Image]:
        return [Image(image.name, image.src, image.alt) for image in self.attached]

    def _calls(self, turns: list[Turn], give: Callable[[Image], Image]) -> list[Asked]:
        """What asks the last turn's question, of each model that it has an answer of.

        ``give`` makes images of addresses that a model can read.
        """
        asked = [self._catalog[answer.model] for answer in turns[-1].answers]
        shown = with_images(turns, give)
        return [Asked(model, request_body(shown, model, self.parameters)) for model in asked]
