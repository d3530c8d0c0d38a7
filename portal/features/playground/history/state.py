"""What the person kept: conversations, and prompts in versions."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend_client import ClientError, Conflict, NotFound
from backend_client.types.playground import (
    MOST_CONTENT_BYTES,
    Conversation,
    ConversationWrite,
    PromptChange,
    PromptCreate,
    PromptVersion,
    PromptVersionCreate,
)
from portal.features.playground.calls import parameters as settings
from portal.features.playground.conversation.content import from_content, to_content
from portal.features.playground.conversation.transcript import Turn, title_of
from portal.features.playground.history.rows import (
    HistoryRow,
    PromptRow,
    VersionRow,
    history_rows,
    prompt_rows,
    version_rows,
)
from portal.features.playground.pictures.pictures import pictures, with_images
from portal.features.playground.settings_state import SettingsState
from portal.kit.form_problems import text_of
from portal.session.guard import DEVELOPERS, Caller, changing, owner, signed_in

log = logging.getLogger(__name__)

MOST_LISTED = 50
ROOM_BYTES = 4096
"""For what a conversation that is kept has beside its turns."""


def kept_content(turns: list[Turn], whose: str) -> list[dict[str, Any]]:
    """The turns with the latest of their pictures, as far as a conversation that is kept has room.

    Others are kept by their names.
    """
    bare = to_content(with_images(turns, lambda image: replace(image, url="")))
    size = len(json.dumps(bare, ensure_ascii=False).encode())
    room = MOST_CONTENT_BYTES - size - ROOM_BYTES
    return to_content(with_images(turns, pictures.within(whose, room)))


class HistoryState(SettingsState, mixin=True):
    """``kept`` is the conversation's id in the history, ``prompt`` the prompt's that is used."""

    history: list[HistoryRow] = []
    history_more: bool = False
    kept_days: int = -1
    kept: str = ""
    shared: bool = False
    showing_history: bool = False

    prompts: list[PromptRow] = []
    versions: list[VersionRow] = []
    prompt: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    showing_prompts: bool = False
    prompt_problem: str = ""

    _versions: list[PromptVersion] = []

    @signed_in(roles=DEVELOPERS)
    async def show_history(self, caller: Caller, shown: bool) -> None:
        """Show the conversations that were kept, or put the list away."""
        self.showing_history, self.history = shown, []
        if shown:
            await self._list_history(caller)

    @signed_in(roles=DEVELOPERS)
    async def open_conversation(self, caller: Caller, conversation_id: str) -> None:
        """Go on with a conversation that was kept; with another's, in a copy of one's own."""
        self._open(caller, await caller.client.conversations.get(conversation_id))
        self.showing_history, self.history = False, []

    @signed_in(roles=DEVELOPERS)
    async def share(self, caller: Caller, shared: bool) -> None:
        """Let the organization's other developers read the conversation, or no longer."""
        before, self._shared = self._shared, shared
        if not await self._keep(caller):
            self._shared = before
        self.shared = self._shared

    @signed_in(roles=DEVELOPERS)
    async def delete_conversation(self, caller: Caller, conversation_id: str) -> None:
        """Remove a conversation from the history for good."""
        await caller.client.conversations.delete(conversation_id)
        if conversation_id == self._kept:
            self._set_kept("", shared=False)
        await self._list_history(caller)

    @signed_in(roles=DEVELOPERS)
    async def delete_history(self, caller: Caller) -> None:
        """Remove all of the person's own conversations for good."""
        await caller.client.conversations.delete_all()
        self._set_kept("", shared=False)
        await self._list_history(caller)

    @signed_in(roles=DEVELOPERS)
    async def show_prompts(self, caller: Caller, shown: bool) -> None:
        """Show the prompts that were saved, or put the list away."""
        self.showing_prompts, self.prompt_problem = shown, ""
        if shown:
            await self._list_prompts(caller)

    @signed_in(roles=DEVELOPERS)
    async def save_prompt(self, caller: Caller, form: dict[str, Any]) -> None:
        """Save the system prompt, the parameters and the models under a name."""
        name = text_of(form, "name")[:120]
        if not name:
            self.prompt_problem = "Give the prompt a name."
            return
        try:
            saved = await caller.client.prompts.create(
                PromptCreate(
                    name=name, content=self._prompt_content(), shared=bool(form.get("shared"))
                )
            )
        except (ClientError, ValueError) as problem:
            self.prompt_problem = str(problem)
            return
        self.prompt, self.prompt_name, self.prompt_problem = saved.id, saved.name, ""
        await self._list_prompts(caller)

    @signed_in(roles=DEVELOPERS)
    async def save_version(self, caller: Caller) -> None:
        """Save what is set now as the next version of the prompt that is used."""
        await caller.client.prompts.add_version(
            self.prompt, PromptVersionCreate(content=self._prompt_content())
        )
        await self._list_prompts(caller)
        await self._list_versions(caller)

    @signed_in(roles=DEVELOPERS)
    async def use_prompt(self, caller: Caller, prompt_id: str) -> None:
        """Set what the newest version of a prompt says."""
        self.prompt = prompt_id
        self.prompt_name = next((row.name for row in self.prompts if row.id == prompt_id), "")
        await self._list_versions(caller)
        if self._versions:
            self._use(self._versions[0])
        await self._list_prompts(caller)

    @signed_in(roles=DEVELOPERS)
    async def use_version(self, caller: Caller, version: str) -> None:
        """Set what an earlier version of the prompt says."""
        for kept in self._versions:
            if str(kept.version) == version:
                self._use(kept)

    @signed_in(roles=DEVELOPERS)
    async def share_prompt(self, caller: Caller, prompt_id: str, shared: bool) -> None:
        """Let the organization's other developers use a prompt, or no longer."""
        await caller.client.prompts.update(prompt_id, PromptChange(shared=shared))
        await self._list_prompts(caller)

    @signed_in(roles=DEVELOPERS)
    async def delete_prompt(self, caller: Caller, prompt_id: str) -> None:
        """Remove a prompt with its versions for good."""
        await caller.client.prompts.delete(prompt_id)
        if prompt_id == self.prompt:
            self.prompt, self.prompt_name, self.versions, self._versions = "", "", [], []
        await self._list_prompts(caller)

    def _begin(self, turns: list[Turn]) -> None:
        """Show another conversation, which is not kept yet."""
        raise NotImplementedError

    async def _keep(self, caller: Caller) -> bool:
        """Keep the conversation as it is now, where conversations are kept; tell whether it is."""
        async with changing(self):
            turns, id_, shared = self._turns, self._kept, self._shared
            wanted = {
                "turns": kept_content(turns, owner(caller.me)),
                "models": list(self._chosen),
            }
        if not turns or self.kept_days == 0:
            return False
        try:
            conversation = ConversationWrite(title=title_of(turns), content=wanted, shared=shared)
            client = caller.client.conversations
            try:
                kept = await (
                    client.replace(id_, conversation) if id_ else client.create(conversation)
                )
            except NotFound:
                # Removed meanwhile, by its age or in another tab
                kept = await client.create(conversation)
        except Conflict:
            async with changing(self):
                self.kept_days = 0
            return False
        except (ClientError, ValueError) as problem:
            # It may be longer than is kept. Nothing of the conversation is lost in this tab
            log.info("A conversation was not kept: %s", problem)
            return False
        async with changing(self):
            if self._turns and self._turns[0].id == turns[0].id:
                self._set_kept(kept.id, shared=kept.shared)
        return True

    def _set_kept(self, id_: str, *, shared: bool) -> None:
        self._kept, self._shared = id_, shared
        self.kept, self.shared = id_, shared

    def _open(self, caller: Caller, conversation: Conversation) -> None:
        models = conversation.content.get("models")
        wanted = [str(model) for model in models] if isinstance(models, list) else []
        chosen = [model for model in dict.fromkeys(wanted) if model in self._catalog]
        if chosen:
            self._choose(chosen)
        turns = from_content(conversation.content.get("turns"))
        self._begin(with_images(turns, pictures.taken_in(owner(caller.me))))
        if conversation.mine:
            self._set_kept(conversation.id, shared=conversation.shared)

    def _use(self, version: PromptVersion) -> None:
        self.prompt_version = str(version.version)
        models = version.content.get("models")
        wanted = [str(model) for model in models] if isinstance(models, list) else []
        if chosen := [model for model in dict.fromkeys(wanted) if model in self._catalog]:
            self._choose(chosen)
        self._set_parameters(
            settings.from_content(version.content.get("parameters"), longest=self.longest)
        )

    def _prompt_content(self) -> dict[str, Any]:
        return {"parameters": settings.to_content(self.parameters), "models": list(self.chosen)}

    async def _list_history(self, caller: Caller) -> None:
        page = await caller.client.conversations.list(limit=MOST_LISTED)
        now = datetime.now(UTC)
        self.history = history_rows(page.items, now=now, current=self._kept)
        self.history_more, self.kept_days = page.next_cursor is not None, page.kept_days

    async def _list_prompts(self, caller: Caller) -> None:
        zone = caller.me.tenant.time_zone
        prompts = await caller.client.prompts.list().all()
        self.prompts = prompt_rows(prompts, time_zone=zone, current=self.prompt)

    async def _list_versions(self, caller: Caller) -> None:
        zone = caller.me.tenant.time_zone
        page = await caller.client.prompts.versions(self.prompt, limit=MOST_LISTED).page()
        self._versions = page.items
        self.versions = version_rows(page.items, time_zone=zone)
