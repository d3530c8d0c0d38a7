"""The playground: a conversation with one model or several, and what each answer takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import reflex as rx

from portal.features.playground.calls.model_call import (
    Asked,
    answer_of,
    pieces_of,
)
from portal.features.playground.calls.streams import Arriving, read, streams
from portal.features.playground.conversation.transcript import (
    MOST_TURNS,
    ToolResult,
    Turn,
    before,
    new_turn,
    open_calls,
    up_to,
    with_answer,
    with_failure,
    without,
)
from portal.features.playground.files_state import FilesState
from portal.features.playground.history.state import HistoryState
from portal.features.playground.kept_state import Conversation
from portal.features.playground.pictures.pictures import PictureGone, pictures
from portal.features.playground.rows import Totals, TurnRow, totals, turn_rows
from portal.features.playground.writing_state import MOST_QUESTION, WritingState
from portal.kit.vars import computed
from portal.session.guard import DEVELOPERS, Caller, may_change, owner, signed_in
from portal.session.page import READY, PageState
from portal.session.tabs import connected

LOOK_SECONDS = 0.1
"""How often a running answer looks whether it is to stop."""


class Playground(HistoryState, FilesState, WritingState, PageState, Conversation):
    """The page of a tab's conversation."""

    turns: list[TurnRow] = []
    busy: bool = False
    editing: str = ""
    totals: Totals = Totals()
    calls_open: int = 0

    pieces: list[str] = []
    pieces_note: str = ""
    showing_pieces: bool = False

    @computed
    def query(self) -> str:
        """The conversation, or the models that are asked, as the query of an address."""
        if self.kept:
            return urlencode({"conversation": self.kept})
        usual = [model.id for model in self.models[:1]]
        return "" if self.chosen == usual else urlencode({"model": ",".join(self.chosen)})

    @signed_in(background=True)
    async def load(self, caller: Caller) -> None:
        """Load the models there are, and the conversation.

        The address may name models, or a conversation that was kept; else it goes on as it was.
        """
        on_sale = await caller.client.models.list().all()
        async with self:
            query = self.router.url.query_parameters
            wanted = query.get("conversation", "")
            other = wanted if wanted != self._kept else ""
            self._set_parameters(self._parameters)
            self._set_models(
                [model for model in on_sale if model.available and model.allowed],
                [model for model in query.get("model", "").split(",") if model],
            )
            self.kept, self.shared, self.busy = self._kept, self._shared, self._running
            self._ready()
            self._show()
        if other and may_change(caller.me, DEVELOPERS):
            conversation = await caller.client.conversations.get(other)
            async with self:
                self._open(caller, conversation)

    @signed_in(roles=DEVELOPERS, background=True)
    async def ask(self, caller: Caller, form: dict[str, Any]) -> AsyncIterator[Any]:
        """Ask the models, and show each answer as it comes."""
        question = str(form.get("question", ""))[:MOST_QUESTION].strip()
        async with self:
            if not (question or self.attached) or not self._may_ask():
                return
            turn = new_turn(question, self.chosen, images=self._images())
            self._turns = [*self._turns[-MOST_TURNS + 1 :], turn]
            self.draft = self._written = self.picture_problem = ""
            self.attached = []
        yield rx.set_value("question", "")
        await self._answer(caller, turn.id)

    @signed_in(roles=DEVELOPERS, background=True)
    async def return_results(self, caller: Caller, form: dict[str, Any]) -> None:
        """Give the model what the functions returned that it asked for."""
        async with self:
            calls = open_calls(self._turns)
            if not calls or not self._may_ask():
                return
            results = [ToolResult(call.id, str(form.get(call.id, ""))) for call in calls]
            turn = new_turn("", self.chosen[:1], results=results)
            self._turns = [*self._turns, turn]
        await self._answer(caller, turn.id)

    @signed_in(roles=DEVELOPERS)
    async def show_pieces(self, caller: Caller, turn_id: str, model: str) -> None:
        """Show the tokens of a question, or of a model's answer; none with an empty id."""
        self.showing_pieces, self.pieces, self.pieces_note = False, [], ""
        turn = next((turn for turn in self._turns if turn.id == turn_id), None)
        if turn is None or not self.chosen:
            return
        answer = turn.by(model)
        text = answer.text if answer else turn.question
        shown = await pieces_of(caller.client, model or self.chosen[0], text)
        self.showing_pieces = True
        self.pieces, self.pieces_note = shown.pieces, shown.note

    @signed_in(roles=DEVELOPERS, background=True)
    async def regenerate(self, caller: Caller, turn_id: str) -> None:
        """Ask a question again, of the models that are chosen now; what came after it goes."""
        async with self:
            turn = next((turn for turn in self._turns if turn.id == turn_id), None)
            if turn is None or not self._may_ask():
                return
            again = new_turn(turn.question, self.chosen, images=turn.images, results=turn.results)
            self._turns = [*before(self._turns, turn_id), again]
        await self._answer(caller, again.id)

    @signed_in()
    async def edit(self, caller: Caller, turn_id: str) -> None:
        """Show a question in a field, to be asked otherwise; none with an empty id."""
        self.editing = turn_id

    @signed_in(roles=DEVELOPERS, background=True)
    async def ask_edited(self, caller: Caller, form: dict[str, Any]) -> None:
        """Ask a question as it was edited; what came after it goes."""
        question = str(form.get("edited", ""))[:MOST_QUESTION].strip()
        async with self:
            turn = next((turn for turn in self._turns if turn.id == self.editing), None)
            if turn is None or not (question or turn.images) or not self._may_ask():
                return
            edited = new_turn(question, self.chosen, images=turn.images)
            self._turns = [*before(self._turns, turn.id), edited]
            self.editing = ""
        await self._answer(caller, edited.id)

    @signed_in()
    async def delete(self, caller: Caller, turn_id: str) -> None:
        """Take a question and its answers out of the conversation."""
        if not self._running:
            self._turns = without(self._turns, turn_id)
            self._show()
            await self._keep(caller)

    @signed_in()
    async def branch(self, caller: Caller, turn_id: str) -> None:
        """Go on from a turn in a conversation of its own; the other stays as it was kept."""
        if not self._running:
            self._begin(up_to(self._turns, turn_id))
            await self._keep(caller)

    @signed_in()
    async def clear(self, caller: Caller) -> None:
        """Begin a new conversation."""
        self._stop = True
        self._begin([])

    @signed_in()
    async def stop(self, caller: Caller) -> None:
        """Stop the answers that come in; what has come stays, and is billed."""
        self._stop = True

    def _may_ask(self) -> bool:
        """Whether something can be asked now; says what keeps it from being asked."""
        return not self._running and bool(self.chosen) and self._check()

    def _begin(self, turns: list[Turn]) -> None:
        self._turns = turns
        self.editing = self.draft = ""
        self._set_kept("", shared=False)
        self._show()

    def _show(self) -> None:
        """Show the conversation, where its page is shown: it goes on while another page is."""
        if self.phase != READY:
            return
        rows = turn_rows(self._turns, self._catalog, self._tickets)
        if rows != self.turns:
            self.turns = rows
        self.busy, self.totals = self._running, totals(self._turns)
        self.calls_open = 0 if self.busy else len(open_calls(self._turns))

    async def _answer(self, caller: Caller, turn_id: str) -> None:
        """Ask the last turn's question, and show each answer when it is whole.

        Stopping ends them all, and so does the browser going away.
        """
        async with self:
            self._running, self._stop, self.problem, self.editing = True, False, "", ""
            opened: dict[str, tuple[Asked, Arriving]] = {}
            try:
                calls = self._calls(self._turns, pictures.in_full(owner(caller.me)))
            except PictureGone as gone:
                calls = []
                self._turns = with_failure(self._turns, turn_id, str(gone), gone.code)
            for asked in calls:
                ticket, arriving = streams.open(owner(caller.me))
                self._tickets[turn_id, asked.model.id] = ticket
                opened[ticket] = (asked, arriving)
            self._show()
        readers = {
            asyncio.create_task(read(caller.client, asked.body, arriving)): ticket
            for ticket, (asked, arriving) in opened.items()
        }
        try:
            running = set(readers)
            while running and not self._ended():
                done, running = await asyncio.wait(
                    running, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for reader in done:
                    await self._take(caller, turn_id, *opened.pop(readers[reader]))
        finally:
            # Closes the connections to the API, which ends the answers there and bills what came
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            for asked, arriving in opened.values():
                await self._take(caller, turn_id, asked, arriving, stopped=True)
            async with self:
                self._running = False
                self._show()
            await self._keep(caller)

    def _ended(self) -> bool:
        return self._stop or not connected(self)

    async def _take(
        self,
        caller: Caller,
        turn_id: str,
        asked: Asked,
        arriving: Arriving,
        *,
        stopped: bool = False,
    ) -> None:
        answer = await answer_of(caller.client, asked, arriving, stopped=stopped)
        async with self:
            ticket = self._tickets.pop((turn_id, answer.model), "")
            self._turns = with_answer(self._turns, turn_id, answer)
            self._show()
        streams.close(ticket)
